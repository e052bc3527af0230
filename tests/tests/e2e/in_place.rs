//! A changed image reaches running servers without a new pod.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use gamewarden_api::types::GameServerState;
use gamewarden_tests::{
    Gss, Manifest, Namespace,
    gss::{condition, container_statuses},
    in_namespace, wait,
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Value, json};

const GAME: &str = "registry.cn-hangzhou.aliyuncs.com/gs-demo/gameserver";

/// Two containers of these tags of the game's image.
fn containers(main: &str, side: &str) -> Value {
    json!({"gameServerTemplate": {"spec": {"terminationGracePeriodSeconds": 2, "containers": [
        {"name": "minecraft", "image": format!("{GAME}:{main}")},
        {"name": "side", "image": format!("{GAME}:{side}"), "env": [{"name": "GAME_PORT", "value": "25566"}]},
    ]}}})
}

/// One server of two containers. Its quality is true as long as the game's container runs.
fn manifest(rolling: Value) -> Result<Manifest> {
    let actions = json!([{"state": true, "opsState": "None"}, {"state": false, "opsState": "Maintaining"}]);
    let manifest = Manifest::probed("game", "exit 0", actions)?.merge(containers("idle", "idle"));
    Ok(manifest.merge(json!({"updateStrategy": {"rollingUpdate": rolling}})))
}

/// What stays the same in an update in place: the pod, its address and node, its GameServer; and how often each
/// container was restarted.
async fn seen(set: &Gss<'_>) -> Result<(Vec<Option<String>>, BTreeMap<String, i32>)> {
    let pod = set.pods().get("game-0").await?;
    let server = set.servers().get("game-0").await?;
    let status = pod.status.context("a pod that runs has a status")?;
    let restarts =
        status.container_statuses.into_iter().flatten().map(|s| (s.name, s.restart_count)).collect();
    let node = pod.spec.and_then(|spec| spec.node_name);
    Ok((vec![pod.metadata.uid, server.metadata.uid, status.pod_ip, node], restarts))
}

async fn wait_healthy(set: &Gss<'_>) -> Result<()> {
    set.wait_server(0, "its quality is true", |s| condition(s, "probe").is_some_and(|c| c.0 == "True"))
        .await
        .map(drop)
}

/// Waits until the pod runs these tags and is in service again.
async fn wait_updated(set: &Gss<'_>, main: &str, side: &str) -> Result<()> {
    let wanted = [format!("{GAME}:{main}"), format!("{GAME}:{side}")];
    wait::one(&set.pods(), "game-0", &format!("it runs {wanted:?} and is Normal"), |pod: &Pod| {
        let asked = pod.spec.iter().flat_map(|s| &s.containers).filter_map(|c| c.image.clone());
        let normal = pod.labels().get("lifecycle.apps.kruise.io/state").is_some_and(|s| s == "Normal");
        asked.eq(wanted.iter().cloned()) && normal && is_ready(pod)
    })
    .await
    .map(drop)
}

