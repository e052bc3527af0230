//! Updates in place and hooks, step by step.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    world::{World, image_id},
    *,
};
use crate::names;

fn own(image: &str) -> Option<Vec<crate::types::GameServerContainer>> {
    serde_json::from_value(json!([{"name": "main", "image": image}, {"name": "other", "image": "x"}]))
        .unwrap()
}

/// That nothing is left of an update, and the pod is as its template and its GameServer say.
fn assert_done(world: &World, main: &str) {
    assert_eq!(world.image("main"), main);
    assert_eq!(world.runs("main"), image_id(main));
    assert_eq!((world.state(), world.open()), ("Normal", true), "{:#}", world.pod);
    assert_eq!(world.annotated(names::IN_PLACE_UPDATE), None);
    assert_eq!(world.annotated(names::UPDATING_CONTAINERS), None);
    assert_eq!(world.step(), Step::default());
}

#[test]
fn an_image_is_exchanged_when_the_pod_is_out_of_service() {
    let mut world = World::new(json!({}));
    world.grace = Duration::from_secs(20);
    assert_eq!(world.step(), Step::default());
    world.template_image("main", "r.io/main:2");

    world.steps(1);
    assert_eq!(
        (world.state(), world.open(), world.image("main").as_str()),
        ("Updating", true, "r.io/main:1")
    );
    assert_eq!(world.annotated(names::UPDATING_CONTAINERS), Some("main"));
    world.steps(1);
    assert_eq!((world.open(), world.image("main").as_str()), (false, "r.io/main:1"));
    assert_eq!(world.step(), Step { write: None, again: Some(Duration::from_secs(20)) });
    world.pass(20);
    world.steps(1);
    assert_eq!(world.image("main"), "r.io/main:2");
    assert_eq!(
        world.pod["metadata"]["labels"][names::REVISION_HASH],
        Template::of(&world.typed_set()).revision
    );
    assert_eq!(world.step(), Step::default(), "the kubelet has not started it");
    let mut crashed = world.clone();
    world.kubelet();
    world.steps(2);
    assert_done(&world, "r.io/main:2");
    assert_eq!(world.pod["metadata"]["uid"], "uid-0");

    // Its old image crashes once more before the kubelet has seen the new one.
    crashed.crash();
    assert_eq!(crashed.step(), Step { write: None, again: Some(Duration::from_secs(10)) });
    crashed.kubelet();
    crashed.run();
    assert_done(&crashed, "r.io/main:2");
}

#[test]
fn a_second_change_takes_the_place_of_the_first_wherever_that_is() {
    for (what, first, steps, kubelet, second) in [
        ("marked", "r.io/main:2", 1, false, "r.io/main:3"),
        ("out of service", "r.io/main:2", 2, false, "r.io/main:3"),
        ("exchanged", "r.io/main:2", 3, false, "r.io/main:3"),
        ("started", "r.io/main:2", 3, true, "r.io/main:3"),
        ("not to be pulled", "r.io/main:missing", 3, true, "r.io/main:3"),
        ("marked, and back", "r.io/main:2", 1, false, "r.io/main:1"),
        ("out of service, and back", "r.io/main:2", 2, false, "r.io/main:1"),
        ("exchanged, and back", "r.io/main:2", 3, false, "r.io/main:1"),
        ("started, and back", "r.io/main:2", 3, true, "r.io/main:1"),
        ("not to be pulled, and back", "r.io/main:missing", 3, true, "r.io/main:1"),
        ("two names of an image", "r.io/main:same-a", 3, true, "r.io/main:same-b"),
    ] {
        let mut world = World::new(json!({}));
        world.template_image("main", first);
        world.steps(steps);
        if kubelet {
            world.kubelet();
        }
        world.template_image("main", second);
        world.run();
        assert_eq!(world.image("main"), second, "{what}");
        assert_done(&world, second);
    }
}

#[test]
fn an_image_that_cannot_be_pulled_keeps_the_pod_updating() {
    let mut world = World::new(json!({}));
    world.template_image("log", "r.io/log:missing");
    world.run();
    assert_eq!((world.state(), world.open()), ("Updating", false));
    assert_eq!(world.annotated(names::UPDATING_CONTAINERS), Some("log"));
    world.template_image("log", "r.io/log:2");
    world.run();
    assert_done(&world, "r.io/main:1");
}

#[test]
fn sidecars_are_exchanged_too_and_metadata_goes_along_or_alone() {
    let mut world = World::new(json!({}));
    world.template_image("mesh", "r.io/mesh:2");
    world.set["spec"]["gameServerTemplate"]["metadata"]["labels"] = json!({"hook": "on", "new": "x"});
    world.run();
    assert_eq!(world.runs("mesh"), image_id("r.io/mesh:2"));
    assert_done(&world, "r.io/main:1");
    let labels = &world.pod["metadata"]["labels"];
    assert_eq!((&labels["new"], &labels["tier"]), (&json!("x"), &Value::Null));

    // Labels alone restart nothing, so that the pod stays in service.
    world.set["spec"]["gameServerTemplate"]["metadata"]["labels"]["new"] = json!("y");
    world.steps(1);
    assert_done(&world, "r.io/main:1");
    assert_eq!(world.pod["metadata"]["labels"]["new"], "y");
}

