//! What is on a set's pods and GameServers: the labels, owners and conditions that other programs look for.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use gamewarden_tests::{Gss, Manifest, gss::condition, in_namespace, wait};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

#[tokio::test]
async fn pods_and_game_servers_carry_what_programs_look_for() -> Result<()> {
    in_namespace("objects", async |namespace| {
        let metadata = json!({
            "labels": {"tier": "eu", "gs-sync/map": "island"},
            "annotations": {"example.org/note": "kept"},
        });
        let manifest =
            Manifest::idle("game", 1)?.merge(json!({"gameServerTemplate": {"metadata": metadata}}));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_states(&[(0, "WaitToBeDeleted")]).await?;
        let set_uid = set.get().await?.metadata.uid;

        // The labels follow the GameServer, and the condition the verdict.
        let pod = wait::one(&set.pods(), "game-0", "the pod shows the verdict", |pod| {
            let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
            let mut true_ones = conditions.filter(|c| c.status == "True").map(|c| c.type_.as_str());
            true_ones.any(|type_| type_ == "game.kruise.io/idle")
                && pod.labels().get("game.kruise.io/gs-opsState").is_some_and(|s| s == "WaitToBeDeleted")
                && pod.labels().get("game.kruise.io/gs-state").is_some_and(|s| s == "Ready")
        })
        .await?;
        let mut labels: BTreeMap<&str, &str> =
            pod.labels().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let revision = labels.remove("controller-revision-hash").context("revision")?;
        ensure!(revision.starts_with("game-"), "revision {revision}");
        assert_eq!(
            labels,
            BTreeMap::from([
                ("apps.kubernetes.io/pod-index", "0"),
                ("game.kruise.io/gs-delete-priority", "0"),
                ("game.kruise.io/gs-opsState", "WaitToBeDeleted"),
                ("game.kruise.io/gs-state", "Ready"),
                ("game.kruise.io/gs-update-priority", "0"),
                ("game.kruise.io/network-disabled", "false"),
                ("game.kruise.io/owner-gss", "game"),
                ("gs-sync/map", "island"),
                ("lifecycle.apps.kruise.io/state", "Normal"),
                ("statefulset.kubernetes.io/pod-name", "game-0"),
                ("tier", "eu"),
            ])
        );
        for annotation in ["opsState-last-changed-time", "state-last-changed-time"] {
            let time = pod.annotations().get(&format!("game.kruise.io/{annotation}"));
            let time: Timestamp = time.context(annotation)?.parse()?;
            ensure!(time <= Timestamp::now(), "{annotation} is {time}");
        }
        assert_eq!(pod.annotations().get("example.org/note").map(String::as_str), Some("kept"));
        let owners: Vec<_> =
            pod.owner_references().iter().map(|o| (o.kind.as_str(), Some(o.uid.clone()))).collect();
        assert_eq!(owners, [("GameServerSet", set_uid)]);
        let spec = pod.spec.clone().context("spec")?;
        assert_eq!(spec.hostname.as_deref(), Some("game-0"));
        assert_eq!(spec.subdomain.as_deref(), Some("game"));
        let gates = spec.readiness_gates.unwrap_or_default();
        assert!(gates.iter().any(|gate| gate.condition_type == "InPlaceUpdateReady"));

        let server = set
            .wait_server(0, "its status shows the verdict", |server| {
                condition(server, "idle") == Some(("True", "0 players"))
            })
            .await?;
        let labels: BTreeMap<&str, &str> =
            server.labels().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let node = spec.node_name.context("node")?;
        assert_eq!(
            labels,
            BTreeMap::from([
                ("game.kruise.io/node-name", node.as_str()),
                ("game.kruise.io/owner-gss", "game"),
                ("gs-sync/map", "island"),
                ("tier", "eu"),
            ])
        );
        assert!(server.annotations().contains_key("game.kruise.io/gsTemplate-metadata-hash"));
        let owners: Vec<_> =
            server.owner_references().iter().map(|o| (o.kind.as_str(), Some(o.uid.clone()))).collect();
        assert_eq!(owners, [("Pod", pod.metadata.uid.clone())]);
        assert_eq!(
            serde_json::to_value(&server.spec)?,
            json!({
                "opsState": "WaitToBeDeleted", "deletionPriority": 0, "updatePriority": 0,
                "networkDisabled": false,
            })
        );
        let status = serde_json::to_value(server.status)?;
        assert_eq!(status["desiredState"], "Ready");
        assert_eq!((&status["deletionPriority"], &status["updatePriority"]), (&json!("0"), &json!("0")));
        assert_eq!(status["podStatus"]["phase"], "Running");
        let quality = &status["serviceQualitiesConditions"][0];
        for time in ["lastProbeTime", "lastTransitionTime", "lastActionTransitionTime"] {
            assert!(quality[time].is_string(), "{time}: {}", Value::clone(quality));
        }
        Ok(())
    })
    .await
}
