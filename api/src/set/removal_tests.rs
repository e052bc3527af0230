//! Removals step by step (design §4, I1 to I3).

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Refusal, Refused,
    fixture::{Cluster, NOW, names_of},
    *,
};
use crate::{names, removal::Step};

fn steps(plan: &Plan) -> Vec<(&str, Step)> {
    let commit = plan.removals.commit.iter().map(|commit| &commit.turn);
    plan.removals.turns.iter().chain(commit).map(|turn| (turn.name.as_str(), turn.step)).collect()
}

/// Three servers that a quality has found idle, and a set that is to have one.
fn idle(replicas: i32) -> Cluster {
    let mut cluster = Cluster::new(replicas, "0-2")
        .with(0, "WaitToBeDeleted")
        .with(1, "WaitToBeDeleted")
        .with(2, "WaitToBeDeleted");
    cluster.set["spec"]["serviceQualities"] = json!([{
        "name": "idle", "containerName": "main", "permanent": false, "exec": {"command": ["idle"]},
        "serviceQualityAction": [{"state": true, "opsState": "WaitToBeDeleted"}, {"state": false, "opsState": "None"}],
    }]);
    for (ordinal, server) in cluster.servers.iter_mut().enumerate() {
        let record = json!({
            "v": 1, "pod": format!("pod-uid-{ordinal}"), "wrote": "WaitToBeDeleted",
            "q": {"idle": {"s": true, "fired": true, "ops": "WaitToBeDeleted"}},
        });
        server["metadata"]["annotations"] = json!({names::VERDICTS: record.to_string()});
    }
    cluster
}

/// The prober answers the claim on a server, in this phase.
fn answer(cluster: &mut Cluster, ordinal: usize, phase: &str) {
    let server = &mut cluster.servers[ordinal]["metadata"];
    let mut claim: serde_json::Value =
        serde_json::from_str(server["annotations"][names::REMOVAL].as_str().unwrap()).unwrap();
    claim["phase"] = json!(phase);
    server["annotations"][names::REMOVAL] = json!(claim.to_string());
}

fn after(milliseconds: i64) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    (now + SignedDuration::from_millis(milliseconds)).to_string()
}

#[test]
fn all_that_go_are_looked_at_together_and_go_one_after_another() {
    let mut cluster = idle(1);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Claim), ("game-1", Step::Claim)]);
    cluster.turn(&plan.removals);
    let plan = cluster.plan();
    assert!(plan.removals.is_empty());
    assert_eq!(
        plan.removals.look_again,
        Some(after(7000).parse().unwrap()),
        "the probe's timeout and two seconds"
    );

    // I1: who is looked at sooner does not go sooner.
    answer(&mut cluster, 1, "Looked");
    assert!(cluster.plan().removals.is_empty());
    answer(&mut cluster, 2, "Looked");
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Commit)]);
    assert_eq!(names_of(&cluster.leave()), ["game-2", "game-1"]);
}

#[test]
fn who_is_found_in_use_stays_and_the_next_one_goes() {
    let mut cluster = idle(2);
    cluster.turn(&cluster.plan().removals);
    // The prober's verdict, which takes the claim away.
    cluster.servers[2]["spec"]["opsState"] = json!("None");
    cluster.servers[2]["metadata"]["annotations"][names::REMOVAL] = json!(null);
    cluster.servers[2]["metadata"]["annotations"].as_object_mut().unwrap().remove(names::REMOVAL);
    assert_eq!(steps(&cluster.plan()), [("game-1", Step::Claim)]);
}

#[test]
fn a_change_after_the_claim_gives_it_back() {
    let mut cluster = idle(2);
    cluster.turn(&cluster.plan().removals);
    answer(&mut cluster, 2, "Looked");
    // Somebody allocates it: a write on the spec.
    cluster.servers[2]["spec"]["opsState"] = json!("Allocated");
    assert_eq!(steps(&cluster.plan()), [("game-1", Step::Claim), ("game-2", Step::GiveBack)]);
}

#[test]
fn who_does_not_answer_lets_others_of_its_state_go_and_nobody_else() {
    let mut cluster = idle(2);
    cluster.turn(&cluster.plan().removals);
    cluster.now = after(7001);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Unanswered)]);
    cluster.turn(&plan.removals);
    assert_eq!(steps(&cluster.plan()), [("game-1", Step::Claim)]);

    // Nobody else is idle: it alone is to go, and is asked again later.
    for ordinal in [0, 1] {
        cluster.servers[ordinal]["spec"]["opsState"] = json!("None");
    }
    let plan = cluster.plan();
    assert_eq!(steps(&plan), []);
    assert_eq!(
        plan.troubles[0].message(),
        "game-2: to be removed, and could not be asked whether that is still right; they are asked again; look at their \
         probes and nodes, or set their opsState to Kill"
    );
    cluster.now = after(7001 + 10_001);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Claim)]);
    // As long as it does not answer that is what is said, once.
    let said = |plan: &Plan| plan.troubles.iter().map(|trouble| trouble.reason).collect::<Vec<_>>();
    assert_eq!(said(&plan), ["NoAnswer"]);
    cluster.turn(&plan.removals);
    assert_eq!(said(&cluster.plan()), ["NoAnswer"]);
    answer(&mut cluster, 2, "Looked");
    assert_eq!(said(&cluster.plan()), [""; 0]);
}

