//! What a probe prints, and what becomes of probes that cannot answer.

use anyhow::Result;
use gamewarden_api::GameServer;
use gamewarden_tests::{
    Gss, Manifest,
    gss::{condition, ops_state},
    in_namespace, wait,
};
use kube::ResourceExt;
use serde_json::json;

#[tokio::test]
async fn the_result_fills_templates() -> Result<()> {
    in_namespace("result", async |namespace| {
        let actions = json!([{
            "state": true,
            "opsState": r#"{{if ge .Result "5"}}Allocated{{else}}None{{end}}"#,
            "deletionPriority": "{{.Result}}",
            "labels": {"gs-sync/players": "{{.Result}}"},
            "annotations": {"example.org/players": "there are {{.Result}}"},
        }]);
        let script = "cat /run/game/count 2>/dev/null || echo 3";
        let set = Gss::create(namespace, &Manifest::probed("game", script, actions)?).await?;
        let shows = |server: &GameServer, count: &str, state: &str| {
            let text = format!("there are {count}");
            condition(server, "probe") == Some(("True", count))
                && ops_state(server) == Some(state)
                && server.labels().get("gs-sync/players").is_some_and(|value| value == count)
                && server.annotations().get("example.org/players") == Some(&text)
        };
        let server = set.wait_server(0, "it shows 3", |server| shows(server, "3", "None")).await?;
        assert_eq!(serde_json::to_value(&server.spec.deletion_priority)?, 3);
        namespace.exec("game-0", "echo 7 >/run/game/count").await?;
        let server = set.wait_server(0, "it shows 7", |server| shows(server, "7", "Allocated")).await?;
        assert_eq!(serde_json::to_value(&server.spec.deletion_priority)?, 7);
        wait::one(&set.pods(), "game-0", "the pod shows 7", |pod| {
            let shows = |key: &str| pod.labels().get(key).is_some_and(|value| value == "7");
            shows("gs-sync/players") && shows("game.kruise.io/gs-delete-priority")
        })
        .await?;
        namespace.said("GameServer", "game-0", "DeletionPriority turn from 3 to 7 game-0").await?;

        // What is no number leaves the priority, is said, and does not block the rest.
        namespace.exec("game-0", "echo many >/run/game/count").await?;
        let message = "quality probe, deletionPriority \"{{.Result}}\": it comes out as \"many\", which is not an \
                       integer; the old value stays";
        let event = namespace.said("GameServer", "game-0", message).await?;
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reason.as_deref(), Some("InvalidDeletionPriority"));
        let server = set
            .wait_server(0, "its label says many", |server| {
                server.labels().get("gs-sync/players").is_some_and(|value| value == "many")
            })
            .await?;
        assert_eq!(serde_json::to_value(&server.spec.deletion_priority)?, 7);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_quality_of_a_container_that_is_not_there_is_said_and_decides_nothing() -> Result<()> {
    in_namespace("container", async |namespace| {
        // The API server lets it pass for one that others inject; nobody does.
        let wrong = Manifest::idle("game", 1)?.quality(json!({"containerName": "mincraft"})).merge(json!({
            "gameServerTemplate": {"metadata": {"annotations": {"gamewarden.dev/injected-containers": "mincraft"}}},
        }));
        let set = Gss::create(namespace, &wrong).await?;
        let message = "serviceQualities[idle]: the pod has no container \"mincraft\"; it has minecraft";
        let event = namespace.said("GameServerSet", "game", message).await?;
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reason.as_deref(), Some("ProbeMisconfigured"));
        set.wait_ready(&[0]).await?;
        // Put right, it works without anything being made again.
        let before = set.identity(0).await?;
        let right = Manifest::idle("game", 1)?.object()?;
        set.patch(json!({"spec": {"serviceQualities": right.spec.service_qualities}})).await?;
        set.wait_states(&[(0, "WaitToBeDeleted")]).await?;
        assert_eq!(set.identity(0).await?, before);
        Ok(())
    })
    .await
}

/// One server whose quality runs `command`; gives status and result once it is not true.
async fn fails(test: &str, command: serde_json::Value, result: &str) -> Result<()> {
    in_namespace(test, async |namespace| {
        let manifest = Manifest::idle("game", 1)?.quality(json!({
            "exec": {"command": command}, "timeoutSeconds": 1,
            "serviceQualityAction": [
                {"state": true, "opsState": "WaitToBeDeleted"}, {"state": false, "opsState": "Maintaining"},
            ],
        }));
        let set = Gss::create(namespace, &manifest).await?;
        let what = format!("it is false for {result:?}");
        set.wait_server(0, &what, |server| condition(server, "idle") == Some(("False", result))).await?;
        set.wait_states(&[(0, "Maintaining")]).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_command_that_is_not_in_the_image_is_false_and_says_so() -> Result<()> {
    let result = "cannot run the command: exec: \"no-such-thing\": executable file not found in $PATH";
    fails("command", json!(["no-such-thing"]), result).await
}

#[tokio::test]
async fn a_script_that_hangs_is_false_and_says_so() -> Result<()> {
    fails("hangs", json!(["sleep", "600"]), "timed out after 1s").await
}

#[tokio::test]
async fn a_script_that_fails_says_why_on_standard_error() -> Result<()> {
    let script = "echo out; echo 'no | config' >&2; exit 3";
    fails("stderr", json!(["bash", "-c", script]), "no  config").await
}
