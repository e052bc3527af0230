//! The last look: what is asked, and what is written of it.

use gamewarden_api::{
    GameServer,
    quality::made_removable_by,
    removal::{Claim, Look, Phase, claimed_patch},
    types::ServiceQuality,
};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::time::Duration;

use super::super::{
    fixtures::idle,
    runner_fixture::{Does, Fixture, failure, seconds, success, unknown},
};

/// A server that the quality has found idle.
async fn found_idle() -> Fixture {
    found_idle_every(3).await
}

async fn found_idle_every(period: u64) -> Fixture {
    let mut quality = idle();
    quality["periodSeconds"] = json!(period);
    let mut it = Fixture::start(Does::Says(success("0")), json!([quality]));
    seconds(period + 2).await;
    it.watch();
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    it
}

fn object(it: &Fixture) -> GameServer {
    let object = it.server.0.lock().unwrap().object.clone();
    serde_json::from_value(object.unwrap()).unwrap()
}

/// As the controller claims it.
async fn claim(it: &mut Fixture) {
    claim_at(it, Timestamp::now());
}

/// As a controller claims it whose clock says so.
fn claim_at(it: &mut Fixture, now: Timestamp) {
    let server = object(it);
    let qualities: Vec<ServiceQuality> = serde_json::from_value(json!([idle()])).unwrap();
    let look = made_removable_by(&qualities, &server, "pod-uid");
    assert_eq!(look.qualities, ["idle"]);
    let patch = claimed_patch(&server, "pod-uid", &look, false, true, now).unwrap();
    {
        let mut held = it.server.0.lock().unwrap();
        let object = held.object.as_mut().unwrap();
        object["metadata"]["annotations"]["gamewarden.dev/removal"] =
            patch["metadata"]["annotations"]["gamewarden.dev/removal"].clone();
        let version: u64 = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
    }
    it.watch();
    let _ = it.claims.unbounded_send(std::sync::Arc::new(object(it)));
}

