//! A changed template reaches running servers.

use anyhow::Result;
use gamewarden_tests::{Gss, Manifest, in_namespace, wait};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// A patch of the template: another environment.
fn version(version: &str, rolling: Value) -> Result<Value> {
    let manifest = Manifest::plain("game", 3)?
        .container(json!({"env": [{"name": "VERSION", "value": version}]}))
        .object()?;
    Ok(json!({"spec": {
        "gameServerTemplate": manifest.spec.game_server_template,
        "updateStrategy": {"rollingUpdate": rolling},
    }}))
}

fn has_version(pod: &Pod, version: &str) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut env = containers.flat_map(|container| container.env.iter().flatten());
    env.any(|var| var.name == "VERSION" && var.value.as_deref() == Some(version))
}

fn is_available(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none() && conditions.any(|c| c.type_ == "Ready" && c.status == "True")
}

#[tokio::test]
async fn a_new_template_is_rolled_out_within_max_unavailable() -> Result<()> {
    in_namespace("update", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 3)?).await?;
        let before = set.wait_ready(&[0, 1, 2]).await?;

        // Paused, it waits.
        let rolling =
            |paused: bool| json!({"podUpdatePolicy": "ReCreate", "maxUnavailable": 1, "paused": paused});
        set.patch(version("2", rolling(true))?).await?;
        set.wait("none is updated", |set| {
            set.status.as_ref().is_some_and(|s| {
                s.observed_generation == set.metadata.generation && s.updated_replicas == 0 && s.replicas == 3
            })
        })
        .await?;
        let paused = set.wait_ready(&[0, 1, 2]).await?;
        for (name, pod) in &paused {
            assert_eq!(pod.metadata.uid, before[name].metadata.uid, "{name} was made again while paused");
        }

        set.patch(version("2", rolling(false))?).await?;
        let mut fewest = 3;
        wait::all(&set.pods(), set.members(), "all three are updated and ready", |pods| {
            fewest = fewest.min(pods.values().filter(|pod| is_available(pod)).count());
            pods.len() == 3 && pods.values().all(|pod| has_version(pod, "2") && is_available(pod))
        })
        .await?;
        assert_eq!(fewest, 2, "at least this many were available at any time");
        set.wait("its status counts three updated", |set| {
            set.status.as_ref().is_some_and(|s| s.updated_replicas == 3 && s.updated_ready_replicas == 3)
        })
        .await?;
        Ok(())
    })
    .await
}
