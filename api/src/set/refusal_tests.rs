//! Removals that the API server refuses, and a Kill that is taken back.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Refusal, Refused,
    fixture::{Cluster, names_of},
    removal_tests::{after, answer, idle, steps},
};
use crate::{lifecycle::State, names, removal::Step};

/// Gives the servers these states.
fn states(cluster: &mut Cluster, states: [&str; 3]) {
    for (server, state) in cluster.servers.iter_mut().zip(states) {
        server["spec"]["opsState"] = json!(state);
    }
}

/// Commits the removal of the Kill server, of which nothing is asked, and writes the set: replicas are two then.
fn committed(cluster: &mut Cluster) {
    cluster.turn(&cluster.plan().removals);
    cluster.turn(&cluster.plan().removals);
    let patch = cluster.plan().set_patch.unwrap();
    json_patch::merge(&mut cluster.set, &patch);
    assert_eq!(cluster.set["spec"]["replicas"], json!(2));
}

/// Somebody takes a Kill back between its commit and its DELETE.
#[test]
fn a_kill_that_is_taken_back_while_its_commit_stands_is_counted_again_when_that_is_withdrawn() {
    let mut cluster = idle(3);
    cluster.set["spec"]["scaleStrategy"] = json!({"scaleDownStrategyType": "ReserveIds"});
    states(&mut cluster, ["Allocated", "Allocated", "Kill"]);
    committed(&mut cluster);
    assert_eq!(cluster.set["spec"]["reserveGameServerIds"], json!([2]));
    cluster.servers[2]["spec"]["opsState"] = json!("Allocated");
    let plan = cluster.plan();
    assert_eq!((plan.set_patch, plan.create), (None, vec![]), "its DELETE may be on its way");
    cluster.now = after(2001);
    cluster.turn(&cluster.plan().removals);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::GiveBack)]);
    let patch = plan.set_patch.unwrap();
    assert_eq!(patch["spec"], json!({"replicas": 3, "reserveGameServerIds": []}));
    assert_eq!(patch["metadata"]["annotations"][names::ORDINALS], "0-2");
}

/// The API server refuses something about a server for so many milliseconds.
fn refuse(cluster: &mut Cluster, ordinal: usize, what: Refused, milliseconds: i64) {
    let since: Timestamp = cluster.now.parse().unwrap();
    let until = since + SignedDuration::from_millis(milliseconds);
    let words = "admission webhook \"theirs\" denied the request: not this pod".to_owned();
    cluster.refused.insert(format!("pod-uid-{ordinal}"), Refusal { what, words, since, until });
}

/// Game-2 is looked at and committed; its DELETE is refused.
fn refused(cluster: &mut Cluster) {
    cluster.turn(&cluster.plan().removals);
    if cluster.plan().removals.is_empty() {
        answer(cluster, 2, "Looked");
    }
    for _ in 0..4 {
        let plan = cluster.plan();
        if let Some(patch) = &plan.set_patch {
            json_patch::merge(&mut cluster.set, patch);
        }
        if !plan.removals.delete.is_empty() {
            assert_eq!(names_of(&plan.removals.delete), ["game-2"]);
            refuse(cluster, 2, Refused::Delete, 10_000);
            return;
        }
        cluster.turn(&plan.removals);
    }
    panic!("game-2 does not go");
}

#[test]
fn a_delete_that_is_refused_is_withdrawn_and_another_of_its_state_goes() {
    let mut cluster = idle(2);
    refused(&mut cluster);
    let plan = cluster.plan();
    assert_eq!(plan.removals.withdraw.len(), 1, "at once");
    assert_eq!(steps(&plan), [("game-1", Step::Claim)], "asked, and not committed before that");
    cluster.turn(&plan.removals);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::GiveBack)]);
    cluster.turn(&plan.removals);
    assert_eq!(names_of(&cluster.leave()), [""; 0], "game-1 is still to be looked at");
    answer(&mut cluster, 1, "Looked");
    assert_eq!(names_of(&cluster.leave()), ["game-1"]);
    assert_eq!(cluster.plan().troubles, [], "nobody waits any more");
}

#[test]
fn nobody_in_use_goes_in_place_of_one_whose_delete_is_refused() {
    let mut cluster = idle(2);
    states(&mut cluster, ["None", "None", "WaitToBeDeleted"]);
    refused(&mut cluster);
    cluster.turn(&cluster.plan().removals);
    cluster.turn(&cluster.plan().removals);
    let plan = cluster.plan();
    assert!(plan.removals.is_empty(), "{:?}", plan.removals);
    assert_eq!(plan.removals.look_again, Some(after(10_000).parse().unwrap()));
    assert_eq!(
        (plan.troubles[0].reason, plan.troubles[0].message().as_str()),
        (
            "Refused",
            "game-2: to be removed, and the API server refuses it: admission webhook \"theirs\" denied the request: not this \
             pod; it is tried again; look at the webhook or policy that says so"
        )
    );
    cluster.now = after(10_000);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Claim)]);
    assert_eq!(plan.troubles[0].reason, "Refused", "until it has gone well");

    // Others that hold it back are named, too.
    cluster.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
    cluster.set["spec"]["replicas"] = json!(1);
    let told = cluster.plan().troubles[0].message();
    assert!(
        told.starts_with(
            "game-2: to be removed, and the API server refuses it (game-1: to be removed, and may be in use): admission webhook"
        ),
        "{told}"
    );
}

