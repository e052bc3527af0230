//! Qualities that ask by HTTP, TCP and gRPC, beside those that run a command.

use anyhow::{Result, ensure};
use gamewarden_api::GameServer;
use gamewarden_tests::{
    Gss, Manifest,
    gss::{condition, ops_state},
    in_namespace, wait,
};
use kube::ResourceExt;
use serde_json::json;

/// The actions that set this opsState for true and that one for false.
fn states(when_true: &str, when_false: &str) -> serde_json::Value {
    json!([{"state": true, "opsState": when_true}, {"state": false, "opsState": when_false}])
}

#[tokio::test]
async fn a_server_is_asked_in_every_way_and_each_answer_counts() -> Result<()> {
    in_namespace("handlers", async |namespace| {
        let token = |value: &str| json!({"name": "x-token", "value": value});
        let manifest = Manifest::served("game", &[
            json!({"name": "players", "httpGet": {"port": "web", "path": "/state"}, "serviceQualityAction": [{
                "state": true, "deletionPriority": "{{.Result}}", "labels": {"gs-sync/players": "{{.Result}}"},
            }]}),
            json!({"name": "secure", "httpGet": {
                "scheme": "HTTPS", "port": 8443, "path": "/echo?x=y",
                "httpHeaders": [token("a"), token("b"), {"name": "Host", "value": "game.example"}],
            }}),
            json!({
                "name": "open", "tcpSocket": {"port": "play"}, "serviceQualityAction": states("None", "Maintaining"),
            }),
            json!({
                "name": "match", "grpc": {"port": 9000, "service": "game"},
                "serviceQualityAction": states("Allocated", "None"),
            }),
            json!({"name": "said", "exec": {"command": ["/server", "say", "yes", "0"]}}),
        ]);
        let set = Gss::create(namespace, &manifest?).await?;
        let is = |server: &GameServer, state: &str, conditions: &[(&str, &str, &str)]| {
            ops_state(server) == Some(state)
                && conditions.iter().all(|(name, status, text)| condition(server, name) == Some((*status, *text)))
        };
        let echo = format!(
            "/echo?x=y host=game.example agent=gamewarden-probe/{} tokens=a,b",
            env!("CARGO_PKG_VERSION")
        );
        let server = set
            .wait_server(0, "all are asked", |server| {
                is(server, "None", &[
                    ("players", "True", "3"),
                    ("secure", "True", echo.as_str()),
                    ("open", "True", ""),
                    ("match", "False", "NOT_FOUND: service not registered"),
                    ("said", "True", "yes"),
                ])
            })
            .await?;
        assert_eq!(serde_json::to_value(&server.spec.deletion_priority)?, 3);

        namespace.tell("game-0", "grpc/game/SERVING").await?;
        let serving = ("match", "True", "");
        set.wait_server(0, "a match is on", |server| is(server, "Allocated", &[serving])).await?;
        namespace.tell("game-0", "tcp/closed").await?;
        namespace.tell("game-0", "state/503/draining").await?;
        set.wait_server(0, "nobody can enter", |server| {
            let told = [("open", "False", "connection refused"), ("players", "False", "draining"), serving];
            is(server, "Maintaining", &told)
        })
        .await?;
        namespace.tell("game-0", "tcp/open").await?;
        namespace.tell("game-0", "grpc/game/NOT_SERVING").await?;
        namespace.tell("game-0", "state/200/7").await?;
        let server = set
            .wait_server(0, "the match is over", |server| {
                let over = [("open", "True", ""), ("match", "False", "NOT_SERVING"), ("players", "True", "7")];
                is(server, "None", &over)
            })
            .await?;
        assert_eq!(serde_json::to_value(&server.spec.deletion_priority)?, 7);
        wait::one(&set.pods(), "game-0", "the pod shows 7", |pod| {
            pod.labels().get("gs-sync/players").is_some_and(|value| value == "7")
        })
        .await?;
        for wait in ["condition=game.kruise.io/open", "condition=game.kruise.io/match=false"] {
            namespace.kubectl(&format!("wait --for={wait} pod/game-0 --timeout=20s")).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn redirects_timeouts_and_mistakes_are_told_and_a_removed_quality_is_gone() -> Result<()> {
    in_namespace("answers", async |namespace| {
        let qualities = [
            json!({"name": "moved", "httpGet": {"port": 8080, "path": "/moved"}}),
            json!({"name": "away", "httpGet": {"port": 8080, "path": "away"}}),
            json!({"name": "slow", "httpGet": {"port": 8080, "path": "/slow"}, "timeoutSeconds": 1}),
            json!({"name": "typo", "httpGet": {"port": "wbe"}}),
            json!({"name": "metadata", "httpGet": {"port": 80, "host": "169.254.169.254"}}),
        ];
        // The webhook refuses the typo.
        let past = namespace.past_the_webhook().await?;
        let set = Gss::create(&past, &Manifest::served("game", &qualities)?).await?;
        for message in [
            "serviceQualities[typo]: httpGet.port: container \"game\" declares no port named \"wbe\"; it has web (8080), \
             tls (8443), play (7777), health (9000)",
            "serviceQualities[metadata]: httpGet.host \"169.254.169.254\" is not the pod's own address, and others are \
             not asked (the controller's option --probe-hosts); leave it out",
        ] {
            let event = namespace.said("GameServerSet", "game", message).await?;
            assert_eq!(event.reason.as_deref(), Some("ProbeMisconfigured"));
        }
        set.wait_server(0, "they are asked", |server| {
            condition(server, "moved") == Some(("True", "3"))
                && condition(server, "away").is_some_and(|(status, _)| status == "True")
                && condition(server, "slow") == Some(("False", "timed out after 1s"))
        })
        .await?;

        let types = |pod: &k8s_openapi::api::core::v1::Pod| -> Vec<String> {
            let all = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
            let mut types: Vec<String> =
                all.filter_map(|c| c.type_.strip_prefix("game.kruise.io/").map(str::to_owned)).collect();
            types.sort();
            types
        };
        wait::one(&set.pods(), "game-0", "the pod has all conditions", |pod| types(pod) == ["away", "moved", "slow"])
            .await?;
        let left = Manifest::served("game", &qualities[..1])?.object()?.spec.service_qualities;
        set.patch(json!({"spec": {"serviceQualities": left}})).await?;
        wait::one(&set.pods(), "game-0", "the pod has the one that is left", |pod| types(pod) == ["moved"]).await?;
        set.wait_server(0, "so has the server", |server| {
            let conditions = server.status.as_ref().map(|status| &status.service_qualities_conditions);
            conditions.is_some_and(|all| all.iter().map(|c| c.name.as_str()).eq(["moved"]))
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_permanent_quality_fires_once_and_may_set_everything() -> Result<()> {
    in_namespace("permanent", async |namespace| {
        let resources = json!({"limits": {"memory": "64Mi"}});
        let manifest = Manifest::served("game", &[json!({
            "name": "started", "permanent": true, "httpGet": {"port": "web", "path": "/state"},
            "serviceQualityAction": [{
                "state": true, "result": "go", "opsState": "Allocated", "updatePriority": 5,
                "deletionPriority": "{{if eq .Result \"go\"}}9{{end}}", "annotations": {"example.org/said": "{{.Result}}"},
                "containers": [{"name": "game", "resources": resources}],
            }],
        })]);
        let set = Gss::create(namespace, &manifest?).await?;
        set.wait_server(0, "it says 3", |server| condition(server, "started") == Some(("True", "3"))).await?;
        namespace.tell("game-0", "state/200/go").await?;
        let server = set.wait_server(0, "it has begun", |server| ops_state(server) == Some("Allocated")).await?;
        let spec = serde_json::to_value(&server.spec)?;
        assert_eq!((&spec["updatePriority"], &spec["deletionPriority"]), (&json!(5), &json!(9)));
        assert_eq!(spec["containers"], json!([{"name": "game", "resources": resources}]));
        assert_eq!(server.annotations().get("example.org/said").map(String::as_str), Some("go"));

        set.patch_server(0, json!({"opsState": "None"})).await?;
        let mut fired = false;
        for (path, told) in
            [("state/500/no", ("False", "no")), ("state/200/go", ("True", "go")), ("state/200/on", ("True", "on"))]
        {
            namespace.tell("game-0", path).await?;
            set.wait_server(0, path, |server| {
                fired |= ops_state(server) != Some("None");
                condition(server, "started") == Some(told)
            })
            .await?;
        }
        ensure!(!fired, "it fired again");
        Ok(())
    })
    .await
}
