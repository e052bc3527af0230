//! Removals step by step (design §4, I1 to I3).

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    fixture::{Cluster, NOW, names_of},
    *,
};
use crate::{names, removal::Step};

pub(super) fn steps(plan: &Plan) -> Vec<(&str, Step)> {
    let commit = plan.removals.commit.iter().map(|commit| &commit.turn);
    plan.removals.turns.iter().chain(commit).map(|turn| (turn.name.as_str(), turn.step)).collect()
}

/// Three servers that a quality has found idle, and a set that is to have one.
pub(super) fn idle(replicas: i32) -> Cluster {
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
pub(super) fn answer(cluster: &mut Cluster, ordinal: usize, phase: &str) {
    let server = &mut cluster.servers[ordinal]["metadata"];
    let mut claim: serde_json::Value =
        serde_json::from_str(server["annotations"][names::REMOVAL].as_str().unwrap()).unwrap();
    claim["phase"] = json!(phase);
    server["annotations"][names::REMOVAL] = json!(claim.to_string());
}

pub(super) fn after(milliseconds: i64) -> String {
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

#[test]
fn who_may_be_in_use_is_decided_on_when_nothing_is_to_be_written_before() {
    let three = |replicas| Cluster::new(replicas, "0-2").with(0, "None").with(1, "None").with(2, "None");
    let mut cluster = three(2);
    cluster.turn(&cluster.plan().removals);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-2", Step::Commit)]);
    assert!(plan.removals.are_last_resort());

    // Another one was to go first a moment ago.
    let mut before = three(2);
    before.servers[0]["spec"]["deletionPriority"] = json!(1);
    before.turn(&before.plan().removals);
    cluster.servers[0] = before.servers[0].clone();
    cluster.servers[0]["spec"]["deletionPriority"] = json!(0);
    let plan = cluster.plan();
    assert_eq!(steps(&plan), [("game-0", Step::GiveBack)]);
    assert!(!plan.removals.are_last_resort());
    // Nor who has no GameServer.
    let mut unknown = cluster.clone();
    unknown.servers.pop();
    assert_eq!(steps(&unknown.plan()), [("game-0", Step::GiveBack)]);
    assert!(unknown.plan().removals.delete.is_empty());
    unknown.turn(&unknown.plan().removals);
    assert_eq!(names_of(&unknown.plan().removals.delete), ["game-2"]);
    cluster.turn(&plan.removals);
    assert_eq!(steps(&cluster.plan()), [("game-2", Step::Commit)]);
}

#[test]
fn only_who_goes_because_nobody_is_idle_is_the_last_resort() {
    let last_resort = |cluster: &mut Cluster| {
        cluster.turn(&cluster.plan().removals);
        let plan = cluster.plan();
        assert_eq!(steps(&plan), [("game-1", Step::Commit)]);
        plan.removals.are_last_resort()
    };
    for (state, expected) in
        [("None", true), ("Allocated", true), ("WaitToBeDeleted", false), ("Kill", false)]
    {
        let mut cluster = Cluster::new(1, "0-1").with(0, "Maintaining").with(1, state);
        assert_eq!(last_resort(&mut cluster), expected, "{state}");
    }
    let mut ended = Cluster::new(1, "0-1").with(0, "None").with(1, "None");
    ended.pods[1]["status"]["phase"] = json!("Failed");
    assert!(!last_resort(&mut ended), "nobody can be on it");
    let mut reserved = Cluster::new(1, "0-1").with(0, "None").with(1, "None");
    reserved.set["spec"]["reserveGameServerIds"] = json!([1]);
    assert!(!last_resort(&mut reserved), "a person has said which one");
    let mut unknown = Cluster::new(1, "0-1").with(0, "None").with(1, "None");
    unknown.servers.pop();
    let plan = unknown.plan();
    assert_eq!(names_of(&plan.removals.delete), ["game-1"]);
    assert!(plan.removals.are_last_resort(), "nobody has said anything of it");
}

#[test]
fn a_hook_that_is_put_on_after_the_plan_holds_the_pod() {
    let mut cluster = Cluster::new(1, "0-1").with(0, "None").with(1, "None");
    cluster.set["spec"]["lifecycle"] = json!({"preDelete": {"labelsHandler": {"playing": "yes"}}});
    cluster.turn(&cluster.plan().removals);
    cluster.turn(&cluster.plan().removals);
    let removal = cluster.plan().removals.delete.remove(0);
    assert!(!removal.hooked);
    cluster.pods[1]["metadata"]["labels"]["playing"] = json!("yes");
    cluster.pods[1]["metadata"]["resourceVersion"] = json!("101");
    let set = serde_json::from_value(cluster.set).unwrap();
    let removal = removal.of_pod(&set, &serde_json::from_value(cluster.pods[1].clone()).unwrap());
    assert!(removal.hooked);
    assert_eq!(removal.resource_version, "101");
}