#[test]
fn an_ordinal_that_was_reserved_for_a_refused_delete_is_given_back_once() {
    let mut cluster = idle(2);
    cluster.set["spec"]["scaleStrategy"] = json!({"scaleDownStrategyType": "ReserveIds"});
    states(&mut cluster, ["None", "None", "WaitToBeDeleted"]);
    refused(&mut cluster);
    assert_eq!(cluster.set["spec"]["reserveGameServerIds"], json!([2]));
    assert_eq!(cluster.plan().set_patch, None, "not before it is withdrawn");
    cluster.turn(&cluster.plan().removals);
    let plan = cluster.plan();
    let patch = plan.set_patch.unwrap();
    assert_eq!(patch["spec"], json!({"reserveGameServerIds": []}));
    json_patch::merge(&mut cluster.set, &patch);
    cluster.turn(&plan.removals);
    // Whoever reserves it now means it.
    cluster.set["spec"]["reserveGameServerIds"] = json!([2]);
    cluster.now = after(10_000);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Claim)]);
    assert_eq!(plan.set_patch.unwrap()["spec"], json!(null), "the entry is theirs");
}

/// A set of three, of which one is to be killed and whose DELETE is refused: replicas are two by then.
fn killed(strategy: &str) -> Cluster {
    let mut cluster = idle(3);
    cluster.set["spec"]["scaleStrategy"] = json!({"scaleDownStrategyType": strategy});
    states(&mut cluster, ["Allocated", "Allocated", "Kill"]);
    refused(&mut cluster);
    assert_eq!(cluster.set["spec"]["replicas"], json!(2));
    assert_eq!(cluster.set["metadata"]["annotations"][names::LOWERED], json!("2"));
    for _ in 0..2 {
        let plan = cluster.plan();
        if let Some(patch) = &plan.set_patch {
            assert_eq!(patch["spec"], json!({"reserveGameServerIds": []}), "it has been counted");
            json_patch::merge(&mut cluster.set, patch);
        }
        cluster.turn(&plan.removals);
    }
    assert!(cluster.plan().removals.is_empty());
    cluster
}

#[test]
fn a_kill_that_is_refused_lowers_replicas_once() {
    let mut cluster = killed("General");
    cluster.now = after(10_000);
    assert_eq!(names_of(&cluster.leave()), ["game-2"]);
    assert_eq!(cluster.set["spec"]["replicas"], json!(2));
    let patch = cluster.plan().set_patch.unwrap();
    assert_eq!(patch["metadata"]["annotations"], json!({names::LOWERED: null}), "it has gone");
}

#[test]
fn a_kill_that_is_refused_and_taken_back_takes_nobody_else() {
    for strategy in ["General", "ReserveIds"] {
        taken_back(killed(strategy));
    }
}

fn taken_back(mut cluster: Cluster) {
    cluster.servers[2]["spec"]["opsState"] = json!("Allocated");
    let plan = cluster.plan();
    assert_eq!((steps(&plan), names_of(&plan.removals.delete)), (vec![], vec![]));
    let patch = plan.set_patch.unwrap();
    assert_eq!(patch["spec"], json!({"replicas": 3}));
    assert_eq!(patch["metadata"]["annotations"], json!({names::LOWERED: null, names::ORDINALS: "0-2"}));
    json_patch::merge(&mut cluster.set, &patch);
    let plan = cluster.plan();
    assert_eq!((plan.set_patch, plan.create), (None, vec![]), "once");
}

#[test]
fn replicas_that_somebody_has_written_since_a_kill_was_refused_count() {
    let mut cluster = killed("General");
    cluster.set["spec"]["replicas"] = json!(4);
    let patch = cluster.plan().set_patch.unwrap();
    assert_eq!(patch["metadata"]["annotations"], json!({names::LOWERED: null, names::ORDINALS: "0,1,3,4"}));
    cluster.servers[2]["spec"]["opsState"] = json!("None");
    let patch = cluster.plan().set_patch.unwrap();
    assert_eq!(patch["spec"], json!(null), "four it is");
}

#[test]
fn one_server_that_cannot_be_written_keeps_no_other() {
    let mut cluster = idle(1);
    refuse(&mut cluster, 2, Refused::Write, 10_000);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-1", Step::Claim), ("game-0", Step::Claim)]);
    assert_eq!(plan.troubles, [], "others of its state go");
    // Only it is idle: whoever else is to go is in use, and stays.
    states(&mut cluster, ["None", "None", "WaitToBeDeleted"]);
    cluster.set["spec"]["replicas"] = json!(2);
    let plan = cluster.plan();
    assert!(plan.removals.is_empty(), "{:?}", plan.removals);
    assert_eq!(plan.removals.look_again, Some(after(10_000).parse().unwrap()));
    assert_eq!(plan.troubles[0].reason, "Refused");
}

