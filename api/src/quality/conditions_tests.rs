//! The mirrors of the record.

use serde_json::{Value, json};

use super::*;
use crate::{
    quality::fixture::{World, no, qualities, unknown, yes},
    types::GameServerStatus,
};

fn world() -> World {
    World::new(qualities(
        "[{name: idle, serviceQualityAction: [{state: true, opsState: WaitToBeDeleted}]}, {name: healthy}, {name: load}]",
    ))
}

fn shown(world: &World, remembered: Option<&str>) -> Value {
    let texts = |_: &str| remembered.map(str::to_owned).into_iter().collect();
    let conditions = conditions(&world.qualities, &world.server, &world.pod, &texts);
    serde_json::to_value(conditions).unwrap()
}

/// Types and statuses of the pod's conditions.
fn on_pod(world: &World) -> Vec<(String, &'static str)> {
    let all = pod_conditions(&world.qualities, &world.server, &world.pod, &|_| Vec::new());
    all.into_iter().map(|condition| (condition.type_, condition.status)).collect()
}

#[test]
fn every_quality_has_a_condition_in_the_order_of_the_set() {
    let mut world = world();
    assert_eq!(shown(&world, None), json!([{"name": "idle"}, {"name": "healthy"}, {"name": "load"}]));
    world.say("load", &no("90"));
    world.say("idle", &yes("0"));
    assert_eq!(
        shown(&world, Some("0")),
        json!([
            {"name": "idle", "status": "True", "result": "0", "lastProbeTime": "2027-01-15T08:00:02Z",
             "lastTransitionTime": "2027-01-15T08:00:02Z", "lastActionTransitionTime": "2027-01-15T08:00:02Z"},
            {"name": "healthy"},
            {"name": "load", "status": "False", "lastProbeTime": "2027-01-15T08:00:01Z",
             "lastTransitionTime": "2027-01-15T08:00:01Z"},
        ])
    );
}

#[test]
fn the_condition_of_a_removed_quality_goes() {
    let mut world = world();
    world.say("load", &no("90"));
    world.qualities.retain(|quality| quality.name == "idle");
    assert_eq!(shown(&world, None), json!([{"name": "idle"}]));
    assert_eq!(on_pod(&world), []);
}

#[test]
fn times_move_only_with_what_they_tell() {
    let mut world = world();
    let mut times = |verdict| {
        world.say("idle", &verdict);
        let shown = shown(&world, None);
        let second = |name: &str| shown[0][name].as_str().unwrap().replace("2027-01-15T08:00:0", "");
        (second("lastProbeTime"), second("lastTransitionTime"), second("lastActionTransitionTime"))
    };
    for (verdict, expected) in [
        (yes("a"), ("1Z", "1Z", "1Z")),
        (yes("a"), ("1Z", "1Z", "1Z")),
        (yes("b"), ("3Z", "1Z", "1Z")),
        (unknown("x"), ("4Z", "4Z", "1Z")),
        (unknown("y"), ("4Z", "4Z", "1Z")),
        (yes("b"), ("6Z", "6Z", "1Z")),
        (no("b"), ("7Z", "7Z", "1Z")),
        (yes("b"), ("8Z", "8Z", "8Z")),
    ] {
        let (probe, transition, action) = times(verdict.clone());
        assert_eq!((probe.as_str(), transition.as_str(), action.as_str()), expected, "{verdict:?}");
    }
}

#[test]
fn the_result_is_shown_only_where_it_is_the_one_of_the_record() {
    let mut world = world();
    world.say("idle", &yes("5"));
    for (status, remembered, expected) in [
        (Some("5"), None, Some("5")),
        (Some("5"), Some("6"), Some("5")),
        (Some("4"), Some("5"), Some("5")),
        (Some("4"), Some("6"), None),
        (None, None, None),
        (Some(""), Some(""), None),
    ] {
        let condition = ServiceQualityCondition {
            name: "idle".into(),
            result: status.map(str::to_owned),
            ..ServiceQualityCondition::default()
        };
        world.server.status = Some(GameServerStatus {
            service_qualities_conditions: vec![condition],
            ..GameServerStatus::default()
        });
        let shown = shown(&world, remembered);
        assert_eq!(shown[0]["result"].as_str(), expected, "{status:?} {remembered:?}");
    }
}

#[test]
fn a_name_that_no_condition_can_have_keeps_none_of_the_others_back() {
    let mut world = World::new(qualities("[{name: two words}, {name: ''}, {name: healthy}]"));
    for quality in ["two words", "", "healthy"] {
        world.say(quality, &yes(""));
    }
    assert_eq!(on_pod(&world), [("game.kruise.io/healthy".to_owned(), "True")]);
}

#[test]
fn pods_have_a_condition_for_every_verdict() {
    let mut world = world();
    let shown = on_pod;
    assert_eq!(shown(&world), []);
    world.say("load", &no("90"));
    world.say("idle", &yes("0"));
    world.say("healthy", &unknown("refused"));
    let expected = |idle| {
        [
            ("game.kruise.io/idle".to_owned(), idle),
            ("game.kruise.io/healthy".to_owned(), "Unknown"),
            ("game.kruise.io/load".to_owned(), "False"),
        ]
    };
    assert_eq!(shown(&world), expected("True"));
    world.say("idle", &unknown("refused"));
    assert_eq!(shown(&world), expected("Unknown"));
    // Another pod begins afresh.
    world.pod = "pod-2".into();
    assert_eq!(shown(&world), []);
}
