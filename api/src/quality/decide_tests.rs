//! Decisions by table: what is written, and when nothing is.

use serde_json::json;

use super::*;
use crate::quality::fixture::{World, no, qualities, unknown, yes};

fn idle() -> World {
    World::new(qualities(
        "[{name: idle, serviceQualityAction: [{state: true, opsState: WaitToBeDeleted}, {state: false, opsState: None}]}]",
    ))
}

fn record(world: &World) -> Value {
    serde_json::from_str(&world.server.metadata.annotations.as_ref().unwrap()[names::VERDICTS]).unwrap()
}

#[test]
fn verdict_and_effect_are_one_write_on_the_object_as_it_was_read() {
    let world = idle();
    let decision = world.decide("idle", &yes("0")).unwrap();
    let text = r#"{"v":1,"pod":"pod-1","wrote":"WaitToBeDeleted","q":{"idle":{"s":true,"h":"5feceb66ffc86f38","fired":true,"ops":"WaitToBeDeleted","t":"2027-01-15T08:00:00Z","p":"2027-01-15T08:00:00Z","a":"2027-01-15T08:00:00Z"}}}"#;
    assert_eq!(
        decision.patch,
        json!({
            "metadata": {"uid": "gs-1", "resourceVersion": "1", "annotations": {"gamewarden.dev/verdicts": text}},
            "spec": {"opsState": "WaitToBeDeleted"},
        })
    );
    assert_eq!(decision.ops_state, Some((OpsState::None, OpsState::WaitToBeDeleted)));
    assert_eq!(decision.notices, []);
}

#[test]
fn only_what_changes_is_written() {
    let mut world = World::new(qualities(
        "[{name: q, serviceQualityAction: [{state: true, opsState: None, updatePriority: 0, deletionPriority: '{{.Result}}',
            networkDisabled: false, labels: {a: x, b: x}, annotations: {c: x, d: '{{.Result}}'},
            containers: [{name: game, image: one}]}]}]",
    ));
    world.patch(&json!({
        "metadata": {"labels": {"a": "x", "b": "y"}, "annotations": {"c": "x"}},
        "spec": {"containers": [{"name": "log", "image": "l"}]},
    }));
    let decision = world.say("q", &yes("5")).unwrap();
    assert_eq!(decision.ops_state, None);
    assert_eq!(decision.patch["metadata"]["labels"], json!({"b": "x"}));
    assert_eq!(decision.patch["metadata"]["annotations"].as_object().unwrap().len(), 2);
    assert_eq!(decision.patch["metadata"]["annotations"]["d"], "5");
    assert_eq!(
        decision.patch["spec"],
        json!({
            "deletionPriority": 5,
            "containers": [{"name": "log", "image": "l"}, {"name": "game", "image": "one"}],
        })
    );
    // Another result: only what depends on it.
    let decision = world.say("q", &yes("6")).unwrap();
    assert_eq!(decision.patch["spec"], json!({"deletionPriority": 6}));
    assert_eq!(decision.patch["metadata"].get("labels"), None);
}

#[test]
fn what_the_record_holds_is_not_written_again() {
    let mut world = idle();
    for (verdict, writes, ops_state) in [
        (unknown("refused"), true, "None"),
        (unknown("timed out"), false, "None"),
        (yes(""), true, "WaitToBeDeleted"),
        (yes(""), false, "WaitToBeDeleted"),
        (yes("0"), true, "WaitToBeDeleted"),
        (unknown("refused"), true, "WaitToBeDeleted"),
        (unknown("refused"), false, "WaitToBeDeleted"),
        (yes("0"), true, "WaitToBeDeleted"),
        (no("0"), true, "None"),
        (no("0"), false, "None"),
    ] {
        assert_eq!(world.say("idle", &verdict).is_some(), writes, "{verdict:?}");
        assert_eq!(world.ops_state(), ops_state, "{verdict:?}");
    }
    let message =
        "ServiceQualityUnknown: quality idle cannot be asked: refused; its last answer stays in force";
    assert_eq!(world.notices, [message, message]);
}

#[test]
fn nothing_is_decided_of_what_is_not_there() {
    let mut world = idle();
    assert_eq!(world.decide("other", &yes("")), None);
    world.server.metadata.resource_version = None;
    assert_eq!(world.decide("idle", &yes("")), None);
}

#[test]
fn a_noisy_result_does_not_undo_what_a_person_set() {
    let mut world = idle();
    world.say("idle", &yes("load 1"));
    world.set_by_hand("None");
    world.say("idle", &yes("load 2"));
    assert_eq!(world.ops_state(), "None", "a change of result alone");
    world.say("idle", &unknown("refused"));
    world.say("idle", &yes("load 2"));
    assert_eq!(world.ops_state(), "None", "the same verdict after a gap");
    world.say("idle", &no(""));
    world.say("idle", &yes(""));
    assert_eq!(world.ops_state(), "WaitToBeDeleted", "a new verdict");
}