/// Somebody takes a Kill back between its commit and its DELETE.
#[test]
fn a_kill_that_is_taken_back_while_its_commit_stands_is_counted_again_when_that_is_withdrawn() {
    let mut cluster = idle(3);
    cluster.set["spec"]["scaleStrategy"] = json!({"scaleDownStrategyType": "ReserveIds"});
    for (ordinal, state) in [(0, "Allocated"), (1, "Allocated"), (2, "Kill")] {
        cluster.servers[ordinal]["spec"]["opsState"] = json!(state);
    }
    cluster.turn(&cluster.plan().removals);
    cluster.turn(&cluster.plan().removals);
    let patch = cluster.plan().set_patch.unwrap();
    json_patch::merge(&mut cluster.set, &patch);
    assert_eq!(
        (&cluster.set["spec"]["replicas"], &cluster.set["spec"]["reserveGameServerIds"]),
        (&json!(2), &json!([2]))
    );
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
    let until = cluster.now.parse::<Timestamp>().unwrap() + SignedDuration::from_millis(milliseconds);
    let words = "admission webhook \"theirs\" denied the request: not this pod".to_owned();
    cluster.refused.insert(format!("pod-uid-{ordinal}"), Refusal { what, words, until });
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
    for ordinal in [0, 1] {
        cluster.servers[ordinal]["spec"]["opsState"] = json!("None");
    }
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
    for ordinal in [0, 1] {
        cluster.servers[ordinal]["spec"]["opsState"] = json!("None");
    }
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
    for ordinal in [0, 1] {
        cluster.servers[ordinal]["spec"]["opsState"] = json!("Allocated");
    }
    cluster.servers[2]["spec"]["opsState"] = json!("Kill");
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
    for ordinal in [0, 1] {
        cluster.servers[ordinal]["spec"]["opsState"] = json!("None");
    }
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
    for (ordinal, state) in [(0, "Kill"), (1, "Allocated"), (2, "Allocated")] {
        cluster.servers[ordinal]["spec"]["opsState"] = json!(state);
    }
    cluster.turn(&cluster.plan().removals);
    cluster.turn(&cluster.plan().removals);
    let patch = cluster.plan().set_patch.unwrap();
    json_patch::merge(&mut cluster.set, &patch);
    assert_eq!(cluster.set["spec"]["replicas"], json!(2));
    cluster.servers[0]["spec"]["opsState"] = json!("Allocated");
    cluster.now = after(2001);
    assert_eq!(cluster.plan().removals.withdraw.len(), 1);
    refuse(&mut cluster, 0, Refused::Withdraw, 10_000);
    let plan = cluster.plan();
    assert_eq!((steps(&plan), names_of(&plan.removals.delete)), (vec![], vec![]));
    assert_eq!(plan.set_patch.unwrap()["spec"], json!({"replicas": 3}));
}

/// Its answers come too late each time, as with a prober that nobody hears for seconds.
#[test]
fn answers_that_are_always_too_old_are_no_answer_after_the_third() {
    let mut cluster = idle(2);
    for ordinal in [0, 1] {
        cluster.servers[ordinal]["spec"]["opsState"] = json!("Allocated");
    }
    let mut milliseconds = 0;
    for round in 1..=2 {
        for _ in 0..3 {
            let plan = cluster.plan();
            assert_eq!(steps(&plan), [("game-2", Step::Claim)], "round {round}");
            cluster.turn(&plan.removals);
            milliseconds += 2001;
            cluster.now = after(milliseconds);
            answer(&mut cluster, 2, "Looked");
        }
        let plan = cluster.plan();
        assert_eq!(steps(&plan), [("game-2", Step::Unanswered)], "round {round}");
        cluster.turn(&plan.removals);
        assert_eq!(cluster.plan().troubles[0].reason, "NoAnswer");
        milliseconds += 10_001 * round;
        cluster.now = after(milliseconds);
    }
    // Soon enough the fourth time round.
    cluster.turn(&cluster.plan().removals);
    answer(&mut cluster, 2, "Looked");
    assert_eq!(steps(&cluster.plan()), [("game-2", Step::Commit)]);
}

