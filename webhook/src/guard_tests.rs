//! Tests of what is guarded, from the bytes of a review to the answer.

use gamewarden_api::admission::{Mode, Settings};
use gamewarden_api::guard::{KeptServer, KeptSet};
use gamewarden_runtime::Metrics;
use serde_json::json;

use super::*;
use crate::app::guarded_rules;

/// The rules with a guard that knows a Strict set `game` of three servers.
struct World {
    guard: Guard,
    known: Known,
    metrics: Metrics,
}

fn set() -> Value {
    json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
        "metadata": {
            "name": "game", "namespace": "games", "uid": "set",
            "annotations": {"gamewarden.dev/protection": "Strict"},
        },
        "spec": {"replicas": 3, "gameServerTemplate": {"spec": {"containers": [{"name": "game", "image": "i"}]}}},
    })
}

fn server(ordinal: u32, state: &str) -> Value {
    json!({
        "metadata": {
            "name": format!("game-{ordinal}"), "namespace": "games", "labels": {"game.kruise.io/owner-gss": "game"},
        },
        "spec": {"opsState": state}, "status": {"currentState": "Ready"},
    })
}

fn pod() -> Value {
    json!({
        "metadata": {
            "name": "game-0", "namespace": "games", "uid": "pod",
            "labels": {"game.kruise.io/owner-gss": "game", "gamewarden.dev/guarded": "true"},
        },
        "status": {"phase": "Running"},
    })
}

impl World {
    fn new(mode: Mode, sees: bool) -> Self {
        let (known, metrics) = (Known::default(), Metrics::new());
        let rules = Rules { mode, exempt: vec!["system:serviceaccount:gw:controller".to_owned()] };
        let guard = Guard::new(rules, known.clone(), metrics.register(GuardMetrics::registered));
        if sees {
            let metadata = |object: &Value| serde_json::from_value(object["metadata"].clone()).unwrap();
            known.fill(|cache| {
                cache.sets.put("games", "game", Some(KeptSet::of(&metadata(&set()), &set())));
                for (ordinal, state) in (0..).zip(["Allocated", "WaitToBeDeleted", "None"]) {
                    let (name, server) = (format!("game-{ordinal}"), server(ordinal, state));
                    cache.servers.put("games", &name, KeptServer::of(&metadata(&server), &server));
                }
            });
        }
        Self { guard, known, metrics }
    }

    fn settings(&self) -> Settings {
        Settings { mode: self.guard.rules.mode, ..Settings::default() }
    }

    /// The response to a request, and what it would be if the body were too long to be read at once.
    fn ask(&self, phase: Phase, request: &Value) -> Value {
        let judge = guarded_rules(self.settings(), Some(self.guard.clone()));
        let response = |body: Vec<u8>| {
            let answer = serde_json::to_value(judge(&body, phase).unwrap()).unwrap();
            answer["response"].clone()
        };
        let mut review =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        review["request"]["uid"] = json!("u-1");
        review["request"]["namespace"] = json!("games");
        let small = response(serde_json::to_vec(&review).unwrap());
        review["padding"] = json!("x".repeat(20_000));
        assert_eq!(response(serde_json::to_vec(&review).unwrap()), small, "a long body is judged alike");
        small
    }

