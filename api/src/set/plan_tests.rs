//! The plan of whole sets: scale-down, lost pods, GameServers, conflicts.

use std::time::Duration;

use serde_json::json;

use super::{
    fixture::{Cluster, NOW, gs_names, messages, names_of, owner},
    *,
};
use crate::{event::EventType, names};

#[test]
fn a_new_set_writes_its_ordinals_and_says_nothing() {
    let mut cluster = Cluster::new(3, "");
    cluster.set["metadata"]["annotations"] = json!({});
    let plan = cluster.plan();
    assert_eq!(
        plan.set_patch,
        Some(json!({"metadata": {"resourceVersion": "7", "annotations": {names::ORDINALS: "0-2"}}}))
    );
    assert_eq!(plan.create, [0, 1, 2]);
    assert_eq!(plan.events, []);
}

#[test]
fn a_set_in_order_plans_nothing() {
    let cluster = Cluster::new(2, "0,1").with(0, "None").with(1, "None");
    assert_eq!(cluster.plan(), Plan::default());
}

#[test]
fn a_shrink_is_recorded_told_and_carried_out_in_order() {
    let mut cluster =
        Cluster::new(1, "0-2").with(0, "WaitToBeDeleted").with(1, "None").with(2, "WaitToBeDeleted");
    let plan = cluster.plan();
    assert_eq!(
        plan.set_patch,
        Some(json!({"metadata": {"resourceVersion": "7", "annotations": {names::ORDINALS: "1"}}}))
    );
    assert_eq!(messages(&plan), ["scale from 3 to 1"]);
    assert_eq!(
        (plan.events[0].type_, plan.events[0].reason.as_str()),
        (EventType::Normal, names::reason::SCALE)
    );

    // The write is done, the removals are not: they are planned again, the event is not.
    cluster.set["metadata"]["annotations"][names::ORDINALS] = json!("1");
    let plan = cluster.plan();
    assert_eq!((plan.set_patch, plan.events), (None, vec![]));
    let gone = cluster.leave();
    assert_eq!(names_of(&gone), ["game-2", "game-0"]);
    assert_eq!(
        (gone[0].uid.as_str(), gone[0].reason, gone[0].hooked),
        ("pod-uid-2", Reason::ScaleDown, false)
    );
    assert!(gone[0].claim.is_some());
    // The DELETEs are sent, the watch does not show them yet.
    assert_eq!(cluster.plan(), Plan::default());
}

#[test]
fn a_kill_lowers_replicas_and_reserve_ids_are_one_write() {
    let mut cluster = Cluster::new(3, "0-2").with(0, "None").with(1, "Kill").with(2, "None");
    cluster.set["spec"]["scaleStrategy"] = json!({"scaleDownStrategyType": "ReserveIds"});
    cluster.set["spec"]["reserveGameServerIds"] = json!(["9-7", "5-6"]);
    // Claimed, but not yet committed: all of it may still be otherwise.
    let plan = cluster.plan();
    assert_eq!(
        plan.set_patch,
        Some(json!({"metadata": {"resourceVersion": "7", "annotations": {names::RESERVE_IDS: "5,6"}}}))
    );
    cluster.turn(&plan.removals);
    cluster.turn(&cluster.plan().removals);
    let plan = cluster.plan();
    assert_eq!(
        plan.set_patch,
        Some(json!({
            "metadata": {
                "resourceVersion": "7",
                "annotations": {names::ORDINALS: "0,2", names::RESERVE_IDS: "1,5,6", names::LOWERED: "1"},
            },
            "spec": {"replicas": 2, "reserveGameServerIds": ["9-7", "5-6", 1]},
        }))
    );
    assert_eq!(plan.removals.delete[0].reason, Reason::Kill);
    assert_eq!(messages(&plan), ["scale from 3 to 2"]);
    assert_eq!(
        plan.troubles[0].message(),
        "spec.reserveGameServerIds[0]: \"9-7\": the range ends before it starts; write \"7-9\"; what is wrong there \
         is left out of account until it is corrected"
    );
}

#[test]
fn a_set_that_is_being_deleted_plans_nothing() {
    let mut cluster = Cluster::new(0, "0").with(0, "None");
    cluster.set["metadata"]["deletionTimestamp"] = json!(NOW);
    assert_eq!(cluster.plan(), Plan::default());
}

#[test]
fn a_lost_pod_is_made_again_but_not_at_once_when_it_is_young() {
    let mut cluster = Cluster::new(2, "0,4").with(0, "None").with(4, "Allocated");
    cluster.pods[1]["status"]["phase"] = json!("Failed");
    let plan = cluster.plan();
    assert_eq!(names_of(&plan.replace), ["game-4"]);
    assert_eq!(plan.replace[0].reason, Reason::Lost);
    assert_eq!((plan.create, plan.set_patch), (vec![], None));

    cluster.pods[1]["metadata"]["creationTimestamp"] = json!("2026-01-01T00:59:57Z");
    let plan = cluster.plan();
    assert_eq!(plan.replace, []);
    assert_eq!(plan.requeue_after, Some(Duration::from_secs(7)));

    cluster.pods.remove(1);
    assert_eq!(cluster.plan().create, [4]);
}