fn phase(it: &Fixture) -> Option<Phase> {
    Claim::of(&object(it), "pod-uid").map(|claim| claim.phase)
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_answered_at_once_and_past_the_schedule() {
    let mut it = found_idle_every(600).await;
    let (starts, written) = (it.starts(), it.server.written());
    claim(&mut it).await;
    // Less than changes are gathered for.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(it.starts(), starts + 1);
    assert_eq!(phase(&it), Some(Phase::Looked));
    assert_eq!(it.server.written(), written + 1);
    it.watch();
    seconds(30).await;
    assert_eq!(it.server.written(), written + 1, "answered once");
}

#[tokio::test(start_paused = true)]
async fn one_answer_that_differs_is_the_verdict_and_gives_the_claim_back_in_the_same_write() {
    let mut it = found_idle().await;
    it.does(Does::Says(failure("1 player")));
    let written = it.server.written();
    claim(&mut it).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!((it.server.ops_state().as_str(), phase(&it)), ("None", None));
    assert_eq!(it.server.written(), written + 1, "one write");
    it.watch();
    // The thresholds count from there: three failures are not needed again, and one success turns it.
    seconds(30).await;
    assert_eq!((it.server.ops_state().as_str(), it.server.written()), ("None", written + 1));
    it.does(Does::Says(success("0")));
    seconds(4).await;
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
}

/// The prober may be on another machine. What it says of time is how long it took.
#[tokio::test(start_paused = true)]
async fn clocks_that_are_minutes_apart_change_nothing() {
    for minutes in [-10, 10] {
        let mut it = found_idle().await;
        it.does(Does::SaysAfter(Duration::from_millis(400), success("0")));
        let asked = Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
        claim_at(&mut it, asked);
        tokio::time::sleep(Duration::from_millis(700)).await;
        let claim = Claim::of(&object(&it), "pod-uid").unwrap();
        assert_eq!((claim.phase, claim.since, claim.took), (Phase::Looked, asked, 400), "{minutes} minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_asked_answers_nothing() {
    let mut it = found_idle().await;
    for does in [Does::Says(unknown()), Does::FindsItGone] {
        it.does(does);
        let written = it.server.written();
        claim(&mut it).await;
        seconds(1).await;
        assert_eq!((it.server.ops_state().as_str(), phase(&it)), ("WaitToBeDeleted", Some(Phase::Claimed)));
        assert_eq!(it.server.written(), written);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_at_the_last_look_keeps_the_server() {
    let mut it = found_idle().await;
    it.does(Does::Hangs(Duration::from_secs(3600)));
    claim(&mut it).await;
    seconds(2).await;
    assert_eq!((it.server.ops_state().as_str(), phase(&it)), ("None", None), "its timeout is the answer no");
}

/// I5: its action says that a server whose probe fails may go, and nobody knows whether this one would have failed.
#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_at_the_last_look_is_no_answer_where_failing_lets_the_server_go() {
    let mut quality = idle();
    quality["serviceQualityAction"] =
        json!([{"state": true, "opsState": "None"}, {"state": false, "opsState": "WaitToBeDeleted"}]);
    let mut it = Fixture::start(Does::Says(failure("0 players")), json!([quality]));
    seconds(12).await;
    it.watch();
    assert_eq!(it.server.ops_state(), "WaitToBeDeleted");
    it.does(Does::Hangs(Duration::from_millis(200)));
    claim(&mut it).await;
    seconds(2).await;
    assert_eq!((it.server.ops_state().as_str(), phase(&it)), ("WaitToBeDeleted", Some(Phase::Claimed)));
    it.does(Does::Says(failure("0 players")));
    it.server.0.lock().unwrap().object.as_mut().unwrap()["metadata"]["annotations"]
        .as_object_mut()
        .unwrap()
        .remove("gamewarden.dev/removal");
    it.watch();
    claim(&mut it).await;
    seconds(1).await;
    assert_eq!(phase(&it), Some(Phase::Looked), "what it says itself counts");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_upon_another_state_is_not_written() {
    let mut it = found_idle().await;
    it.does(Does::SaysAfter(Duration::from_millis(800), success("0")));
    claim(&mut it).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Somebody gives the claim back meanwhile; the watch does not show it yet.
    {
        let mut held = it.server.0.lock().unwrap();
        let object = held.object.as_mut().unwrap();
        object["metadata"]["annotations"]["gamewarden.dev/removal"] = Value::Null;
        object["metadata"]["annotations"].as_object_mut().unwrap().remove("gamewarden.dev/removal");
        object["metadata"]["resourceVersion"] = json!("77");
    }
    seconds(2).await;
    assert_eq!(phase(&it), None);
}

/// As after a start: the watch has told of the claim before anybody listened.
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_found_in_the_store_is_answered_too() {
    let mut it = found_idle_every(600).await;
    let (claims, _) = futures::channel::mpsc::unbounded();
    it.claims = claims;
    let starts = it.starts();
    claim(&mut it).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!((it.starts(), phase(&it)), (starts + 1, Some(Phase::Looked)));
}

#[tokio::test(start_paused = true)]
async fn a_claim_on_another_pod_has_nobody_asked() {
    let it = found_idle_every(600).await;
    let starts = it.starts();
    let mut other = object(&it);
    other.metadata.name = Some("game-7".into());
    let patch = claimed_patch(
        &other,
        "pod-uid",
        &Look { qualities: vec!["idle".into()], ..Look::default() },
        false,
        true,
        Timestamp::now(),
    );
    let text =
        patch.unwrap()["metadata"]["annotations"]["gamewarden.dev/removal"].as_str().unwrap().to_owned();
    other.annotations_mut().insert("gamewarden.dev/removal".to_owned(), text);
    let _ = it.claims.unbounded_send(std::sync::Arc::new(other));
    seconds(10).await;
    assert_eq!(it.starts(), starts);
}