#[test]
fn a_person_s_value_that_a_quality_wrote_before_is_still_theirs() {
    let mut world = World::new(qualities(
        "[{name: healthy, serviceQualityAction: [{state: true, opsState: None}, {state: false, opsState: Maintaining}]},
          {name: load, serviceQualityAction: [{state: true, labels: {load: '{{.Result}}'}}]}]",
    ));
    world.say("healthy", &no(""));
    assert_eq!(world.ops_state(), "Maintaining");
    world.set_by_hand("None");
    // A verdict that names no opsState sees the change …
    world.say("load", &yes("5"));
    assert_eq!(world.ops_state(), "None", "it rewrites nothing");
    world.set_by_hand("Maintaining");
    // … so that this Maintaining does not pass for the quality's.
    world.say("healthy", &yes(""));
    assert_eq!(world.ops_state(), "Maintaining");
}

#[test]
fn permanent_fires_once_in_the_life_of_a_pod() {
    let mut world = idle();
    world.qualities[0].permanent = true;
    world.qualities[0].service_quality_action[0].result = Some("ready".into());
    world.say("idle", &yes("starting"));
    assert_eq!(world.ops_state(), "None", "no action matches yet");
    for verdict in [yes("ready"), no(""), yes("ready"), no("")] {
        world.say("idle", &verdict);
        assert_eq!(world.ops_state(), "WaitToBeDeleted", "{verdict:?}");
    }
    world.pod = "pod-2".into();
    world.say("idle", &no(""));
    assert_eq!(world.ops_state(), "None", "another pod");
}

#[test]
fn another_pod_begins_again_and_what_the_old_one_left_is_not_a_person_s() {
    let mut world = World::new(qualities(
        "[{name: healthy, serviceQualityAction: [{state: true, opsState: None}, {state: false, opsState: Maintaining}]}]",
    ));
    world.say("healthy", &no(""));
    world.pod = "pod-2".into();
    assert!(world.decide("healthy", &no("")).is_some(), "its first verdict, although the same");
    world.say("healthy", &yes(""));
    assert_eq!(world.ops_state(), "None");
    assert_eq!(record(&world)["pod"], "pod-2");
}

#[test]
fn qualities_that_are_gone_are_forgotten_at_the_next_write() {
    let mut world = World::new(qualities(
        "[{name: a, serviceQualityAction: [{state: true, opsState: Maintaining}]},
          {name: b, serviceQualityAction: [{state: true, opsState: WaitToBeDeleted}]}]",
    ));
    world.say("a", &yes(""));
    world.qualities.remove(0);
    assert_eq!(world.ops_state(), "Maintaining", "editing the set fires nothing");
    world.say("b", &yes(""));
    assert_eq!(world.ops_state(), "WaitToBeDeleted");
    assert_eq!(record(&world)["q"].as_object().unwrap().keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn editing_an_action_fires_nothing() {
    let mut world = idle();
    world.say("idle", &yes(""));
    world.qualities[0].service_quality_action[0].ops_state = Some(OpsState::Kill);
    assert_eq!(world.decide("idle", &yes("")), None);
}

#[test]
fn an_annotation_that_cannot_be_read_counts_as_empty() {
    for (text, held) in [
        ("", 0),
        ("hello", 0),
        (r#"{"pod":"pod-1","q":{"idle":{"s":"yes"}}}"#, 0),
        ("{}", 0),
        // Of a newer build: what is known is read.
        (r#"{"v":9,"pod":"pod-1","new":1,"q":{"idle":{"s":true,"new":{}}}}"#, 1),
    ] {
        let mut world = idle();
        world.patch(&json!({"metadata": {"annotations": {names::VERDICTS: text}}}));
        let record = Record::of(&world.server, &world.pod);
        assert_eq!(record.qualities.len(), held, "{text}");
        assert!(world.say("idle", &yes("0")).is_some(), "{text}");
        assert_eq!(Record::of(&world.server, &world.pod).qualities.len(), 1, "{text}");
    }
}

#[test]
fn annotations_never_outgrow_what_an_object_may_hold() {
    let entries: Vec<String> = (0..20).map(|i| format!("a{i:02}: '{}'", "{{.Result}}".repeat(15))).collect();
    let mut world = World::new(qualities(&format!(
        "[{{name: q, serviceQualityAction: [{{state: true, annotations: {{{}}}, labels: {{x: y}}}}]}}]",
        entries.join(", ")
    )));
    let decision = world.say("q", &yes(&"x".repeat(1024))).unwrap();
    let annotations = world.server.metadata.annotations.unwrap();
    assert_eq!(annotations.len(), 13, "the first 12, and the record");
    assert_eq!(decision.notices.len(), 8);
    assert_eq!(
        decision.notices[0].message,
        "annotation \"a12\": the server's annotations would be too large; it is skipped"
    );
    assert_eq!(world.server.metadata.labels.unwrap()["x"], "y");
}
