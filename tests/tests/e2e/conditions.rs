//! What a server stands on: PodNormal, NodeNormal, PersistentVolumeNormal, and the warnings about them.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use gamewarden_api::{GameServer, types::GameServerCondition};
use gamewarden_tests::{Gss, Manifest, Namespace, in_namespace, wait};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{Node, PersistentVolumeClaim},
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    runtime::watcher::{Event, watcher},
};
use serde_json::json;

fn condition<'s>(server: &'s GameServer, type_: &str) -> Option<&'s GameServerCondition> {
    server.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}

fn is(server: &GameServer, type_: &str, status: &str) -> bool {
    condition(server, type_).is_some_and(|condition| condition.status == status)
}

fn message(server: &GameServer, type_: &str) -> Result<String> {
    condition(server, type_)
        .and_then(|c| c.message.clone())
        .with_context(|| format!("{type_} has no message"))
}

/// The Warning about the server that says what its condition says.
async fn warned(namespace: &Namespace, server: &GameServer, type_: &str) -> Result<()> {
    let event = namespace.said("GameServer", &server.name_any(), &message(server, type_)?).await?;
    ensure!(event.type_.as_deref() == Some("Warning") && event.count == Some(1), "{event:?}");
    Ok(())
}

#[tokio::test]
async fn a_crash_turns_pod_normal_false_and_is_said_once() -> Result<()> {
    in_namespace("pod-normal", async |namespace| {
        let crash = json!({"command": ["bash", "-c", "sleep 3; exit 3"]});
        let set = Gss::create(namespace, &Manifest::plain("game", 1)?.container(crash)).await?;
        let server = set
            .wait_server(0, "PodNormal tells of the crash", |server| {
                let reason = condition(server, "PodNormal").and_then(|c| c.reason.as_deref());
                reason.is_some_and(|reason| reason.contains("ContainerTerminated:Error"))
            })
            .await?;
        ensure!(message(&server, "PodNormal")?.contains("ExitCode: 3"), "{server:?}");
        ensure!(
            is(&server, "NodeNormal", "True") && is(&server, "PersistentVolumeNormal", "True"),
            "{server:?}"
        );
        namespace.said_often("GameServer", "game-0", "containers with unready status", 1).await?;
        let warnings = namespace.messages("GameServer", "game-0", "containers with unready status").await?;
        ensure!(warnings.len() <= 2, "one for each time it turned false, and it was well once: {warnings:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_claim_without_a_volume_and_one_that_is_missing_turn_persistent_volume_normal_false() -> Result<()>
{
    in_namespace("volume-normal", async |namespace| {
        let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "world"}});
        let manifest =
            Manifest::plain("game", 1)?.merge(json!({"gameServerTemplate": {"spec": {"volumes": [volume]}}}));
        let set = Gss::create(namespace, &manifest).await?;
        let server =
            set.wait_server(0, "the claim is missing", |s| is(s, "PersistentVolumeNormal", "False")).await?;
        let missing = format!("There is no pvc named {}/world in cluster", namespace.name);
        assert_eq!(message(&server, "PersistentVolumeNormal")?, missing);
        warned(namespace, &server, "PersistentVolumeNormal").await?;

        // A claim of a class that nobody provides is never bound.
        let claim: PersistentVolumeClaim = serde_json::from_value(json!({
            "metadata": {"name": "world"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none-such",
                "resources": {"requests": {"storage": "1Mi"}}},
        }))?;
        namespace.api::<PersistentVolumeClaim>().create(&PostParams::default(), &claim).await?;
        let unbound = format!("There is no pv which pvc {}/world is bound with", namespace.name);
        set.wait_server(0, "the claim is not bound", |server| {
            condition(server, "PersistentVolumeNormal").and_then(|c| c.message.as_ref()) == Some(&unbound)
        })
        .await?;
        Ok(())
    })
    .await
}

/// A node without a kubelet: nothing runs there, and no other test is disturbed. Its Lease is renewed as a
/// kubelet would; without, the node lifecycle controller writes over what `body` says of the node.
async fn with_node(
    namespace: &Namespace,
    body: impl AsyncFnOnce(&Api<Node>, &str) -> Result<()>,
) -> Result<()> {
    let api: Api<Node> = Api::all(namespace.client.clone());
    let name = format!("fake-{}", namespace.name);
    let node: Node = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"unschedulable": true, "taints": [{"key": "gamewarden.dev/fake", "effect": "NoSchedule"}]},
    }))?;
    let node = api.create(&PostParams::default(), &node).await?;
    let result = tokio::select! {
        result = body(&api, &name) => result,
        Err(error) = heartbeat(&namespace.client, &node) => Err(error),
    };
    let deleted = api.delete(&name, &DeleteParams::default()).await;
    if let Err(kube::Error::Api(status)) = &deleted
        && status.code == 404
    {
        return result;
    }
    deleted?;
    result
}