    fn unguarded(&self, resource: &str) -> u64 {
        let text = self.metrics.render().unwrap();
        let name = format!("gamewarden_webhook_unguarded_requests_total{{resource=\"{resource}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    }
}

fn resource(group: &str, resource: &str) -> Value {
    json!({"group": group, "version": "v1", "resource": resource})
}

#[test]
fn deletions_are_refused_with_a_reason_and_a_code() {
    let world = World::new(Mode::Managed, true);
    let okg = "game.kruise.io";
    for (request, begins) in [
        (
            json!({"operation": "DELETE", "name": "game-0", "resource": resource("", "pods"), "object": null, "oldObject": pod()}),
            "game-0 (Allocated) may be in use, and set game is Strict (gamewarden.dev/protection): its pod is not deleted.",
        ),
        (
            json!({"operation": "DELETE", "name": "", "resource": resource(okg, "gameservers"), "oldObject": server(2, "None")}),
            "game-2 (None) may be in use, and set game is Strict (gamewarden.dev/protection): its GameServer is not deleted.",
        ),
        (
            json!({"operation": "DELETE", "name": "game", "resource": resource(okg, "gameserversets"), "oldObject": set()}),
            "game-0 (Allocated), game-2 (None) of set game may be in use, and it is Strict",
        ),
    ] {
        let answer = world.ask(Phase::Validate, &request);
        assert_eq!(answer["allowed"], false, "{answer}");
        assert!(answer["status"]["message"].as_str().unwrap().starts_with(begins), "{answer}");
        assert_eq!(
            (&answer["status"]["reason"], &answer["status"]["code"]),
            (&json!("Forbidden"), &json!(403))
        );
        let mut exempt = request;
        exempt["userInfo"] = json!({"username": "system:serviceaccount:gw:controller"});
        assert_eq!(world.ask(Phase::Validate, &exempt), json!({"uid": "u-1", "allowed": true}));
        exempt["userInfo"] = json!({"username": "system:node:a", "groups": ["system:nodes"]});
        assert_eq!(world.ask(Phase::Validate, &exempt), json!({"uid": "u-1", "allowed": true}));
    }
    let mut orphaned = json!({"operation": "DELETE", "name": "game", "resource": resource(okg, "gameserversets"), "oldObject": set()});
    orphaned["options"] = json!({"kind": "DeleteOptions", "propagationPolicy": "Orphan"});
    assert_eq!(world.ask(Phase::Validate, &orphaned), json!({"uid": "u-1", "allowed": true}));
    let idle = json!({"operation": "DELETE", "name": "game-1", "resource": resource(okg, "gameservers"), "oldObject": server(1, "Kill")});
    assert_eq!(world.ask(Phase::Validate, &idle), json!({"uid": "u-1", "allowed": true}));
}

#[test]
fn evictions_are_refused_as_a_budget_would() {
    let world = World::new(Mode::Managed, true);
    let evict = |name: &str| {
        world.ask(Phase::Validate, &json!({
            "operation": "CREATE", "name": name, "resource": resource("", "pods"), "subResource": "eviction",
            "object": {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": {"dryRun": ["All"]}},
        }))
    };
    let refused = evict("game-0");
    assert_eq!(refused["allowed"], false);
    let status = refused["status"].as_object().unwrap();
    assert_eq!((&status["code"], &status["reason"]), (&json!(429), &json!("TooManyRequests")));
    assert!(status.get("details").is_none(), "no retryAfterSeconds");
    assert_eq!(evict("game-1"), json!({"uid": "u-1", "allowed": true}));
    assert_eq!(evict("other"), json!({"uid": "u-1", "allowed": true}));
}

#[test]
fn a_scale_down_is_told_once_and_in_external_mode_held_back() {
    let scale = |replicas: u32| json!({"kind": "Scale", "metadata": {"name": "game"}, "spec": {"replicas": replicas}});
    let scaled = json!({
        "operation": "UPDATE", "name": "game", "resource": resource("game.kruise.io", "gameserversets"), "subResource": "scale",
        "object": scale(1), "oldObject": scale(3), "dryRun": true,
    });
    let mut edited = json!({
        "operation": "UPDATE", "name": "game", "resource": resource("game.kruise.io", "gameserversets"), "oldObject": set(),
    });
    edited["object"] = set();
    edited["object"]["spec"]["replicas"] = json!(1);
    let told = json!([
        "goes, in this order: game-1 (WaitToBeDeleted)",
        "stays while in use (Strict): game-2 (None)",
        "so there will be 2 servers, not 1, until those are WaitToBeDeleted or Kill",
    ]);
    let world = World::new(Mode::Managed, true);
    assert_eq!(world.ask(Phase::Validate, &scaled), json!({"uid": "u-1", "allowed": true, "warnings": told}));
    assert_eq!(world.ask(Phase::Mutate, &edited), json!({"uid": "u-1", "allowed": true, "warnings": told}));
    assert_eq!(world.ask(Phase::Validate, &edited), json!({"uid": "u-1", "allowed": true}));
    let external = World::new(Mode::External, true);
    for (phase, request) in [(Phase::Validate, &scaled), (Phase::Mutate, &edited), (Phase::Validate, &edited)]
    {
        let refused = external.ask(phase, request);
        let message = refused["status"]["message"].as_str().unwrap();
        assert!(message.starts_with("set game would lose game-2 (None), which may be in use"), "{message}");
    }
    // What is wrong with the object is said before that.
    edited["object"]["spec"]["serviceName"] = json!("a.b");
    assert_eq!(external.ask(Phase::Mutate, &edited)["status"]["reason"], "Invalid");
}

#[test]
fn in_external_mode_kruises_statefulset_is_guarded() {
    let workload = |replicas: u32| {
        json!({
            "metadata": {"name": "game", "namespace": "games", "ownerReferences": [{
                "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet", "name": "game", "uid": "set", "controller": true,
            }]},
            "spec": {"replicas": replicas},
        })
    };
    let of_kruise = resource("apps.kruise.io", "statefulsets");
    let requests = [
        json!({"operation": "UPDATE", "name": "game", "resource": of_kruise, "object": workload(1), "oldObject": workload(3)}),
        json!({
            "operation": "UPDATE", "name": "game", "resource": of_kruise, "subResource": "scale",
            "object": {"spec": {"replicas": 1}}, "oldObject": {"spec": {"replicas": 3}},
        }),
        json!({"operation": "DELETE", "name": "game", "resource": of_kruise, "oldObject": workload(3)}),
    ];
    let external = World::new(Mode::External, true);
    for request in &requests {
        let answer = external.ask(Phase::Validate, request);
        let message = answer["status"]["message"].as_str().unwrap();
        assert!(
            message.starts_with("game-0 (Allocated), game-2 (None) of set game may be in use"),
            "{message}"
        );
        let mut theirs = request.clone();
        theirs["userInfo"] = json!({"username": "system:serviceaccount:gw:controller"});
        for (world, request) in [(&external, &theirs), (&World::new(Mode::Managed, true), request)] {
            assert_eq!(world.ask(Phase::Validate, request), json!({"uid": "u-1", "allowed": true}));
        }
    }
    let blind = World::new(Mode::External, false);
    assert_eq!(blind.ask(Phase::Validate, &requests[1])["allowed"], true);
    assert_eq!(blind.unguarded("statefulsets/scale"), 2, "both of the bodies");
    assert_eq!(blind.ask(Phase::Validate, &requests[2])["status"]["code"], 503);
}

#[test]
fn without_sight_what_is_strict_stays_and_the_rest_is_counted() {
    let world = World::new(Mode::Managed, false);
    let delete = |old: Value| json!({"operation": "DELETE", "name": "game-0", "resource": resource("", "pods"), "oldObject": old});
    let refused = world.ask(Phase::Validate, &delete(pod()));
    assert_eq!(refused["status"]["code"], 503);
    assert!(
        refused["status"]["message"]
            .as_str()
            .unwrap()
            .contains("the webhook has not seen the cluster's game servers yet")
    );
    assert_eq!(world.unguarded("pods"), 0);
    let mut plain = pod();
    plain["metadata"]["labels"].as_object_mut().unwrap().remove("gamewarden.dev/guarded");
    assert_eq!(world.ask(Phase::Validate, &delete(plain.clone()))["allowed"], true);
    assert_eq!(world.unguarded("pods"), 2, "both of the bodies");
    let mut dry = delete(plain);
    dry["dryRun"] = json!(true);
    assert_eq!(world.ask(Phase::Validate, &dry)["allowed"], true);
    assert_eq!(world.unguarded("pods"), 2);
    // It comes into sight.
    world.known.fill(|cache| cache.sets.put("games", "game", Some(KeptSet::default())));
    assert_eq!(world.ask(Phase::Validate, &delete(pod()))["allowed"], true);
}

#[test]
fn what_is_made_and_what_is_somebody_elses_is_not_looked_at() {
    let world = World::new(Mode::Managed, false);
    for request in [
        json!({"operation": "CREATE", "resource": resource("", "pods"), "object": pod()}),
        json!({"operation": "DELETE", "resource": resource("apps", "gameservers"), "oldObject": server(0, "None")}),
        json!({"operation": "UPDATE", "resource": resource("", "pods"), "subResource": "status", "object": pod(), "oldObject": pod()}),
        json!({"operation": "CONNECT", "resource": resource("", "pods"), "subResource": "exec"}),
    ] {
        assert_eq!(world.ask(Phase::Validate, &request), json!({"uid": "u-1", "allowed": true}), "{request}");
    }
}
