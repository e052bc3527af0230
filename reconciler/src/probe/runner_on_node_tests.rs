//! A node that changes hands, and the prober of a node. Paused time.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::{
    fixtures::{idle, pod, running},
    runner_fixture::{Does, Fixture, failure, seconds, success},
};
use super::*;

fn on_node() -> Value {
    let mut pod = pod("c://1", running());
    pod["spec"]["nodeName"] = json!("node-0");
    pod
}

/// Its prober probes the node from now on, or nobody but us.
fn hand(it: &Fixture, over: bool) {
    let node = over.then(|| "node-0".to_owned());
    it.others.replace(node.into_iter().collect::<BTreeSet<_>>());
    it.changed.notify_waiters();
}

#[tokio::test(start_paused = true)]
async fn what_others_probe_is_left_to_them_and_taken_up_afresh() {
    let mut quality = idle();
    quality["failureThreshold"] = json!(3);
    let mut it = Fixture::start(Does::Says(success("0")), json!([quality]));
    it.pod(on_node());
    seconds(4).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    it.watch();
    // Two failures of three, and then it is another's.
    it.does(Does::Says(failure("3 players")));
    let asked = it.starts();
    while it.starts() < asked + 2 {
        seconds(1).await;
    }
    hand(&it, true);
    seconds(60).await;
    assert_eq!(it.starts(), asked + 2, "not asked any more");
    assert_eq!(it.results.get("pod-uid", "idle"), None, "nor remembered");
    hand(&it, false);
    while it.starts() < asked + 4 {
        seconds(1).await;
    }
    assert_eq!(it.server.written(), 1, "what was counted before does not count");
    seconds(4).await;
    assert_eq!((it.server.ops_state().as_str(), it.server.written()), ("None", 2));
}

#[tokio::test(start_paused = true)]
async fn who_probes_again_repeats_nothing() {
    let mut it = Fixture::start(Does::Says(success("0")), json!([idle()]));
    it.pod(on_node());
    seconds(4).await;
    it.watch();
    hand(&it, true);
    seconds(5).await;
    hand(&it, false);
    seconds(60).await;
    assert_eq!(it.server.patches().len(), 1, "the record has it");
}

#[tokio::test(start_paused = true)]
async fn a_probe_in_flight_is_not_heard_when_its_node_has_changed_hands() {
    let mut quality = idle();
    quality["timeoutSeconds"] = json!(20);
    let mut it = Fixture::start(Does::SaysAfter(Duration::from_secs(10), success("0")), json!([quality]));
    it.pod(on_node());
    while it.starts() == 0 {
        seconds(1).await;
    }
    hand(&it, true);
    seconds(60).await;
    assert_eq!(it.server.patches(), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_waits_to_be_written_again_is_not_said_any_more() {
    let mut it = Fixture::start(Does::Says(success("0")), json!([idle()]));
    it.server.0.lock().unwrap().refuse = vec![500; 1000];
    it.pod(on_node());
    seconds(10).await;
    hand(&it, true);
    seconds(1).await;
    let before = it.server.patches().len();
    assert!(before > 0);
    seconds(120).await;
    assert_eq!(it.server.patches().len(), before);
}

#[tokio::test(start_paused = true)]
async fn the_prober_of_a_node_tells_the_pod_what_it_wrote_once() {
    let mut it = Fixture::on_node(Does::Says(success("0 players")), json!([idle()]));
    seconds(4).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    let told = |it: &Fixture| it.server.0.lock().unwrap().told.clone();
    let [patch]: [Value; 1] = told(&it).try_into().unwrap();
    let condition: &Value = &patch["status"]["conditions"][0];
    assert_eq!(condition["type"], "game.kruise.io/idle");
    assert_eq!((&condition["status"], &condition["message"]), (&json!("True"), &json!("0 players")));
    assert_eq!(patch["metadata"]["uid"], "pod-uid");
    // Both watches show it.
    it.watch();
    let mut pod = pod("c://1", running());
    pod["status"]["conditions"] = json!([condition]);
    it.pod(pod.clone());
    seconds(60).await;
    assert_eq!((it.server.written(), told(&it).len()), (1, 1), "nothing is written while nothing changes");
    // Somebody takes it away: it is told again, without another verdict.
    pod["status"]["conditions"] = json!([]);
    it.pod(pod);
    seconds(10).await;
    assert_eq!(it.server.written(), 1);
    assert!(told(&it).len() > 1);
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_could_not_be_told_is_told_soon() {
    let it = Fixture::on_node(Does::Says(success("0")), json!([idle()]));
    it.server.0.lock().unwrap().tell_fails = 3;
    seconds(6).await;
    assert_eq!(it.server.written(), 1);
    assert!(!it.server.0.lock().unwrap().told.is_empty());
}
