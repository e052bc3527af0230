//! Whose is what: orphans are taken back, deletion is clean, volume claims go and stay as the policy says.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use gamewarden_api::{GameServer, GameServerSet};
use gamewarden_tests::{Gss, Manifest, gss::ops_state, in_namespace, wait};
use k8s_openapi::{
    api::core::v1::{Event, Namespace as CoreNamespace, PersistentVolumeClaim, Pod},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

fn controller(object: &impl Resource) -> Option<&OwnerReference> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true))
}

fn belongs_to(object: &impl Resource, uid: Option<&String>) -> bool {
    controller(object).map(|owner| &owner.uid) == uid
}

#[tokio::test]
async fn a_set_that_is_applied_again_takes_back_what_it_had_with_whoever_plays() -> Result<()> {
    in_namespace("orphans", async |namespace| {
        for policy in ["Cascade", "Delete"] {
            let manifest =
                Manifest::plain("game", 2)?.merge(json!({"gameServerTemplate": {"reclaimPolicy": policy}}));
            let set = Gss::create(namespace, &manifest).await?;
            set.wait_ready(&[0, 1]).await?;
            set.patch_server(1, json!({"opsState": "Allocated"})).await?;
            set.wait_seen(1).await?;
            let before = set.wait_states(&[(0, "None"), (1, "Allocated")]).await?;
            let servers = uids(&set.servers()).await?;

            namespace.kubectl("delete gss game --cascade=orphan").await?;
            wait::gone(&namespace.api::<GameServerSet>(), "game").await?;
            let set = Gss::create(namespace, &manifest).await?;
            let uid = set.get().await?.metadata.uid;
            wait::all(&set.pods(), set.members(), "the pods belong to the new set", |pods| {
                pods.len() == 2 && pods.values().all(|pod| belongs_to(pod, uid.as_ref()))
            })
            .await?;
            let after = set.wait_states(&[(0, "None"), (1, "Allocated")]).await?;
            for (name, pod) in &before {
                assert_eq!(after[name].metadata.uid, pod.metadata.uid, "{policy}: {name} was made again");
            }
            wait::all(&set.servers(), set.members(), "each GameServer has its owner", |servers| {
                let owner = |server: &GameServer| match policy {
                    "Delete" => uid.clone(),
                    _ => after.get(&server.name_any()).and_then(|pod| pod.metadata.uid.clone()),
                };
                servers.values().all(|server| belongs_to(server, owner(server).as_ref()))
            })
            .await?;
            assert_eq!(uids(&set.servers()).await?, servers, "{policy}: GameServers were made again");
            namespace.kubectl("delete gss game --wait=false").await?;
            wait::all(&set.pods(), set.members(), "nothing is left", BTreeMap::is_empty).await?;
            wait::all(&set.servers(), set.members(), "nothing is left", BTreeMap::is_empty).await?;
        }
        Ok(())
    })
    .await
}

async fn uids(servers: &Api<GameServer>) -> Result<BTreeMap<String, Option<String>>> {
    let list = servers.list(&Default::default()).await?;
    Ok(list.items.into_iter().map(|server| (server.name_any(), server.metadata.uid)).collect())
}