#[test]
fn what_an_earlier_server_of_the_name_said_does_not_count() {
    let mut cluster = Cluster::new(1, "0,1").with(0, "None").with(1, "Maintaining");
    cluster.servers[1]["metadata"]["ownerReferences"][0]["uid"] = json!("an-earlier-pod");
    let plan = cluster.plan();
    assert_eq!(names_of(&plan.removals.delete), ["game-1"]);
    assert_eq!(plan.removals.delete[0].claim, None);
    assert_eq!(gs_names(&plan.gs_delete), ["game-1"]);
    assert_eq!(cluster.ask(status).unwrap().maintaining_replicas, 0);

    // Younger than the pod that we see: its own pod may not be in sight yet.
    cluster.servers[1]["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:01Z");
    assert_eq!(cluster.plan().gs_delete, []);
}

#[test]
fn a_server_that_outlives_its_pod_goes_when_the_set_shrinks() {
    let mut cluster = Cluster::new(1, "0,1").with(0, "None").with(1, "None").outliving();
    // It is marked when its removal is decided, and before its pod goes.
    let plan = cluster.plan();
    assert_eq!(plan.gs_mark_deleting, []);
    cluster.turn(&plan.removals);
    cluster.turn(&cluster.plan().removals);
    cluster.set["metadata"]["annotations"][names::ORDINALS] = json!("0");
    let plan = cluster.plan();
    assert_eq!(gs_names(&plan.gs_mark_deleting), ["game-1"]);
    assert_eq!((names_of(&plan.removals.delete), plan.gs_delete), (vec!["game-1"], vec![]));
    cluster.servers[1]["metadata"]["labels"][names::GS_DELETING] = json!("true");
    assert_eq!(cluster.plan().gs_mark_deleting, []);

    // Wanted again before it went.
    cluster.set["spec"]["replicas"] = json!(2);
    let plan = cluster.plan();
    assert_eq!((plan.removals.delete, gs_names(&plan.gs_unmark_deleting)), (vec![], vec!["game-1"]));
    assert_eq!(plan.removals.withdraw.len(), 1);

    // Gone.
    cluster.set["spec"]["replicas"] = json!(1);
    let gone = cluster.pods.pop().unwrap();
    assert_eq!(gs_names(&cluster.plan().gs_delete), ["game-1"]);
    cluster.pods.push(gone);
    assert_eq!(cluster.plan().gs_delete, []);
}

#[test]
fn i4_no_pods_in_sight_ends_nothing() {
    let mut cluster = Cluster::new(2, "0,3").with(0, "Kill").with(3, "WaitToBeDeleted").outliving();
    cluster.pods.clear();
    for remembered in [json!({names::ORDINALS: "0,3"}), json!({})] {
        cluster.set["metadata"]["annotations"] = remembered;
        let plan = cluster.plan();
        assert_eq!((plan.removals, plan.replace, plan.gs_delete), (Removals::default(), vec![], vec![]));
        assert_eq!(plan.create, [0, 3]);
    }
}

#[test]
fn a_foreign_pod_with_our_name_is_reported_and_left_alone() {
    let mut cluster = Cluster::new(2, "0,1").with(0, "None").with(1, "Kill");
    cluster.pods[1]["metadata"]["ownerReferences"] = json!([owner("Job", "cleanup", "job-uid")]);
    let plan = cluster.plan();
    assert_eq!(
        plan.troubles[0].message(),
        "game-1: a pod that is not the set's has the name of a server: it belongs to Job cleanup; delete that pod, or \
         reserve its ordinal in spec.reserveGameServerIds"
    );
    assert_eq!((plan.removals, plan.create, plan.set_patch), (Removals::default(), vec![], None));
    assert_eq!(cluster.ask(status).unwrap().current_replicas, 1);

    // What is left of an earlier set of this name goes by itself.
    cluster.pods[1]["metadata"]["ownerReferences"] = json!([owner("GameServerSet", "game", "earlier-uid")]);
    let plan = cluster.plan();
    assert_eq!((plan.create, plan.events, plan.troubles), (vec![], vec![], vec![]));
}

#[test]
fn a_set_that_openkruise_runs_is_left_alone() {
    let mut cluster = Cluster::new(0, "0").with(0, "None");
    let mut kruise = owner("StatefulSet", "game", "sts-uid");
    kruise["apiVersion"] = json!("apps.kruise.io/v1beta1");
    cluster.pods[0]["metadata"]["ownerReferences"] = json!([kruise]);
    let plan = cluster.plan();
    assert_eq!(
        messages(&plan),
        [
            "pods of this set belong to the StatefulSet game of OpenKruise; the set is left alone: delete that workload, \
          or install Gamewarden in external mode"
        ]
    );
    assert_eq!(Plan { events: vec![], ..plan }, Plan::default());
    assert_eq!(cluster.ask(status), None);
}