/// Renews the node's Lease every few seconds; ends with the first error only.
async fn heartbeat(client: &Client, node: &Node) -> Result<Infallible> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let name = node.name_any();
    let mut every = tokio::time::interval(Duration::from_secs(4));
    loop {
        every.tick().await;
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "ownerReferences": [node.owner_ref(&())]},
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": 40,
                "renewTime": MicroTime(Timestamp::now()),
            },
        });
        let fake = PatchParams::apply("gamewarden-test").force();
        leases.patch(&name, &fake, &Patch::Apply(lease)).await.context("the node's Lease")?;
    }
}

async fn ready(api: &Api<Node>, name: &str, status: &str, reason: &str) -> Result<()> {
    let condition =
        json!({"type": "Ready", "status": status, "reason": reason, "message": format!("it is {reason}")});
    let patch = json!({"status": {"conditions": [condition]}});
    api.patch_status(name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
    Ok(())
}

#[tokio::test]
async fn a_node_in_trouble_turns_node_normal_false_and_so_does_one_that_is_gone() -> Result<()> {
    in_namespace("node-normal", async |namespace| {
        with_node(namespace, async |api, name| {
            ready(api, name, "True", "Well").await?;
            let manifest = Manifest::plain("game", 1)?.merge(json!({"gameServerTemplate": {"spec": {
                "nodeName": name,
                "terminationGracePeriodSeconds": 0,
                "tolerations": [{"operator": "Exists"}],
            }}}));
            let set = Gss::create(namespace, &manifest).await?;
            let server = set.wait_server(0, "the node is well", |s| is(s, "NodeNormal", "True")).await?;
            assert_eq!(server.labels().get("game.kruise.io/node-name").map(String::as_str), Some(name));

            ready(api, name, "False", "Ill").await?;
            let server = set.wait_server(0, "the node is ill", |s| is(s, "NodeNormal", "False")).await?;
            let reason = condition(&server, "NodeNormal").and_then(|c| c.reason.as_deref());
            assert_eq!(reason, Some("Ready:Ill"));
            warned(namespace, &server, "NodeNormal").await?;

            ready(api, name, "True", "Well").await?;
            set.wait_server(0, "the node is well again", |s| is(s, "NodeNormal", "True")).await?;

            api.delete(name, &DeleteParams::default()).await?;
            let server = set.wait_server(0, "the node is gone", |s| is(s, "NodeNormal", "False")).await?;
            let gone = format!("There is no node named {name} in cluster");
            assert_eq!(message(&server, "NodeNormal")?, gone);
            warned(namespace, &server, "NodeNormal").await
        })
        .await
    })
    .await
}

/// Design §8: the verdict and the status, and no third write when the pod's condition comes back.
#[tokio::test]
async fn a_flip_costs_two_writes_to_the_game_server() -> Result<()> {
    in_namespace("two-writes", async |namespace| {
        let set = Gss::create(namespace, &Manifest::idle("game", 1)?).await?;
        set.wait_states(&[(0, "WaitToBeDeleted")]).await?;
        set.wait_seen(0).await?;
        let shown = |server: &GameServer, status: &str| {
            let pod_status = server.status.as_ref().map(|s| &s.pod_status);
            let conditions = pod_status.and_then(|s| s.get("conditions")).and_then(|c| c.as_array());
            conditions
                .into_iter()
                .flatten()
                .any(|c| c["type"] == "game.kruise.io/idle" && c["status"] == status)
        };
        let before = set.wait_server(0, "the status has caught up", |server| shown(server, "True")).await?;
        let mut versions = BTreeSet::new();
        let mut events = std::pin::pin!(watcher(set.servers(), wait::named("game-0")));
        let player = gamewarden_tests::player::Player::enter(namespace, "game-0").await?;
        let mut caught_up = false;
        while !caught_up {
            let event = events.try_next().await?.context("the watch has ended")?;
            if let Event::Apply(server) = event {
                versions.insert(server.resource_version());
                caught_up = shown(&server, "False");
            }
        }
        // What comes back of the pod's condition is seen by now, and the pod's labels with it.
        set.wait_seen(0).await?;
        let after = set.servers().get("game-0").await?;
        versions.insert(after.resource_version());
        ensure!(versions.len() <= 2, "{versions:?} after {:?}", before.resource_version());
        drop(player);
        Ok(())
    })
    .await
}
