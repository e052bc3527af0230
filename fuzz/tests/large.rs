//! Bodies as large as they may be, made to take long: what libFuzzer, whose inputs are small, does not come to.

// Helpers are not #[test] functions, which is all that clippy.toml excepts.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use gamewarden_api::admission::Settings;
use serde_json::{Value, json};
use webhook::{
    app::{MAX_BODY, rules},
    judge::Phase,
};

/// The API server waits for ten seconds by default. Tests are built without optimisation, which takes ten times as long,
/// and run beside others; what was found here took minutes.
const LONGEST: Duration = Duration::from_secs(30);
/// As in the targets.
const LARGEST: usize = 256 * 1024;

/// Judges a set that is made, and one that is changed and was as bad before.
fn in_time(what: &str, set: &Value) {
    let body = |operation: &str, old: &Value| {
        let body = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u", "operation": operation, "object": set, "oldObject": old,
                "resource": {"group": "game.kruise.io", "resource": "gameserversets"},
            },
        });
        serde_json::to_vec(&body).unwrap()
    };
    let mut old = set.clone();
    old["spec"]["serviceName"] = json!("before");
    for body in [body("CREATE", &Value::Null), body("UPDATE", &old)] {
        assert!(body.len() <= MAX_BODY, "{what}: {} bytes", body.len());
        for phase in [Phase::Mutate, Phase::Validate] {
            let began = Instant::now();
            let answer = rules(Settings::default())(&body, phase).unwrap();
            let size = serde_json::to_vec(&answer).unwrap().len();
            let took = began.elapsed();
            eprintln!("{what}: {} bytes, {phase:?}: {took:?}, {size} bytes of answer", body.len());
            assert!(took < LONGEST, "{what}, {phase:?}: {took:?}");
            assert!(size < LARGEST, "{what}, {phase:?}: {size} bytes of answer");
        }
    }
}

/// A set with one container, and more.
fn set(qualities: &Value, template: &Value) -> Value {
    let mut set = json!({
        "metadata": {"name": "a"},
        "spec": {
            "replicas": 1, "serviceQualities": qualities,
            "gameServerTemplate": {"spec": {"containers": [{"name": "a", "image": "i"}]}},
        },
    });
    json_patch::merge(&mut set["spec"]["gameServerTemplate"], template);
    set
}

fn named(count: usize, name: impl Fn(usize) -> String) -> Vec<Value> {
    (0..count).map(|n| json!({"name": name(n)})).collect()
}

fn map(count: usize, key: impl Fn(usize) -> String, value: &Value) -> Value {
    (0..count).map(|n| (key(n), value.clone())).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn actions_that_contradict_each_other_with_a_long_result() {
    let result = "x".repeat(1_000_000);
    let action = |value: &str| {
        let labels = map(10_000, |n| format!("k{n}"), &json!(value));
        json!({"state": true, "result": result, "annotations": labels})
    };
    let quality = |other: &str| {
        json!([{"name": "q", "exec": {"command": ["a"]}, "permanent": true,
                "serviceQualityAction": [action("a"), action(other)]}])
    };
    in_time("contradictions", &set(&quality("b"), &json!({})));
    in_time("the same twice", &set(&quality("a"), &json!({})));
}

#[test]
fn mounts_of_volumes_that_are_not_there() {
    let mounts = |count: usize, volumes: Vec<Value>| {
        let mounts = named(count, |n| format!("{}{n}", "mount".repeat(11)));
        let container = json!({"name": "a", "image": "i", "volumeMounts": mounts});
        set(&json!([]), &json!({"spec": {"containers": [container], "volumes": volumes}}))
    };
    in_time("mounts", &mounts(10_000, named(128, |n| format!("{}{n}", "volume".repeat(10)))));
    in_time("long volumes", &mounts(1_000, named(16, |n| format!("{n}{}", "v".repeat(200_000)))));
}

#[test]
fn fields_that_nobody_knows() {
    let unknown = map(20_000, |n| format!("{}{n}", "unknown".repeat(8)), &json!(1));
    let containers = json!([{"name": "a", "image": "i"}]);
    in_time(
        "unknown fields",
        &set(&json!([]), &json!({"spec": {"x": 1, "securityContext": unknown.clone()}})),
    );
    let mut spec = unknown;
    spec["containers"] = containers;
    in_time("unknown fields of the pod", &set(&json!([]), &json!({"spec": spec})));
}

#[test]
fn qualities_and_reserved_ids_without_end() {
    in_time("empty qualities", &set(&json!(vec![json!({}); 20_000]), &json!({})));
    let long = "n".repeat(1_000_000);
    let template = json!({"spec": {"containers": [{"name": long, "image": "i"}]}});
    let qualities = named(60, |n| format!("q{n}"));
    in_time("a long name of the only container", &set(&json!(qualities), &template));
    let others: Vec<Value> =
        (0..60).map(|n| json!({"name": format!("q{n}"), "containerName": "b", "exec": {}})).collect();
    let containers: Vec<Value> =
        (0..16).map(|n| json!({"name": format!("{n}{}", "n".repeat(100_000))})).collect();
    in_time("long names of containers", &set(&json!(others), &json!({"spec": {"containers": containers}})));
    let mut reserved = set(&json!([]), &json!({}));
    reserved["spec"]["reserveGameServerIds"] = (0..50_000).rev().map(|n| json!(2 * n)).collect();
    in_time("reserved ids", &reserved);
    reserved["spec"]["reserveGameServerIds"] = json!(vec!["x-"; 50_000]);
    in_time("bad reserved ids", &reserved);
}

#[test]
fn keys_that_are_long_and_nearly_the_same() {
    for (what, key) in [("long keys", "k"), ("keys of digits", "1")] {
        let labels = map(900, |n| format!("{}{n}", key.repeat(3_500)), &json!(7));
        in_time(what, &set(&json!([]), &json!({"metadata": {"labels": labels}})));
    }
    let template = format!("{{{{{}", "x".repeat(4_000));
    let labels = map(900, |n| format!("k{n}"), &json!(template));
    let action = json!({"state": true, "labels": labels});
    let quality =
        json!({"name": "q", "exec": {"command": ["a"]}, "permanent": true, "serviceQualityAction": [action]});
    in_time("templates that do not parse", &set(&json!([quality]), &json!({})));
    let command = "a ".repeat(1_500_000);
    let quality = json!({"name": "q", "exec": {"command": command}, "permanent": true});
    in_time("a command that is text", &set(&json!([quality]), &json!({})));
}
