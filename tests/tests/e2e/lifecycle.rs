//! Hooks hold servers at points of their lives.

use anyhow::{Result, ensure};
use gamewarden_api::{GameServer, GameServerSet, types::GameServerState};
use gamewarden_tests::{Gss, Manifest, in_namespace, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

const NEXT: &str = "registry.cn-hangzhou.aliyuncs.com/gs-demo/gameserver:next";

fn is_in(state: GameServerState) -> impl Fn(&GameServer) -> bool {
    move |server| server.status.as_ref().and_then(|s| s.current_state) == Some(state)
}

fn counts(pre_delete: i32) -> impl Fn(&GameServerSet) -> bool {
    move |set| set.status.as_ref().is_some_and(|s| s.pre_delete_replicas == pre_delete)
}

#[tokio::test]
async fn pre_delete_holds_a_removal_until_label_and_finalizer_are_off() -> Result<()> {
    in_namespace("pre-delete", async |namespace| {
        let manifest = Manifest::plain("game", 2)?.merge(json!({"lifecycle": {"preDelete": {
            "labelsHandler": {"example.com/save": "pending"},
            "finalizersHandler": ["example.com/save"],
            "markPodNotReady": true,
        }}}));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_ready(&[0, 1]).await?;
        namespace.kubectl("label pod game-1 example.com/save=pending").await?;
        let finalizer = |list: &str| {
            format!("patch pod game-1 --type merge -p {{\"metadata\":{{\"finalizers\":{list}}}}}")
        };
        namespace.kubectl(&finalizer("[\"example.com/save\"]")).await?;
        let before = set.identity(1).await?;

        set.scale(1).await?;
        set.wait_server(1, "it is held", is_in(GameServerState::PreDelete)).await?;
        namespace.said("GameServer", "game-1", "State turn from Ready to PreDelete game-1").await?;
        set.wait("it is counted", counts(1)).await?;
        wait::one(&set.pods(), "game-1", "it is not ready", |pod: &Pod| {
            let mut conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
            conditions.any(|c| c.type_ == "Ready" && c.status == "False")
        })
        .await?;
        // One of the two is not enough: another change of the set has been seen, and the pod is there.
        namespace.kubectl("label pod game-1 --overwrite example.com/save=done").await?;
        set.scale(0).await?;
        wait::all(&set.pods(), set.members(), "game-0 is gone", |pods| !pods.contains_key("game-0")).await?;
        ensure!(set.identity(1).await? == before, "it was not left alone");
        namespace.kubectl(&finalizer("null")).await?;
        wait::all(&set.pods(), set.members(), "game-1 is gone", |pods| pods.is_empty()).await?;
        set.wait("nothing is held", counts(0)).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pre_normal_holds_a_new_server_until_it_has_its_label() -> Result<()> {
    in_namespace("pre-normal", async |namespace| {
        let hook = json!({"lifecycle": {"preNormal": {"labelsHandler": {"example.com/warm": "yes"}}}});
        let set = Gss::create(namespace, &Manifest::plain("game", 1)?.merge(hook)).await?;
        set.wait_ready(&[0]).await?;
        let available = |count: i32| {
            move |set: &GameServerSet| {
                set.status.as_ref().is_some_and(|s| s.ready_replicas == 1 && s.available_replicas == count)
            }
        };
        set.wait("it is ready and not available", available(0)).await?;
        namespace.kubectl("label pod game-0 example.com/warm=yes").await?;
        set.wait("it is available", available(1)).await?;
        let pod = set.pods().get("game-0").await?;
        assert_eq!(pod.labels()["lifecycle.apps.kruise.io/state"], "Normal");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_update_in_place_waits_for_its_hook_before_and_after() -> Result<()> {
    in_namespace("in-place-hook", async |namespace| {
        let manifest = Manifest::plain("game", 1)?.merge(json!({
            "lifecycle": {"inPlaceUpdate": {"labelsHandler": {"example.com/open": "yes"}}},
            "gameServerTemplate": {"metadata": {"labels": {"example.com/open": "yes"}}},
        }));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_ready(&[0]).await?;
        let before = set.identity(0).await?;
        let object = manifest.container(json!({"image": NEXT})).object()?;
        set.patch(json!({"spec": {"gameServerTemplate": object.spec.game_server_template}})).await?;
        set.wait_server(0, "it is held", is_in(GameServerState::PreUpdate)).await?;
        ensure!(set.identity(0).await? == before);
        let state = async |wanted: &str| {
            wait::one(&set.pods(), "game-0", &format!("it is {wanted}"), |pod: &Pod| {
                pod.labels().get("lifecycle.apps.kruise.io/state").is_some_and(|s| s == wanted)
            })
            .await
        };
        namespace.kubectl("label pod game-0 --overwrite example.com/open=no").await?;
        let pod = state("Updated").await?;
        assert_eq!(pod.metadata.uid.as_ref(), Some(&before.uid));
        assert_eq!(pod.spec.and_then(|s| s.containers.into_iter().next()?.image).as_deref(), Some(NEXT));
        namespace.kubectl("label pod game-0 --overwrite example.com/open=yes").await?;
        state("Normal").await?;
        set.wait_ready(&[0]).await?;
        Ok(())
    })
    .await
}