fn is_ready(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    conditions.any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Nothing but the update was told of the server: its quality was never false.
async fn assert_undisturbed(namespace: &Namespace) -> Result<()> {
    let messages = namespace.messages("GameServer", "game-0", "OpsState turn").await?;
    ensure!(messages.iter().all(|m| !m.contains("Maintaining")), "{messages:?}");
    Ok(())
}

#[tokio::test]
async fn a_new_image_restarts_its_container_and_nothing_else() -> Result<()> {
    in_namespace("in-place", async |namespace| {
        let rolling = json!({"podUpdatePolicy": "InPlaceIfPossible", "inPlaceUpdateStrategy": {"gracePeriodSeconds": 1}});
        let set = Gss::create(namespace, &manifest(rolling)?).await?;
        set.wait_ready(&[0]).await?;
        wait_healthy(&set).await?;
        set.patch_server(0, json!({"opsState": "Allocated"})).await?;
        let (same, before) = seen(&set).await?;

        set.patch(json!({"spec": containers("next", "idle")})).await?;
        wait_updated(&set, "next", "idle").await?;
        let (after, restarts) = seen(&set).await?;
        assert_eq!(after, same, "pod, GameServer, address and node are the same");
        assert_eq!(restarts["minecraft"], before["minecraft"] + 1);
        assert_eq!(restarts["side"], before["side"]);
        namespace.said("GameServer", "game-0", "State turn from Ready to Updating game-0").await?;
        set.wait_states(&[(0, "Allocated")]).await?;
        wait_healthy(&set).await?;
        set.wait("it is counted as updated", |set| {
            set.status.as_ref().is_some_and(|s| s.updated_ready_replicas == 1)
        })
        .await?;

        // An image that is not there keeps it Updating, until the next template mends it.
        set.patch(json!({"spec": containers("none", "idle")})).await?;
        wait::one(&set.pods(), "game-0", "its image cannot be pulled", |pod: &Pod| {
            let statuses = container_statuses(pod);
            let mut waiting = statuses.filter_map(|s| s.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
            waiting.any(|reason| reason == "ImagePullBackOff" || reason == "ErrImagePull")
        })
        .await?;
        set.wait_server(0, "it is Updating", |server| {
            server.status.as_ref().and_then(|s| s.current_state) == Some(GameServerState::Updating)
        })
        .await?;
        set.patch(json!({"spec": containers("next", "idle")})).await?;
        wait_updated(&set, "next", "idle").await?;
        set.wait_states(&[(0, "Allocated")]).await?;
        assert_eq!(seen(&set).await?.0, same);
        assert_undisturbed(namespace).await
    })
    .await
}

#[tokio::test]
async fn an_image_of_a_servers_own_comes_at_once_and_goes_again() -> Result<()> {
    in_namespace("own-image", async |namespace| {
        let set = Gss::create(namespace, &manifest(json!({"paused": true}))?).await?;
        set.wait_ready(&[0]).await?;
        wait_healthy(&set).await?;
        let (same, before) = seen(&set).await?;
        let own = json!([{"name": "side", "image": format!("{GAME}:next")}]);
        set.patch_server(0, json!({"containers": own})).await?;
        wait_updated(&set, "idle", "next").await?;
        namespace.said("GameServer", "game-0", "State turn from Ready to Updating game-0").await?;
        set.patch_server(0, json!({"containers": null})).await?;
        wait_updated(&set, "idle", "idle").await?;
        let (after, restarts) = seen(&set).await?;
        assert_eq!(after, same);
        assert_eq!((restarts["side"], restarts["minecraft"]), (before["side"] + 2, before["minecraft"]));
        assert_undisturbed(namespace).await
    })
    .await
}

#[tokio::test]
async fn in_place_only_says_why_a_pod_stays_as_it_is() -> Result<()> {
    in_namespace("in-place-only", async |namespace| {
        let set = Gss::create(namespace, &manifest(json!({"podUpdatePolicy": "InPlaceOnly"}))?).await?;
        set.wait_ready(&[0]).await?;
        let before = set.identity(0).await?;
        let volume = json!({"gameServerTemplate": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}});
        set.patch(json!({"spec": volume})).await?;
        let message = "podUpdatePolicy InPlaceOnly: a pod that differs from the template in more than images, labels and \
                       annotations keeps what it has; to update it delete the pod, or set podUpdatePolicy \
                       InPlaceIfPossible";
        let event = namespace.said("GameServerSet", "game", message).await?;
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reason.as_deref(), Some("UpdateHeldBack"));
        assert_eq!(set.identity(0).await?, before);
        // As it says.
        namespace.kubectl("delete pod game-0 --wait=false").await?;
        let pod = wait::one(&set.pods(), "game-0", "the pod is updated", |pod: &Pod| {
            pod.spec.iter().flat_map(|s| s.volumes.iter().flatten()).any(|v| v.name == "v")
        })
        .await?;
        ensure!(pod.metadata.uid.as_ref() != Some(&before.uid));
        Ok(())
    })
    .await
}
