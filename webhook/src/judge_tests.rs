//! Tests of answers: what the API server gets for what it sends.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::review::decode;

fn set(spec: &Value) -> Value {
    let mut set = json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet", "metadata": {"name": "minecraft"},
        "spec": {
            "replicas": 3,
            "gameServerTemplate": {"spec": {"containers": [{"name": "minecraft", "image": "i"}]}},
        },
    });
    json_patch::merge(&mut set["spec"], spec);
    set
}

/// A review of a set, changed by a merge patch.
fn review(patch: &Value) -> Vec<u8> {
    let mut review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "operation": "CREATE", "name": "minecraft",
            "kind": {"group": "game.kruise.io", "version": "v1alpha1", "kind": "GameServerSet"},
            "resource": {"group": "game.kruise.io", "version": "v1alpha1", "resource": "gameserversets"},
            "object": set(&json!({})),
        },
    });
    json_patch::merge(&mut review["request"], patch);
    serde_json::to_vec(&review).unwrap()
}

fn response(body: &[u8], phase: Phase) -> Value {
    let answer = answer(&decode(body).unwrap(), phase, &Settings::default());
    let mut answer = serde_json::to_value(answer).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    answer["response"].take()
}

fn both(request: &Value) -> [Value; 2] {
    let body = review(request);
    [Phase::Mutate, Phase::Validate].map(|phase| response(&body, phase))
}

#[test]
fn what_is_fine_passes() {
    let allowed = json!({"uid": "u-1", "allowed": true});
    assert_eq!(both(&json!({})), [allowed.clone(), allowed]);
}

#[test]
fn mistakes_are_listed_as_the_api_server_lists_its_own() {
    let object = set(&json!({"replicas": -1, "serviceName": "a.b"}));
    let replicas = "-1 is out of range; write a number from 0 to 1000000";
    let service = "\"a.b\" is no name: it has other characters than lower case letters, digits, and dashes inside; write \
                   one as \"minecraft\"";
    let refused = json!({
        "uid": "u-1", "allowed": false,
        "status": {
            "status": "Failure", "code": 422, "reason": "Invalid",
            "message": format!(
                "GameServerSet.game.kruise.io \"minecraft\" is invalid:\n* spec.serviceName: {service}\n* spec.replicas: {replicas}"
            ),
            "details": {
                "name": "minecraft", "group": "game.kruise.io", "kind": "GameServerSet",
                "causes": [
                    {"reason": "FieldValueInvalid", "field": "spec.serviceName", "message": service},
                    {"reason": "FieldValueInvalid", "field": "spec.replicas", "message": replicas},
                ],
            },
        },
    });
    assert_eq!(both(&json!({"object": object})), [refused.clone(), refused]);
    let [one, _] = both(&json!({"object": set(&json!({"replicas": -1}))}));
    let message = format!("GameServerSet.game.kruise.io \"minecraft\" is invalid: spec.replicas: {replicas}");
    assert_eq!(one["status"]["message"], message);
}

#[test]
fn defaults_and_warnings_come_with_the_mutating_answer() {
    let quality = json!({
        "name": "idle", "containerName": "minecraft", "permanent": true, "initialDelaySeconds": 1, "timeoutSeconds": 1,
        "successThreshold": 1, "failureThreshold": 1, "exec": {"command": ["a"]},
        "serviceQualityAction": [{"state": true, "opsState": "kill"}],
    });
    let [mutated, validated] =
        both(&json!({"object": set(&json!({"network": {}, "serviceQualities": [quality]}))}));
    assert_eq!(validated, json!({"uid": "u-1", "allowed": true}));
    assert_eq!(mutated["patchType"], "JSONPatch");
    let patch = STANDARD.decode(mutated["patch"].as_str().unwrap()).unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    assert_eq!(patch, json!([{"op": "add", "path": "/spec/serviceQualities/0/periodSeconds", "value": 3}]));
    assert_eq!(
        mutated["warnings"],
        json!([
            "spec.serviceQualities[0].serviceQualityAction[0].opsState: \"kill\" is unknown; did you mean \"Kill\"?",
            "spec.network: not carried out in managed mode: servers have the addresses of their pods",
        ])
    );
}

#[test]
fn long_keys_make_no_long_answer() {
    let mut object = set(&json!({}));
    let labels: serde_json::Map<_, _> =
        (0..40).map(|n| (format!("{n}{}", "k".repeat(9_000)), json!(7))).collect();
    object["spec"]["gameServerTemplate"]["metadata"] = json!({"labels": labels});
    let [answer, _] = both(&json!({"object": object, "name": "n".repeat(9_000)}));
    let causes = answer["status"]["details"]["causes"].as_array().unwrap();
    let last = causes.last().unwrap()["message"].as_str().unwrap();
    assert_eq!(last, format!("and {} more mistakes; `webhook check` shows all of them", 81 - causes.len()));
    assert!(causes.len() > 5, "some are told");
    assert!(answer.to_string().len() < 64 * 1024);
}