/// Another controller's commit, whose pod cannot be written: nobody can withdraw it.
#[test]
fn a_commit_that_cannot_be_withdrawn_keeps_others_for_as_long_as_it_takes_to_try() {
    let mut cluster = idle(1);
    cluster.turn(&cluster.plan().removals);
    answer(&mut cluster, 2, "Looked");
    answer(&mut cluster, 1, "Looked");
    cluster.turn(&cluster.plan().removals);
    cluster.committed.clear();
    cluster.now = after(2001);
    let plan = cluster.plan();
    assert_eq!(plan.removals.withdraw.len(), 1);
    refuse(&mut cluster, 2, Refused::Withdraw, 10_000);
    let plan = cluster.plan();
    assert_eq!(plan.removals.withdraw.len(), 0);
    assert_eq!(steps(&plan), [("game-1", Step::Claim), ("game-0", Step::Claim)]);
    // Also where it is not to go any more.
    cluster.set["spec"]["replicas"] = json!(3);
    let plan = cluster.plan();
    assert_eq!(plan.removals.look_again, Some(after(12_001).parse().unwrap()));
    cluster.now = after(12_001);
    assert_eq!(cluster.plan().removals.withdraw.len(), 1);
}

/// Another controller's commit, whose DELETE may come any moment, whatever is refused.
#[test]
fn a_fresh_commit_of_another_controller_keeps_all_others_whatever_is_refused() {
    for what in [Refused::Delete, Refused::Write, Refused::Withdraw] {
        let mut cluster = idle(1);
        cluster.turn(&cluster.plan().removals);
        answer(&mut cluster, 2, "Looked");
        answer(&mut cluster, 1, "Looked");
        cluster.turn(&cluster.plan().removals);
        cluster.committed.clear();
        answer(&mut cluster, 1, "Looked");
        refuse(&mut cluster, 2, what, 10_000);
        cluster.now = after(500);
        let steps = steps(&cluster.plan()).into_iter().map(|(_, step)| step).collect::<Vec<_>>();
        assert!(!steps.contains(&Step::Commit), "{what:?}: {steps:?}");
        // It is withdrawn when its time is over, though its GameServer cannot be written.
        cluster.now = after(2001);
        let withdrawn = cluster.plan().removals.withdraw.len();
        assert_eq!(withdrawn, usize::from(what != Refused::Withdraw), "{what:?}");
    }
}

/// A Kill is taken back, and its commit cannot be withdrawn.
#[test]
fn a_kill_that_is_taken_back_takes_nobody_else_although_it_cannot_be_withdrawn() {
    let mut cluster = idle(3);
    states(&mut cluster, ["Kill", "Allocated", "Allocated"]);
    committed(&mut cluster);
    cluster.servers[0]["spec"]["opsState"] = json!("Allocated");
    cluster.now = after(2001);
    assert_eq!(cluster.plan().removals.withdraw.len(), 1);
    refuse(&mut cluster, 0, Refused::Withdraw, 10_000);
    let plan = cluster.plan();
    assert_eq!((steps(&plan), names_of(&plan.removals.delete)), (vec![], vec![]));
    assert_eq!(plan.set_patch.unwrap()["spec"], json!({"replicas": 3}));
}

/// Somebody forbids the DELETE of all pods: it is not found out on all of them at once.
#[test]
fn where_many_are_refused_the_next_is_asked_after_a_while() {
    let mut cluster = Cluster::new(0, "0-11");
    for ordinal in 0..12 {
        cluster = cluster.with(ordinal, "WaitToBeDeleted");
    }
    for ordinal in 4..11 {
        refuse(&mut cluster, ordinal, Refused::Delete, 60_000);
    }
    assert_eq!(steps(&cluster.plan())[0], ("game-11", Step::Claim), "seven may be a few that somebody keeps");
    refuse(&mut cluster, 11, Refused::Delete, 60_000);
    let plan = cluster.plan();
    assert!(plan.removals.is_empty(), "{:?}", plan.removals);
    assert_eq!(plan.removals.look_again, Some(after(10_000).parse().unwrap()));
    cluster.now = after(10_000);
    assert_eq!(steps(&cluster.plan())[0], ("game-3", Step::Claim));
}

/// It has left its set by then: nothing else tells of it.
#[test]
fn a_delete_that_is_refused_after_its_pre_delete_hook_is_told() {
    let mut cluster = idle(2);
    let metadata = &mut cluster.pods[2]["metadata"];
    metadata["labels"][names::LIFECYCLE_STATE] = json!(State::PreparingDelete.as_str());
    metadata["annotations"] = json!({names::PRE_DELETE: "ScaleDown"});
    let plan = cluster.plan();
    assert_eq!((names_of(&plan.release), plan.troubles), (vec!["game-2"], vec![]));
    refuse(&mut cluster, 2, Refused::Delete, 10_000);
    let plan = cluster.plan();
    assert_eq!(names_of(&plan.release), ["game-2"], "it is tried again");
    assert_eq!(
        (plan.troubles[0].reason, &plan.troubles[0].servers[..]),
        ("Refused", &["game-2".to_owned()][..])
    );
}