/// It is looked at again and again while others go, and keeps its turn.
#[test]
fn who_waits_for_others_is_looked_at_afresh_without_end() {
    let mut cluster = idle(1);
    cluster.turn(&cluster.plan().removals);
    for round in 1..6 {
        answer(&mut cluster, 1, "Looked");
        // Its own answer is still to come, and the clock of who waits for it is set back each time.
        cluster.now = after(2001 * round);
        let claim = &mut cluster.servers[2]["metadata"]["annotations"][names::REMOVAL];
        let text = claim.as_str().unwrap().to_owned();
        let mut object: serde_json::Value = serde_json::from_str(&text).unwrap();
        object["since"] = json!(cluster.now);
        object["due"] = json!(after(2001 * round + 7000));
        *claim = json!(object.to_string());
        let plan = cluster.plan();
        assert_eq!(steps(&plan), [("game-1", Step::Claim)], "round {round}");
        cluster.turn(&plan.removals);
    }
}

#[test]
fn a_strict_set_keeps_who_may_be_in_use() {
    let mut cluster = idle(0);
    cluster.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
    cluster.servers[2]["spec"]["opsState"] = json!("None");
    cluster.servers[1]["spec"]["opsState"] = json!("Kill");
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-1", Step::Claim), ("game-0", Step::Claim)]);
    assert_eq!(
        plan.troubles[0].message(),
        "game-2: to be removed, and may be in use; they go when their opsState is WaitToBeDeleted or Kill; annotation \
         gamewarden.dev/allow-removal: \"true\" on a GameServer lets it go before that"
    );
    cluster.servers[2]["metadata"]["annotations"][names::ALLOW_REMOVAL] = json!("true");
    assert_eq!(cluster.plan().troubles, []);
}

#[test]
fn a_commit_that_nobody_followed_up_is_withdrawn_first_on_the_pod() {
    let mut cluster = idle(2);
    cluster.set["spec"]["scaleStrategy"] = json!({"scaleDownStrategyType": "ReserveIds"});
    cluster.turn(&cluster.plan().removals);
    answer(&mut cluster, 2, "Looked");
    cluster.turn(&cluster.plan().removals);
    // The controller that committed writes the set, and ends.
    let patch = cluster.plan().set_patch.unwrap();
    json_patch::merge(&mut cluster.set, &patch);
    assert_eq!(cluster.set["spec"]["reserveGameServerIds"], json!([2]));
    cluster.committed.clear();
    assert!(cluster.plan().removals.is_empty(), "its DELETE may be on its way");

    cluster.now = after(2001);
    let plan = cluster.plan();
    assert_eq!((plan.removals.withdraw.len(), steps(&plan)), (1, vec![]));
    cluster.turn(&plan.removals);
    // Its ordinal was reserved for nothing.
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::GiveBack)]);
    let patch = plan.set_patch.unwrap();
    assert_eq!(
        (&patch["spec"]["reserveGameServerIds"], &patch["metadata"]["annotations"][names::RESERVE_IDS]),
        (&json!([]), &json!(""))
    );
    json_patch::merge(&mut cluster.set, &patch);
    cluster.turn(&plan.removals);
    assert_eq!(steps(&cluster.plan()), [("game-2", Step::Claim)], "it is looked at afresh");
}

#[test]
fn nobody_is_committed_beside_another_controllers_commit() {
    let mut cluster = idle(2);
    cluster.turn(&cluster.plan().removals);
    answer(&mut cluster, 2, "Looked");
    cluster.turn(&cluster.plan().removals);
    // It is another's, and its server is in use now: the next one would go.
    cluster.committed.clear();
    cluster.servers[2]["spec"]["opsState"] = json!("None");
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-1", Step::Claim)]);
    cluster.turn(&plan.removals);
    answer(&mut cluster, 1, "Looked");
    assert!(cluster.plan().removals.is_empty(), "its DELETE may be on its way");
    cluster.now = after(2001);
    assert_eq!(cluster.plan().removals.withdraw.len(), 1);
}

#[test]
fn what_was_said_of_an_earlier_pod_is_asked_of_this_one() {
    let mut cluster = idle(2);
    let record = json!({"v": 1, "pod": "an-earlier-pod", "wrote": "WaitToBeDeleted", "q": {}});
    cluster.servers[2]["metadata"]["annotations"][names::VERDICTS] = json!(record.to_string());
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Claim)]);
    cluster.turn(&plan.removals);
    let claim = cluster.servers[2]["metadata"]["annotations"][names::REMOVAL].as_str().unwrap();
    assert!(claim.contains("\"phase\":\"Claimed\"") && claim.contains("\"look\":[\"idle\"]"), "{claim}");
}

#[test]
fn an_update_in_place_comes_to_its_end_under_a_claim() {
    let mut cluster = idle(2);
    let pod = &mut cluster.pods[2];
    pod["metadata"]["labels"][names::LIFECYCLE_STATE] = json!("Updating");
    pod["metadata"]["annotations"] = json!({names::IN_PLACE_UPDATE: "{\"revision\":\"game-x\"}"});
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Claim)]);
    assert_eq!(plan.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["game-2"]);
}
