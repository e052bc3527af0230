//! What the API server refuses by itself, and in which words (docs/validation.md).

use anyhow::{Result, ensure};
use gamewarden_api::{
    GameServer,
    admission::{Settings, Severity, check_set},
};
use gamewarden_tests::{
    in_namespace,
    untyped::{refusal, says, smallest},
};
use kube::{Api, api::ApiResource};
use serde_json::{Value, json};

/// Each of these patches of the smallest set is refused by the API server in these words, and by the webhook, which is
/// asked first and lists all that is wrong.
async fn refused(test: &str, table: Vec<(Value, String)>) -> Result<()> {
    in_namespace(test, async |namespace| {
        let (asked, alone) = (namespace.untyped_sets(), namespace.past_the_webhook().await?.untyped_sets());
        let mut wrong = Vec::new();
        for (patch, words) in table {
            let set = smallest(patch.clone());
            match refusal(&alone, &set).await? {
                Some(said) if says(&said, &words) => {}
                said => wrong.push(format!("{patch}\n  wanted: {words}\n  said:   {said:?}")),
            }
            let found = check_set(&set, &Settings::default());
            let mistakes: Vec<String> = found
                .iter()
                .filter(|finding| finding.severity == Severity::Error)
                .map(ToString::to_string)
                .collect();
            let said = refusal(&asked, &set).await?.unwrap_or_default();
            // A container without an image is another mistake than the one that the row is about.
            let of_row = mistakes.iter().any(|mistake| !mistake.contains(".image: missing"));
            if !of_row || !mistakes.iter().all(|mistake| said.contains(mistake)) {
                wrong.push(format!("{patch}\n  of the webhook wanted: {mistakes:#?}\n  said: {said}"));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
    .await
}

fn spec(spec: Value) -> Value {
    json!({"spec": spec})
}

/// One quality, of this shape.
fn quality(quality: Value) -> Value {
    spec(json!({"serviceQualities": [quality]}))
}

/// One quality that runs a command and does this.
fn action(action: Value) -> Value {
    quality(json!({"name": "idle", "exec": {"command": ["true"]}, "serviceQualityAction": [action]}))
}

fn pod(spec: Value) -> Value {
    json!({"spec": {"gameServerTemplate": {"spec": spec}}})
}

#[tokio::test]
async fn names_that_no_server_could_bear() -> Result<()> {
    let long = "a".repeat(53);
    let table = [
        (
            json!({"metadata": {"name": "a.b"}}),
            "metadata.name a.b: has a dot, and its servers' names are host names",
        ),
        (
            json!({"metadata": {"name": long}}),
            "metadata.name: 53 characters; its servers are named <name>-<ordinal>, which must fit into 63: write at \
             most 52 (47 in generateName)",
        ),
        (json!({"metadata": {"name": null, "generateName": "a".repeat(48)}}), "metadata.name: 53 characters"),
        (
            spec(json!({"serviceName": "a.b"})),
            "spec.serviceName: Invalid value: \"a.b\": serviceName a.b: no name of",
        ),
        (
            spec(json!({"serviceName": "a".repeat(64)})),
            "spec.serviceName: Too long: may not be more than 63 bytes",
        ),
        (
            json!({"spec": {"gameServerTemplate": {"metadata": {"labels": {"game.kruise.io/owner-gss": "other"}}}}}),
            "spec.gameServerTemplate.metadata.labels: Invalid value: label game.kruise.io/owner-gss is other, the name \
             of another set",
        ),
    ];
    refused("names", table.map(|(patch, words)| (patch, words.into())).into()).await
}

#[tokio::test]
async fn qualities_that_ask_nothing_or_the_wrong_thing() -> Result<()> {
    let port = "in body should match '^([0-9]+-)*[0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$'";
    let empty = "spec.serviceQualities[0].exec: Invalid value: command: empty, there is nothing to run; write the \
                 program and its arguments, as [\"bash\", \"./idle.sh\"]";
    let mut table = vec![
        (quality(json!({"exec": {"command": ["true"]}})), "spec.serviceQualities[0].name: Required value".to_owned()),
        (
            quality(json!({"name": "a b", "exec": {"command": ["true"]}})),
            "spec.serviceQualities[0].name: Invalid value: \"a b\"".into(),
        ),
        (
            spec(json!({"serviceQualities": [
                {"name": "a", "exec": {"command": ["true"]}}, {"name": "a", "exec": {"command": ["true"]}},
            ]})),
            "spec.serviceQualities[1]: Duplicate value: {\"name\":\"a\"}".into(),
        ),
        (
            quality(json!({"name": "idle"})),
            "spec.serviceQualities[0]: Invalid value: quality idle: no probe; write one of exec, httpGet, tcpSocket, \
             grpc"
                .into(),
        ),
        (
            quality(json!({"name": "idle", "httpGet": {"port": 80}, "grpc": {"port": 81}})),
            "spec.serviceQualities[0]: Invalid value: quality idle: several probes, where one is due: httpGet grpc; \
             leave one"
                .into(),
        ),
        (quality(json!({"name": "idle", "exec": {}})), empty.into()),
        (quality(json!({"name": "idle", "exec": {"command": []}})), empty.into()),
        (quality(json!({"name": "idle", "exec": {"command": [""]}})), empty.into()),
        (
            quality(json!({"name": "idle", "httpGet": {"port": 80, "scheme": "http"}})),
            "spec.serviceQualities[0].httpGet.scheme: Unsupported value: \"http\": supported values: \"HTTP\", \
             \"HTTPS\""
                .into(),
        ),
        (
            quality(json!({"name": "idle", "grpc": {"port": "health"}})),
            "spec.serviceQualities[0].grpc.port: Invalid value: \"string\"".into(),
        ),
    ];
    for handler in ["httpGet", "tcpSocket", "grpc"] {
        let path = format!("spec.serviceQualities[0].{handler}.port");
        for (number, words) in [(0, "greater than or equal to 1"), (65_536, "less than or equal to 65535")] {
            table.push((
                quality(json!({"name": "idle", (handler): {"port": number}})),
                format!("{path}: Invalid value: {number}: {path} in body should be {words}"),
            ));
        }
    }
    for handler in ["httpGet", "tcpSocket"] {
        let path = format!("spec.serviceQualities[0].{handler}.port");
        for name in ["8080", "a--b", "-a", "a-", "HTTP", "a_b"] {
            table.push((
                quality(json!({"name": "idle", (handler): {"port": name}})),
                format!("{path}: Invalid value: {name:?}: {path} {port}"),
            ));
        }
        let long = quality(json!({"name": "idle", (handler): {"port": "abcdefghijklmnop"}}));
        table.push((long, format!("{path}: Too long: may not be more than 15 bytes")));
    }
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        table.push((
            quality(json!({"name": "idle", "exec": {"command": ["true"]}, (field): -1})),
            format!("spec.serviceQualities[0].{field}: Invalid value: -1"),
        ));
    }
    refused("qualities", table).await
}

#[tokio::test]
async fn containers_that_the_template_does_not_have() -> Result<()> {
    let several = json!({
        "containers": [{"name": "main"}, {"name": "side"}],
        "initContainers": [{"name": "fetch"}, {"name": "mesh", "restartPolicy": "Always"}],
    });
    let of = |container: Value, pod: &Value, annotations: Value| {
        json!({"spec": {
            "serviceQualities": [{"name": "idle", "containerName": container, "exec": {"command": ["true"]}}],
            "gameServerTemplate": {"spec": pod, "metadata": {"annotations": annotations}},
        }})
    };
    let one = json!({});
    let injected = json!({"gamewarden.dev/injected-containers": "istio-proxy"});
    let missing = "spec.serviceQualities: Invalid value: containerName: missing in quality [\"idle\"], and the template \
                   has several containers; write one of [\"main\", \"side\", \"mesh\"]";
    let none = |name: &str, choices: &str| {
        format!(
            "spec.serviceQualities: Invalid value: containerName: the template has no such container: [\"{name} of \
             quality idle\"]; write one of {choices}. One that others inject: name it in the template's annotation \
             gamewarden.dev/injected-containers"
        )
    };
    let all = "[\"main\", \"side\", \"mesh\"]";
    let table = vec![
        (of(json!("mian"), &one, json!({})), none("mian", "[\"main\"]")),
        (of(json!("fetch"), &several, json!({})), none("fetch", all)),
        (of(json!("istio"), &several, injected), none("istio", all)),
        (of(json!(null), &several, json!({})), missing.into()),
        (of(json!(""), &several, json!({})), missing.into()),
    ];
    refused("containers", table).await
}

#[tokio::test]
async fn actions_on_reserved_keys() -> Result<()> {
    let mut table = Vec::new();
    for field in ["labels", "annotations"] {
        for key in ["game.kruise.io/gs-opsState", "gamewarden.dev/verdicts"] {
            table.push((
                action(json!({"state": true, (field): {"mine": "1", (key): "1"}})),
                format!(
                    "spec.serviceQualities[0].serviceQualityAction[0].{field}: Invalid value: {field}: keys of \
                     game.kruise.io/ and gamewarden.dev/ are written by Gamewarden itself"
                ),
            ));
        }
    }
    table.push((
        action(json!({"opsState": "None"})),
        "spec.serviceQualities[0].serviceQualityAction[0].state: Required value".into(),
    ));
    table.push((
        action(json!({"state": true, "containers": [{"name": ""}]})),
        "serviceQualityAction[0].containers[0].name: Invalid value: \"\"".into(),
    ));
    refused("actions", table).await
}

#[tokio::test]
async fn pods_that_cannot_be_game_servers() -> Result<()> {
    let container = "spec.gameServerTemplate.spec.containers";
    let table = [
        (spec(json!({"gameServerTemplate": null})), "spec.gameServerTemplate: Required value".to_owned()),
        (spec(json!({"gameServerTemplate": {"spec": null}})), format!("{container}: Invalid value: containers: none")),
        (pod(json!({"containers": null})), format!("{container}: Invalid value: containers: none; write at least one")),
        (pod(json!({"containers": []})), format!("{container}: Invalid value: containers: none; write at least one")),
        (pod(json!({"containers": [{"image": "x"}]})), format!("{container}[0].name: Required value")),
        (pod(json!({"containers": [{"name": "A_b"}]})), format!("{container}[0].name: Invalid value: \"A_b\"")),
        (
            pod(json!({"containers": [{"name": "a"}, {"name": "a"}]})),
            format!("{container}: Invalid value: containers: named more than once in [\"a\", \"a\"]"),
        ),
        (
            pod(json!({"initContainers": [{"name": "main"}]})),
            format!("{container}: Invalid value: containers: named more than once in [\"main\", \"main\"]"),
        ),
        (
            pod(json!({"restartPolicy": "Never"})),
            "spec.gameServerTemplate.spec.restartPolicy: Invalid value: \"Never\": restartPolicy Never: a game server \
             runs until its set removes it; write Always, or leave it out"
                .into(),
        ),
        (
            pod(json!({"activeDeadlineSeconds": 60})),
            "spec.gameServerTemplate.spec.activeDeadlineSeconds: Invalid value: 60: activeDeadlineSeconds 60: it would \
             end the game server whoever plays on it; leave it out"
                .into(),
        ),
        (
            json!({"spec": {"gameServerTemplate": {"volumeClaimTemplates": [{"metadata": {}}]}}}),
            "spec.gameServerTemplate.volumeClaimTemplates[0].metadata.name: Required value".into(),
        ),
        (
            json!({"spec": {"gameServerTemplate": {"reclaimPolicy": "Never"}}}),
            "spec.gameServerTemplate.reclaimPolicy: Unsupported value: \"Never\"".into(),
        ),
    ];
    refused("pods", table.into()).await
}

#[tokio::test]
async fn numbers_that_let_nothing_happen() -> Result<()> {
    let mut table = Vec::new();
    for (value, shown) in [
        (json!(0), "0: maxUnavailable 0:"),
        (json!(-1), "-1: maxUnavailable -1:"),
        (json!("0%"), "\"0%\": maxUnavailable 0%:"),
        (json!("101%"), "\"101%\": maxUnavailable 101%:"),
        (json!("50"), "\"50\": maxUnavailable 50:"),
        (json!("half"), "\"half\": maxUnavailable half:"),
    ] {
        let words = "neither a number from 1 nor a percentage from 1% to 100%; write 1 or \"20%\"";
        for (path, patch) in [
            (
                "updateStrategy.rollingUpdate",
                json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": value}}}),
            ),
            ("scaleStrategy", json!({"scaleStrategy": {"maxUnavailable": value}})),
        ] {
            table.push((spec(patch), format!("spec.{path}.maxUnavailable: Invalid value: {shown} {words}")));
        }
    }
    let rolling =
        |field: &str, value: i64| spec(json!({"updateStrategy": {"rollingUpdate": {(field): value}}}));
    let path = "spec.updateStrategy.rollingUpdate";
    table.extend([
        (spec(json!({"replicas": -1})), "spec.replicas: Invalid value: -1".to_owned()),
        (rolling("partition", -1), format!("{path}.partition: Invalid value: -1")),
        (rolling("minReadySeconds", 301), format!("{path}.minReadySeconds: Invalid value: 301")),
        (
            spec(json!({"updateStrategy": {"rollingUpdate": {"inPlaceUpdateStrategy": {"gracePeriodSeconds": -1}}}})),
            format!("{path}.inPlaceUpdateStrategy.gracePeriodSeconds: Invalid value: -1"),
        ),
        (spec(json!({"updateStrategy": {"type": "Never"}})), "spec.updateStrategy.type: Unsupported value".into()),
        (
            spec(json!({"scaleStrategy": {"scaleDownStrategyType": "Any"}})),
            "spec.scaleStrategy.scaleDownStrategyType: Unsupported value: \"Any\"".into(),
        ),
    ]);
    for (entry, shown) in [
        (json!(-1), "-1"),
        (json!("-3"), "\"-3\""),
        (json!("a"), "\"a\""),
        (json!("1,2"), "\"1,2\""),
        (json!(""), "\"\""),
        (json!("1-2-3"), "\"1-2-3\""),
    ] {
        table.push((
            spec(json!({"reserveGameServerIds": [1, entry]})),
            format!("spec.reserveGameServerIds[1]: Invalid value: {shown}: spec.reserveGameServerIds[1] in body should"),
        ));
    }
    refused("numbers", table).await
}

#[tokio::test]
async fn game_servers_with_containers_that_mean_nothing() -> Result<()> {
    in_namespace("servers", async |namespace| {
        let kind = ApiResource::erase::<GameServer>(&());
        let alone = namespace.past_the_webhook().await?;
        let api = Api::namespaced_with(alone.client, &namespace.name, &kind);
        let server = |containers: Value| {
            json!({
                "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer", "metadata": {"name": "game-0"},
                "spec": {"opsState": "in the lobby", "deletionPriority": "5", "containers": containers},
            })
        };
        for (containers, words) in [
            (json!([{"image": "x"}]), "spec.containers[0].name: Required value"),
            (json!([{"name": ""}]), "spec.containers[0].name: Invalid value: \"\""),
            (
                json!([{"name": "a"}, {"name": "b"}, {"name": "a"}]),
                "spec.containers: Invalid value: containers: named more than once in [\"a\", \"b\", \"a\"]; write each \
                 container once",
            ),
        ] {
            let said = refusal(&api, &server(containers)).await?.unwrap_or_default();
            ensure!(says(&said, words), "wanted {words}\nsaid {said}");
        }
        // An opsState is free: one that cannot stand in the pod's label, too.
        let said = refusal(&api, &server(json!([{"name": "a"}, {"name": "b"}]))).await?;
        ensure!(said.is_none(), "{said:?}");
        Ok(())
    })
    .await
}
