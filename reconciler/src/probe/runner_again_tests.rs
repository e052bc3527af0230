//! What is said again without a further outcome, with periods of ten minutes; and what is not remembered of a
//! set that was made again. Paused time.

use serde_json::{Value, json};

use super::super::{
    fixtures::{idle, pod, running, server, set},
    runner_fixture::{Does, Fixture, seconds, success},
};
use super::*;

fn seldom() -> Value {
    let mut quality = idle();
    quality["periodSeconds"] = json!(600);
    quality
}

/// Starts with these answers to the first patches, and waits until the first probe has been.
async fn probed(refuse: Vec<u16>) -> Fixture {
    let it = Fixture::start(Does::Says(success("0")), json!([seldom()]));
    it.server.0.lock().unwrap().refuse = refuse;
    while it.starts() == 0 {
        seconds(1).await;
    }
    it
}

#[tokio::test(start_paused = true)]
async fn a_write_that_failed_is_tried_again_soon() {
    let it = probed(vec![500, 403, 500]).await;
    seconds(2).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    assert_eq!(it.starts(), 1, "without another probe");
    assert_eq!(it.server.patches().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_meets_newer_versions_time_and_again_is_tried_again_soon() {
    let it = probed(vec![409; 7]).await;
    seconds(2).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    assert_eq!(it.starts(), 1, "without another probe");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_for_long_is_tried_again_every_ten_seconds() {
    let it = probed(vec![500; 1000]).await;
    seconds(60).await;
    let before = it.server.patches().len();
    seconds(300).await;
    assert_eq!(it.server.patches().len() - before, 30);
    it.server.0.lock().unwrap().refuse.clear();
    seconds(10).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    let after = it.server.patches().len();
    seconds(120).await;
    assert_eq!(it.server.patches().len(), after, "it is written");
    assert_eq!(it.starts(), 1, "without another probe");
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_of_a_pod_that_is_gone_is_not_tried_again() {
    let mut it = probed(vec![500; 1000]).await;
    it.stores.pods.delete(pod("c://1", running()));
    it.changed.notify_waiters();
    seconds(1).await;
    let before = it.server.patches().len();
    seconds(120).await;
    assert_eq!(it.server.patches().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_game_server_that_was_made_again_gets_its_verdict_at_once() {
    let mut it = probed(vec![]).await;
    seconds(1).await;
    it.watch();
    // `kubectl delete gs game-0`, and the controller makes it again.
    it.stores.servers.delete(server(2));
    it.changed.notify_waiters();
    seconds(5).await;
    let mut new = server(50);
    new["metadata"]["uid"] = json!("another");
    it.server.0.lock().unwrap().object = Some(new);
    it.watch();
    seconds(1).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    assert_eq!(it.starts(), 1, "without another probe");
}

#[tokio::test(start_paused = true)]
async fn a_game_server_that_comes_after_the_first_verdict_gets_it_at_once() {
    let mut it = Fixture::start(Does::Says(success("0")), json!([seldom()]));
    it.stores.servers.delete(server(1));
    while it.starts() == 0 {
        seconds(1).await;
    }
    seconds(5).await;
    assert_eq!(it.server.patches(), Vec::<Value>::new());
    it.watch();
    seconds(1).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    assert_eq!(it.starts(), 1, "without another probe");
}

#[tokio::test(start_paused = true)]
async fn a_set_that_was_made_again_is_told_of_its_own_lateness() {
    let qualities: Vec<Value> = (0..6)
        .map(|n| {
            let mut quality = idle();
            quality["name"] = json!(format!("q{n}"));
            quality["timeoutSeconds"] = json!(60);
            quality
        })
        .collect();
    let mut it = Fixture::start(Does::SaysAfter(Duration::from_secs(10), success("")), json!(qualities));
    seconds(90).await;
    let told = |it: &mut Fixture| it.notes.try_recv().ok().map(|note| note.event.reason);
    assert_eq!(told(&mut it).as_deref(), Some("ProbesLate"));
    assert_eq!(told(&mut it), None);

    let (mut set, mut pod) = (set(1, json!(qualities)), pod("c://1", running()));
    set["metadata"]["uid"] = json!("another set");
    pod["metadata"]["uid"] = json!("another pod");
    pod["metadata"]["ownerReferences"][0]["uid"] = json!("another set");
    it.stores.sets.apply(set);
    it.pod(pod);
    seconds(90).await;
    assert_eq!(told(&mut it).as_deref(), Some("ProbesLate"), "well within five minutes");
}