#[test]
fn an_image_of_a_servers_own_wins_and_goes_when_it_is_taken_away() {
    let mut world = World::new(json!({}));
    world.rollout = Rollout::Stay;
    world.own = own("r.io/main:own");
    world.steps(1);
    assert_eq!((world.state(), world.annotated(names::UPDATING_CONTAINERS)), ("Updating", Some("main")));
    world.run();
    assert_done(&world, "r.io/main:own");
    // A template whose turn has not come changes nothing, and one whose turn has come leaves it.
    world.template_image("main", "r.io/main:2");
    world.template_image("log", "r.io/log:2");
    world.run();
    assert_done(&world, "r.io/main:own");
    // Back to the template that the pod has, not to the one that it is to get some day.
    let mut back = world.clone();
    back.own = own("");
    back.run();
    assert_done(&back, "r.io/main:1");

    world.rollout = Rollout::Go;
    world.run();
    assert_done(&world, "r.io/main:own");
    assert_eq!(world.runs("log"), image_id("r.io/log:2"));
    // A GameServer that is not known takes nothing away.
    world.own = None;
    world.run();
    assert_done(&world, "r.io/main:own");
    world.own = Some(vec![]);
    world.run();
    assert_done(&world, "r.io/main:2");
    assert_eq!(world.annotated(names::OWN_IMAGES), None);
}

#[test]
fn a_pod_from_before_takes_an_own_image_but_no_other_template() {
    let mut world = World::new(json!({}));
    world.pod["metadata"]["annotations"] = json!({});
    assert_eq!(world.step(), Step::default());
    let pod = world.typed();
    assert_eq!(Template::of(&world.typed_set()).fits(&pod.metadata), Ok(()), "it has this very template");
    world.template_image("main", "r.io/main:2");
    let reason = Template::of(&world.typed_set()).fits(&pod.metadata).unwrap_err();
    assert_eq!(reason, "was made before updates in place were known");
    world.own = own("r.io/main:own");
    world.run();
    assert_done(&world, "r.io/main:own");
}

fn hook(mark: bool) -> Value {
    json!({"inPlaceUpdate": {"labelsHandler": {"hook": "on"}, "markPodNotReady": mark}})
}

#[test]
fn a_hook_holds_an_update_until_it_lets_go_and_is_waited_for_afterwards() {
    for mark in [false, true] {
        let mut world = World::new(hook(mark));
        world.template_image("main", "r.io/main:2");
        world.run();
        assert_eq!(
            (world.state(), world.open(), world.image("main").as_str()),
            ("PreparingUpdate", !mark, "r.io/main:1")
        );
        assert_eq!(world.annotated(names::UPDATING_CONTAINERS), Some("main"));
        // Called off while it is held.
        let mut off = world.clone();
        off.rollout = Rollout::Stay;
        off.run();
        assert_done(&off, "r.io/main:1");
        // Not now: it goes on waiting, whatever the hook says.
        let mut later = world.clone();
        later.rollout = Rollout::Wait;
        later.label("hook", "off");
        later.run();
        assert_eq!(later.state(), "PreparingUpdate");
        // The hook is taken out of the spec.
        let mut without = world.clone();
        without.set["spec"]["lifecycle"] = json!({});
        without.run();
        assert_done(&without, "r.io/main:2");

        world.label("hook", "off");
        world.run();
        assert_eq!(
            (world.state(), world.open(), world.runs("main")),
            ("Updated", true, image_id("r.io/main:2"))
        );
        // Another update comes before the hook is back: it is asked again.
        let mut again = world.clone();
        again.template_image("main", "r.io/main:3");
        again.run();
        assert_eq!(again.state(), "PreparingUpdate");
        assert_eq!(again.pod["metadata"]["labels"]["hook"], "on");
        world.label("hook", "on");
        world.run();
        assert_done(&world, "r.io/main:2");
    }
}

#[test]
fn a_new_pod_is_held_until_it_has_all_that_pre_normal_names() {
    let lifecycle = json!({"preNormal": {"labelsHandler": {"go": "yes"}, "markPodNotReady": true}});
    let mut world = World::new(lifecycle);
    assert_eq!((world.state(), world.open()), ("PreparingNormal", false));
    world.run();
    assert_eq!((world.state(), world.open()), ("PreparingNormal", false));
    // It can be updated meanwhile, and is held as before.
    world.template_image("main", "r.io/main:2");
    world.run();
    assert_eq!(
        (world.state(), world.open(), world.runs("main")),
        ("PreparingNormal", false, image_id("r.io/main:2"))
    );
    world.label("go", "yes");
    world.run();
    assert_done(&world, "r.io/main:2");
}

#[test]
fn a_pod_that_is_to_go_is_only_marked_not_ready_and_one_that_goes_is_left_alone() {
    let mut world =
        World::new(json!({"preDelete": {"labelsHandler": {"hook": "on"}, "markPodNotReady": true}}));
    world.template_image("main", "r.io/main:2");
    let version = world.pod["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let patch = prepare_delete("uid-0", &version, "ScaleDown", world.now);
    assert!(world.apply(&Write::Pod(patch)));
    world.run();
    assert_eq!(
        (world.state(), world.open(), world.image("main").as_str()),
        ("PreparingDelete", false, "r.io/main:1")
    );

    let mut world = World::new(json!({}));
    world.template_image("main", "r.io/main:2");
    world.pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(world.step(), Step::default());
}