/// The state between a set's deletion and the end of it, in which `--cascade=orphan` lets go of one object after the
/// other; a finalizer of ours makes it last.
#[tokio::test]
async fn a_set_that_is_going_makes_nothing_its_own() -> Result<()> {
    in_namespace("going", async |namespace| {
        let manifest = Manifest::plain("game", 1)?.merge(json!({
            "gameServerTemplate": {"reclaimPolicy": "Delete"},
        }));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_ready(&[0]).await?;
        set.wait_seen(0).await?;
        namespace
            .kubectl(r#"patch gss game --type=merge -p {"metadata":{"finalizers":["example.com/hold"]}}"#)
            .await?;
        namespace.kubectl("delete gss game --wait=false").await?;
        let merge =
            async |patch| set.servers().patch("game-0", &PatchParams::default(), &Patch::Merge(patch)).await;
        merge(json!({"metadata": {"ownerReferences": null}})).await?;
        merge(json!({"metadata": {"labels": {"gs-sync/seen": "yes"}}})).await?;
        let synced = |pod: &Pod| pod.labels().contains_key("gs-sync/seen");
        wait::one(&set.pods(), "game-0", "the controller has seen both", synced).await?;
        assert_eq!(set.servers().get("game-0").await?.metadata.owner_references, None);

        namespace.kubectl(r#"patch gss game --type=merge -p {"metadata":{"finalizers":null}}"#).await?;
        wait::all(&set.pods(), set.members(), "the pod went with its set", BTreeMap::is_empty).await?;
        assert_eq!(set.servers().get("game-0").await?.metadata.deletion_timestamp, None, "it stays");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_owner_that_somebody_takes_off_is_put_back() -> Result<()> {
    in_namespace("owners", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?).await?;
        let before = set.wait_ready(&[0, 1]).await?;
        let uid = set.get().await?.metadata.uid;
        let nobody = Patch::Merge(json!({"metadata": {"ownerReferences": null}}));
        set.pods().patch("game-0", &PatchParams::default(), &nobody).await?;
        let ours = |pod: &Pod| belongs_to(pod, uid.as_ref());
        let pod = wait::one(&set.pods(), "game-0", "the pod belongs to the set again", ours).await?;
        assert_eq!(pod.metadata.uid, before["game-0"].metadata.uid);

        // Labels that our own work rests on.
        let named = |pod: &Pod, key: &str, value: Option<&String>| pod.labels().get(key) == value;
        for (label, other) in [
            ("game.kruise.io/owner-gss", json!("other")),
            ("game.kruise.io/owner-gss", json!(null)),
            ("controller-revision-hash", json!(null)),
        ] {
            let patch = Patch::Merge(json!({"metadata": {"labels": {label: other}}}));
            set.pods().patch("game-0", &PatchParams::default(), &patch).await?;
            let wanted = before["game-0"].labels().get(label);
            let what = format!("{label} is what it was");
            let pod = wait::one(&set.pods(), "game-0", &what, |pod| named(pod, label, wanted)).await?;
            assert_eq!(pod.metadata.uid, before["game-0"].metadata.uid, "{label} {other}");
        }

        set.servers().patch("game-1", &PatchParams::default(), &nobody).await?;
        let its_pod = before["game-1"].metadata.uid.clone();
        set.wait_server(1, "the GameServer belongs to its pod again", |server| {
            belongs_to(server, its_pod.as_ref())
        })
        .await?;

        // The GameServer goes with its pod, and both come again.
        namespace.kubectl("delete gs,pod game-1 --force --grace-period=0 --wait=false").await?;
        let after =
            wait::one(&set.pods(), "game-1", "another pod", |pod| pod.metadata.uid != its_pod).await?;
        set.wait_server(1, "its GameServer is new too", |server| {
            belongs_to(server, after.metadata.uid.as_ref()) && ops_state(server) == Some("None")
        })
        .await?;
        Ok(())
    })
    .await
}

/// Servers that no node takes: their pods are there, and cost nothing.
fn nowhere(replicas: u32) -> Result<Manifest> {
    let nowhere = json!({"gameServerTemplate": {"spec": {"nodeSelector": {"no.such/node": "at-all"}}}});
    Ok(Manifest::plain("game", replicas)?.merge(nowhere))
}

#[tokio::test]
async fn a_set_that_is_deleted_while_it_grows_or_shrinks_leaves_nothing() -> Result<()> {
    in_namespace("deleted", async |namespace| {
        for (cascade, shrink) in [("background", false), ("foreground", false), ("background", true)] {
            let set = Gss::create(namespace, &nowhere(20)?).await?;
            let some = if shrink { 20 } else { 3 };
            let what = format!("{some} pods are there");
            wait::all(&set.pods(), set.members(), &what, |pods| pods.len() >= some).await?;
            if shrink {
                set.scale(5).await?;
                wait::all(&set.pods(), set.members(), "some are gone", |pods| pods.len() < 20).await?;
            }
            namespace.kubectl(&format!("delete gss game --cascade={cascade} --wait=false")).await?;
            wait::gone(&namespace.api::<GameServerSet>(), "game").await?;
            wait::all(&set.pods(), set.members(), "no pod is left", BTreeMap::is_empty).await?;
            wait::all(&set.servers(), set.members(), "no GameServer is left", BTreeMap::is_empty).await?;
        }
        let events = namespace.api::<Event>().list(&Default::default()).await?;
        let ours = |event: &&Event| {
            let source = event.source.as_ref().and_then(|s| s.component.as_deref());
            // That no node takes them is true, and said of each server.
            source == Some("gameserver-controller")
                && event.type_.as_deref() == Some("Warning")
                && event.reason.as_deref() != Some("Unschedulable")
        };
        let warnings: Vec<_> = events.items.iter().filter(ours).map(|event| &event.message).collect();
        assert!(warnings.is_empty(), "{warnings:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_namespace_that_is_deleted_while_a_set_grows_ends() -> Result<()> {
    in_namespace("outer", async |namespace| {
        let namespaces: Api<CoreNamespace> = Api::all(namespace.client.clone());
        let name = format!("{}-inner", namespace.name);
        let inner = json!({"metadata": {"name": name, "labels": {"gamewarden.dev/e2e": "true"}}});
        namespaces.create(&PostParams::default(), &serde_json::from_value(inner)?).await?;
        let sets: Api<GameServerSet> = Api::namespaced(namespace.client.clone(), &name);
        sets.create(&PostParams::default(), &nowhere(20)?.object()?).await?;
        let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &name);
        wait::all(&pods, Default::default(), "it grows", |pods| pods.len() >= 3).await?;
        namespaces.delete(&name, &DeleteParams::default()).await?;
        wait::gone(&namespaces, &name).await
    })
    .await
}

#[tokio::test]
async fn volume_claims_go_and_stay_as_the_retention_policy_says() -> Result<()> {
    in_namespace("claims-policy", async |namespace| {
        let policy = |deleted: &str, scaled: &str| {
            json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": deleted, "whenScaled": scaled}})
        };
        // No class, no volume: the claims stay Pending, and so do the pods. Whose they are is all that is asked here.
        let claim = json!({
            "metadata": {"name": "data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": "none",
                "resources": {"requests": {"storage": "1Mi"}},
            },
        });
        let manifest = nowhere(2)?
            .merge(json!({"gameServerTemplate": {"volumeClaimTemplates": [claim]}}))
            .merge(policy("Delete", "Delete"));
        let set = Gss::create(namespace, &manifest).await?;
        let uid = set.get().await?.metadata.uid.context("uid")?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        let owned = async |what: &str, wanted: &[(&str, Option<&str>)]| {
            wait::all(&claims, set.members(), what, |seen| {
                let owner = |name: &str| Some(controller(seen.get(name)?).map(|o| o.uid.as_str()));
                seen.len() == wanted.len() && wanted.iter().all(|(name, uid)| owner(name) == Some(*uid))
            })
            .await
        };
        let both = [("data-game-0", Some(uid.as_str())), ("data-game-1", Some(uid.as_str()))];
        let made = owned("the set has its claims", &both).await?;
        let (old, kept) = (made["data-game-1"].metadata.uid.clone(), made["data-game-0"].metadata.uid.clone());
        assert_eq!(made["data-game-0"].labels()["game.kruise.io/owner-gss"], "game");

        set.scale(1).await?;
        owned("one goes with its server", &both[..1]).await?;
        set.scale(2).await?;
        let again = owned("another comes with the server", &both).await?;
        assert_ne!(again["data-game-1"].metadata.uid, old);
        assert_eq!(again["data-game-0"].metadata.uid, kept);

        set.patch(json!({"spec": policy("Retain", "Retain")})).await?;
        owned("they are nobody's", &[("data-game-0", None), ("data-game-1", None)]).await?;
        set.scale(1).await?;
        wait::gone(&set.pods(), "game-1").await?;
        set.patch(json!({"spec": policy("Delete", "Retain")})).await?;
        owned("what was kept stays kept", &[("data-game-0", Some(uid.as_str())), ("data-game-1", None)]).await?;
        namespace.kubectl("delete gss game --wait=false").await?;
        owned("one goes with the set", &[("data-game-1", None)]).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_with_our_label_and_name_and_another_controller_is_left_alone_and_said() -> Result<()> {
    in_namespace("claims", async |namespace| {
        let maps = namespace.api::<k8s_openapi::api::core::v1::ConfigMap>();
        let map = serde_json::from_value(json!({"metadata": {"name": "somebody"}}))?;
        let owner = maps.create(&PostParams::default(), &map).await?.metadata.uid;
        let owner = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": "somebody", "uid": owner, "controller": true,
        });
        let pod: Value = json!({
            "metadata": {"name": "game-0", "labels": {"game.kruise.io/owner-gss": "game"}, "ownerReferences": [owner]},
            "spec": {"nodeSelector": {"no.such/node": "at-all"}, "containers": [{"name": "main", "image": "i"}]},
        });
        set_and_stranger(namespace, pod).await
    })
    .await
}

async fn set_and_stranger(namespace: &gamewarden_tests::Namespace, pod: Value) -> Result<()> {
    let pods = namespace.api::<Pod>();
    let stranger = pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    let set = Gss::create(namespace, &Manifest::plain("game", 2)?).await?;
    let message = "game-0: a pod that is not the set's has the name of a server: it belongs to ConfigMap somebody; \
                   delete that pod, or reserve its ordinal in spec.reserveGameServerIds";
    let event = namespace.said("GameServerSet", "game", message).await?;
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    assert_eq!(event.reason.as_deref(), Some("NameConflict"));
    set.wait_server(1, "the other server is made", |_| true).await?;
    assert_eq!(pods.get("game-0").await?.metadata.uid, stranger.metadata.uid);
    pods.delete("game-0", &DeleteParams::default().grace_period(1)).await?;
    set.wait_ready(&[0, 1]).await?;
    let conditions = |set: &GameServerSet| set.status.as_ref().is_some_and(|s| s.conditions.is_empty());
    set.wait("the conflict is over", conditions).await.map(drop)
}
