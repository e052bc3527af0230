//! The plan of whole sets: updates.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    fixture::{Cluster, NOW, names_of},
    *,
};

fn rolling(parameters: Value) -> Cluster {
    let mut cluster = Cluster::new(4, "0-3").with(0, "None").with(1, "None").with(2, "None").with(3, "None");
    cluster.set["spec"]["updateStrategy"] = json!({"rollingUpdate": parameters});
    (0..4).for_each(|index| cluster.old(index));
    cluster
}

#[test]
fn an_update_takes_as_many_as_may_be_unavailable_in_order() {
    for (parameters, expected) in [
        (json!({}), vec!["game-3"]),
        (json!({"maxUnavailable": 2}), vec!["game-3", "game-2"]),
        (json!({"maxUnavailable": "75%"}), vec!["game-3", "game-2", "game-1"]),
        (json!({"maxUnavailable": "10%"}), vec!["game-3"]),
        (json!({"maxUnavailable": "100%", "partition": 3}), vec!["game-3"]),
        (json!({"maxUnavailable": "100%", "partition": 9}), vec![]),
        (json!({"paused": true}), vec![]),
        (json!({"podUpdatePolicy": "InPlaceIfPossible"}), vec!["game-3"]),
        (json!({"podUpdatePolicy": "InPlaceIfPossible", "paused": true}), vec![]),
        (json!({"podUpdatePolicy": "InPlaceOnly"}), vec![]),
    ] {
        let plan = rolling(parameters.clone()).plan();
        assert_eq!(names_of(&plan.replace), expected, "{parameters}");
        assert!(plan.replace.iter().all(|r| r.reason == Reason::Update));
        let held_back = parameters["podUpdatePolicy"] == "InPlaceOnly";
        assert_eq!(
            plan.troubles.iter().map(|t| t.kind).collect::<Vec<_>>(),
            vec![trouble::Kind::UpdateHeldBack; held_back.into()]
        );
    }
    let mut on_delete = rolling(json!({"maxUnavailable": "100%"}));
    on_delete.set["spec"]["updateStrategy"]["type"] = json!("OnDelete");
    assert_eq!(on_delete.plan().replace, []);
}

#[test]
fn an_update_goes_by_update_priority_and_waits_for_the_unavailable() {
    let mut cluster = rolling(json!({}));
    cluster.servers[1]["spec"]["updatePriority"] = json!("5");
    assert_eq!(names_of(&cluster.plan().replace), ["game-1"]);

    // One that is being made again uses up the budget ...
    let gone = cluster.pods.remove(1);
    assert_eq!(cluster.plan().replace, []);
    cluster.pods.insert(1, gone);
    cluster.pods[1]["metadata"]["deletionTimestamp"] = json!(NOW);
    assert_eq!(cluster.plan().replace, []);
    // ... but one that is broken already costs nothing.
    cluster.not_ready(2);
    assert_eq!(names_of(&cluster.plan().replace), ["game-2"]);
}

#[test]
fn an_updated_server_counts_when_it_has_been_ready_long_enough() {
    let mut cluster = rolling(json!({"minReadySeconds": 15}));
    for pod in &mut cluster.pods[..3] {
        pod["status"]["conditions"][0]["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
    }
    let plan = cluster.plan();
    assert_eq!(plan.replace, []);
    assert_eq!(plan.requeue_after, Some(Duration::from_secs(5)));
    let status = cluster.ask(status).unwrap();
    assert_eq!((status.ready_replicas, status.available_replicas), (4, 3));
}

#[test]
fn what_scale_down_takes_is_not_updated() {
    let mut cluster = rolling(json!({"maxUnavailable": "100%"}));
    cluster.set["spec"]["replicas"] = json!(2);
    assert_eq!(names_of(&cluster.plan().replace), ["game-1", "game-0"]);
    assert_eq!(names_of(&cluster.leave()), ["game-3", "game-2"]);
}

#[test]
fn a_bound_that_cannot_be_read_is_reported() {
    let mut cluster = rolling(json!({"maxUnavailable": "many"}));
    cluster.set["spec"]["scaleStrategy"] = json!({"maxUnavailable": 0});
    let plan = cluster.plan();
    let fault = "neither a number of 1 or more nor a percentage; write 1 or \"20%\"";
    assert_eq!(
        plan.troubles[0].what,
        format!(
            "spec.scaleStrategy.maxUnavailable: 0: {fault}; spec.updateStrategy.rollingUpdate.maxUnavailable: \"many\": \
             {fault}"
        )
    );
    assert_eq!(names_of(&plan.replace), ["game-3"]);
}
