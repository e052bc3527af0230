//! The loop against a prober that answers as told and an API server that holds one GameServer; paused time.

use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::{
    fixtures::{idle, pod, running, server},
    runner_fixture::{Does, Fixture, failure, seconds, success, unknown},
};
use super::*;

#[tokio::test(start_paused = true)]
async fn a_verdict_is_written_once_and_the_next_when_it_differs() {
    let mut it = Fixture::start(Does::Says(success("0")), json!([idle()]));
    seconds(4).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    assert_eq!(it.results.get("pod-uid", "idle").as_deref(), Some("0"));
    it.watch();
    seconds(60).await;
    assert!(it.starts() >= 20, "{} starts", it.starts());
    assert_eq!(it.server.patches().len(), 1, "nothing is written while nothing changes");

    it.does(Does::Says(failure("3 players")));
    seconds(10).await;
    assert_eq!(it.server.ops_state(), "None");
    assert_eq!(it.server.written(), 2);
    assert!(it.notes.try_recv().is_err(), "nothing to tell");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_news_to_this_process_has_the_status_looked_at() {
    let mut it = Fixture::start(Does::Says(success("0")), json!([idle()]));
    seconds(4).await;
    it.watch();
    let news = |it: &mut Fixture| it.news.next().now_or_never().flatten().map(|pod| pod.name);
    assert_eq!(news(&mut it).as_deref(), Some("game-0"));
    // As in a process that has just started, after one that ended between verdict and status.
    it.results.forget("pod-uid");
    seconds(60).await;
    assert_eq!(it.server.written(), 1, "nothing is left to write");
    assert_eq!(news(&mut it).as_deref(), Some("game-0"));
    assert_eq!(news(&mut it), None, "said once");
}

#[tokio::test(start_paused = true)]
async fn until_the_watch_shows_our_write_a_repeated_verdict_costs_no_second_action() {
    let it = Fixture::start(Does::Says(success("0")), json!([idle()]));
    seconds(30).await;
    let versions: Vec<Value> =
        it.server.patches().iter().map(|p| p["metadata"]["resourceVersion"].clone()).collect();
    assert!(versions.iter().all(|version| version == "1"), "{versions:?}");
    let held = it.server.0.lock().unwrap();
    assert_eq!(
        held.object.as_ref().unwrap()["metadata"]["resourceVersion"],
        "2",
        "one of them was carried out"
    );
    assert!(held.gets > 0, "the others read the fresh object and let it be");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_decided_again_on_the_fresh_object() {
    let it = Fixture::start(Does::Says(success("0")), json!([idle()]));
    // Somebody wrote since the store saw it.
    it.server.0.lock().unwrap().object = Some(server(7));
    seconds(4).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    assert_eq!(it.server.patches().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_game_server_of_another_pod_is_left_alone() {
    let mut it = Fixture::start(Does::Says(success("0")), json!([idle()]));
    let mut other = server(1);
    other["metadata"]["ownerReferences"][0]["uid"] = json!("a newer pod");
    it.server.0.lock().unwrap().object = Some(other);
    it.watch();
    seconds(30).await;
    assert_eq!(it.server.patches().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_probe_is_not_started_again_and_fails_again_each_period() {
    let mut quality = idle();
    // Told by the failure threshold: only repeated failures make it false.
    quality["failureThreshold"] = json!(3);
    quality["serviceQualityAction"] = json!([{"state": false, "opsState": "Maintaining"}]);
    let it = Fixture::start(Does::Hangs(Duration::from_secs(25)), json!([quality]));
    seconds(14).await;
    assert_eq!(it.starts(), 1, "it hangs, and is not started again");
    assert_eq!(it.server.ops_state(), "Maintaining");
    seconds(16).await;
    assert_eq!(it.starts(), 2, "it has ended, and the next one started");
    assert_eq!(it.prober.0.lock().unwrap().most_at_once, 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_for_ever_is_let_go_after_half_a_minute() {
    let it = Fixture::start(Does::Hangs(Duration::from_secs(86_400)), json!([idle()]));
    seconds(120).await;
    let starts = it.prober.0.lock().unwrap().starts.clone();
    assert!(starts.len() >= 3, "{} starts", starts.len());
    for pair in starts.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart >= Duration::from_secs(31) && apart <= Duration::from_secs(35), "{apart:?} apart");
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_probes_do_not_hold_up_the_others() {
    let named = |name: &str| {
        let mut quality = idle();
        quality["name"] = json!(name);
        quality
    };
    // Two slots, four qualities, all of which hang.
    let all: Vec<Value> = ["a", "b", "c", "d"].map(named).into();
    let it = Fixture::start(Does::Hangs(Duration::from_secs(20)), json!(all));
    seconds(10).await;
    assert_eq!(it.starts(), 4);
}

#[tokio::test(start_paused = true)]
async fn no_more_probes_run_at_once_than_there_are_slots() {
    let named = |n: usize| {
        let mut quality = idle();
        quality["name"] = json!(format!("q{n}"));
        quality["timeoutSeconds"] = json!(60);
        quality
    };
    let all: Vec<Value> = (0..6).map(named).collect();
    let it = Fixture::start(Does::SaysAfter(Duration::from_secs(5), success("")), json!(all));
    seconds(300).await;
    let state = it.prober.0.lock().unwrap();
    assert!(state.most_at_once <= 2, "{} at once", state.most_at_once);
    assert!(state.starts.len() >= 110, "the slots are not left idle: {} starts", state.starts.len());
    drop(state);
    let mut notes = it.notes;
    let note = notes.try_recv().unwrap();
    assert_eq!(note.event.reason, "ProbesLate");
    assert!(note.event.message.contains("where a period of 3.0s is asked for"), "{}", note.event.message);
}

#[tokio::test(start_paused = true)]
async fn unknown_changes_no_ops_state_and_is_told_once() {
    let mut it = Fixture::start(Does::Says(success("0")), json!([idle()]));
    seconds(4).await;
    it.watch();
    it.does(Does::Says(unknown()));
    seconds(12).await;
    it.watch();
    seconds(60).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    assert_eq!(it.server.written(), 2);
    let note = it.notes.try_recv().unwrap();
    assert_eq!(note.event.reason, "ServiceQualityUnknown");
    assert!(note.event.message.contains("connection refused"), "{}", note.event.message);
    assert!(it.notes.try_recv().is_err(), "once");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_probes_find_ended_is_the_statuss_to_tell_for_a_while() {
    let mut quality = idle();
    quality["failureThreshold"] = json!(1);
    quality["serviceQualityAction"] = json!([{"state": false, "opsState": "Maintaining"}]);
    let mut it = Fixture::start(Does::FindsItGone, json!([quality]));
    seconds(10).await;
    assert!(it.starts() >= 2, "{} starts", it.starts());
    assert_eq!(it.server.patches(), Vec::<Value>::new());
    it.pod(pod("c://1", json!({"terminated": {"exitCode": 1}})));
    seconds(1).await;
    assert_eq!(it.server.ops_state(), "Maintaining");
    assert_eq!(it.results.get("pod-uid", "idle").as_deref(), Some("Container main is not running"));
    assert!(it.notes.try_recv().is_err(), "it was never Unknown");
    it.watch();

    // The status never follows: then it is a container that cannot be asked.
    it.pod(pod("c://2", running()));
    seconds(12).await;
    assert!(it.notes.try_recv().is_err(), "not yet");
    seconds(10).await;
    assert_eq!(it.notes.try_recv().unwrap().event.reason, "ServiceQualityUnknown");
}

#[tokio::test(start_paused = true)]
async fn probes_that_run_no_command_take_less_room() {
    let web = |n: usize| {
        json!({
            "name": format!("q{n}"), "containerName": "main", "httpGet": {"port": 80},
            "initialDelaySeconds": 1, "periodSeconds": 3, "timeoutSeconds": 60,
        })
    };
    let all: Vec<Value> = (0..20).map(web).collect();
    let mut it = Fixture::start(Does::SaysAfter(Duration::from_secs(50), success("")), json!(all));
    let mut addressed = pod("c://1", running());
    addressed["status"]["podIP"] = json!("10.0.0.5");
    it.pod(addressed);
    seconds(30).await;
    // Two slots.
    assert_eq!(it.prober.0.lock().unwrap().most_at_once, 16);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ended_is_false_at_once_and_without_a_probe() {
    let mut quality = idle();
    quality["serviceQualityAction"] = json!([{"state": false, "opsState": "Maintaining"}]);
    let mut it = Fixture::start(Does::Says(success("")), json!([quality]));
    seconds(5).await;
    it.watch();
    let starts = it.starts();
    it.pod(pod("c://1", json!({"terminated": {"exitCode": 1}})));
    seconds(1).await;
    assert_eq!(it.server.ops_state(), "Maintaining");
    assert_eq!(it.results.get("pod-uid", "idle").as_deref(), Some("Container main is not running"));
    seconds(10).await;
    assert_eq!(it.starts(), starts);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_a_probe_whose_container_went_away_under_it_is_not_heard() {
    let mut quality = idle();
    quality["failureThreshold"] = json!(1);
    quality["timeoutSeconds"] = json!(10);
    quality["serviceQualityAction"] = json!([{"state": false, "opsState": "Kill"}]);
    for gone in [
        json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        json!({"metadata": {"labels": {"lifecycle.apps.kruise.io/state": "Updating"}}}),
    ] {
        let mut it = Fixture::start(Does::SaysAfter(Duration::from_secs(5), failure("")), json!([quality]));
        while it.starts() == 0 {
            seconds(1).await;
        }
        let mut pod = pod("c://1", running());
        for (key, value) in gone["metadata"].as_object().unwrap() {
            pod["metadata"][key] = value.clone();
        }
        // The store has it; the runner has not been told yet.
        it.stores.pods.apply(pod);
        seconds(30).await;
        assert_eq!(it.server.patches(), Vec::<Value>::new(), "{gone}");
        assert_eq!(it.server.ops_state(), "None");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_hears_out_what_runs_and_starts_no_more() {
    let mut it = Fixture::start(Does::SaysAfter(Duration::from_millis(2500), success("")), json!([idle()]));
    while it.starts() == 0 {
        sleep(Duration::from_millis(100)).await;
    }
    it.shutdown.cancel();
    let asked = Instant::now();
    let run = std::mem::replace(&mut it.run, tokio::spawn(async { Ok(()) }));
    run.await.unwrap().unwrap();
    assert!(asked.elapsed() <= Duration::from_secs(3), "{:?}", asked.elapsed());
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted", "the last verdict is written");
    assert_eq!(it.starts(), 1);
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_what_hangs() {
    let it = Fixture::start(Does::Hangs(Duration::from_secs(1000)), json!([idle()]));
    seconds(10).await;
    it.shutdown.cancel();
    let asked = Instant::now();
    it.run.await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}