#[test]
fn a_change_is_refused_for_what_it_breaks() {
    let old = set(&json!({"replicas": -1}));
    let update =
        |object: Value| both(&json!({"operation": "UPDATE", "oldObject": old.clone(), "object": object}));
    let [kept, _] = update(set(&json!({"replicas": -1, "serviceName": "a"})));
    assert_eq!(kept["allowed"], true);
    assert_eq!(
        kept["warnings"],
        json!(["spec.replicas: -1 is out of range; write a number from 0 to 1000000"])
    );
    let [broken, _] = update(set(&json!({"replicas": -1, "serviceName": "a.b"})));
    let causes = broken["status"]["details"]["causes"].as_array().unwrap();
    assert!(matches!(causes.as_slice(), [one] if one["field"] == "spec.serviceName"), "{broken:#}");
}

#[test]
fn servers_have_rules_of_their_own() {
    let server = |spec: Value| {
        let mut spec = spec;
        // The patch takes what is only a set's out.
        for field in ["replicas", "gameServerTemplate"] {
            spec[field] = Value::Null;
        }
        let object = json!({"kind": "GameServer", "metadata": {"name": "minecraft-0"}, "spec": spec});
        let resource = json!({"resource": "gameservers"});
        both(
            &json!({"resource": resource, "kind": {"kind": "GameServer"}, "name": "minecraft-0", "object": object}),
        )
    };
    let [near, _] = server(json!({"opsState": "maintaining"}));
    assert_eq!(
        near["warnings"],
        json!(["spec.opsState: \"maintaining\" is unknown; did you mean \"Maintaining\"?"])
    );
    let [refused, again] = server(json!({"deletionPriority": "high"}));
    assert_eq!(
        refused["status"]["message"],
        "GameServer.game.kruise.io \"minecraft-0\" is invalid: spec.deletionPriority: \"high\" is no whole number; write \
         one, as 10"
    );
    assert_eq!(refused, again);
}

#[test]
fn what_there_is_no_rule_for_passes_unread() {
    let nonsense = json!({"spec": 7});
    for request in [
        json!({"operation": "DELETE", "object": null, "oldObject": nonsense}),
        json!({"operation": "CONNECT", "object": nonsense}),
        json!({"subResource": "scale", "operation": "UPDATE", "object": nonsense, "oldObject": nonsense}),
        json!({"resource": {"group": "", "resource": "pods"}, "object": nonsense}),
        json!({"resource": {"group": "apps"}, "object": nonsense}),
    ] {
        for response in both(&request) {
            assert_eq!(response, json!({"uid": "u-1", "allowed": true}), "{request}");
        }
    }
}

#[test]
fn what_cannot_be_judged_is_refused_with_a_reason() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let body = String::from_utf8(review(&json!({"object": "HERE"}))).unwrap().replace("\"HERE\"", &deep);
    for (body, message) in [
        (review(&json!({"object": null})), "request has no object"),
        (body.into_bytes(), "object cannot be read: recursion limit exceeded at line 1 column 128"),
    ] {
        let refused = response(&body, Phase::Mutate);
        let status = json!({"status": "Failure", "code": 400, "reason": "BadRequest", "message": message});
        assert_eq!(refused, json!({"uid": "u-1", "allowed": false, "status": status}));
    }
}

#[test]
fn an_answer_stays_small_whatever_is_asked() {
    let many: Vec<Value> = (0..2000).map(|n| json!(format!("{n}-x"))).collect();
    let [refused, _] = both(&json!({"object": set(&json!({"reserveGameServerIds": many}))}));
    let causes = refused["status"]["details"]["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 51);
    assert_eq!(causes[50]["message"], "and 1950 more mistakes; `webhook check` shows all of them");
    assert!(refused.to_string().len() < 32_768, "{}", refused.to_string().len());
    let unknown: serde_json::Map<String, Value> = (0..100).map(|n| (format!("x{n}"), json!(n))).collect();
    let [warned, _] = both(&json!({"object": set(&json!({"gameServerTemplate": {"spec": unknown}}))}));
    let warnings = warned["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 21);
    assert_eq!(warnings[20], "and 80 more; `webhook check` shows all of them");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let key = prop_oneof![
            Just("name".to_owned()),
            Just("spec".to_owned()),
            Just("containers".to_owned()),
            ".{0,8}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    /// §5: always an AdmissionReview with the request's uid, whatever else arrives.
    #[test]
    fn the_uid_comes_back(uid in "\\PC{1,64}", object in any_json(), old in any_json(), place in 0_usize..7) {
        let places = [
            "", "/spec", "/spec/serviceQualities", "/spec/gameServerTemplate/spec", "/metadata",
            "/spec/gameServerTemplate/spec/containers/0", "/spec/replicas",
        ];
        let mut whole = set(&json!({"serviceQualities": []}));
        *whole.pointer_mut(places[place]).unwrap() = object;
        let mut body: Value = serde_json::from_slice(&review(&json!({"uid": uid, "operation": "UPDATE"}))).unwrap();
        body["request"]["object"] = whole;
        body["request"]["oldObject"] = old;
        let body = serde_json::to_vec(&body).unwrap();
        for phase in [Phase::Mutate, Phase::Validate] {
            let response = response(&body, phase);
            prop_assert_eq!(&response["uid"], &Value::from(uid.clone()));
            let allowed = response["allowed"].as_bool().unwrap();
            prop_assert_eq!(allowed, response["status"].is_null());
            prop_assert!(allowed || response["patch"].is_null());
        }
    }
}
