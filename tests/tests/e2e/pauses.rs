//! A removal that is interrupted between two of its steps, by controllers of the test's own whose requests are held: whatever
//! comes in between, a server that is in use stays.
//!
//! Each step is needed: `tests/mutants` takes one after another away, and a test of these sees a server go that must not.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use gamewarden_api::{GameServer, removal::Phase, types::GameServerState};
use gamewarden_tests::{
    Gss, Manifest, Namespace, in_namespace,
    own_controller::OwnController,
    player::Player,
    proxy::{Asked, Proxy},
    wait,
};
use http::StatusCode;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

const IDLE: &str = "WaitToBeDeleted";

/// Two idle servers, of which the one with ordinal 1 goes first. A probe that fails is not believed for minutes: only a last look
/// tells that somebody plays, and nothing else changes pods and GameServers.
async fn two_idle<'a>(namespace: &'a Namespace, name: &str) -> Result<Gss<'a>> {
    let manifest = Manifest::idle(name, 2)?.quality(json!({"failureThreshold": 100}));
    let set = Gss::create(namespace, &manifest).await?;
    set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
    for ordinal in [0, 1] {
        set.wait_seen(ordinal).await?;
    }
    Ok(set)
}

/// A set of two idle servers of one controller alone, and the proxy that this one asks.
async fn one_controller(namespace: &Namespace) -> Result<(Proxy, OwnController, Gss<'_>)> {
    namespace.keep_installed_out().await?;
    let proxy = Proxy::open(namespace).await?;
    let controller = OwnController::start(namespace, "controller", "pauses", &proxy)?;
    let set = two_idle(namespace, "game").await?;
    Ok((proxy, controller, set))
}

/// A claim, or the answer of a last look to it.
fn claims(asked: &Asked) -> bool {
    asked.writes_claim().is_some_and(|(_, claim)| claim.is_open())
}

fn commits(asked: &Asked) -> bool {
    asked.writes_claim().is_some_and(|(_, claim)| claim.phase == Phase::Committed)
}

/// Waits until one of the two goes: the idle one.
async fn the_idle_one_goes(set: &Gss<'_>) -> Result<()> {
    let (idle, in_use) = (set.server(0), set.server(1));
    let is_going = |seen: &BTreeMap<String, Pod>, name: &str| {
        seen.get(name).is_none_or(|pod| pod.metadata.deletion_timestamp.is_some())
    };
    let what = format!("{idle} or {in_use} goes");
    let seen =
        wait::all(&set.pods(), set.members(), &what, |seen| is_going(seen, &idle) || is_going(seen, &in_use))
            .await?;
    ensure!(!is_going(&seen, &in_use), "{in_use} goes, which is in use");
    Ok(())
}

/// Whoever finds a commit that nobody has followed up withdraws it, and a DELETE that comes after that fails.
#[tokio::test]
async fn a_delete_that_comes_after_the_withdrawal_fails() -> Result<()> {
    in_namespace("withdrawn", async |namespace| {
        namespace.keep_installed_out().await?;
        let to_first = Proxy::open(namespace).await?;
        let _first = OwnController::start(namespace, "first", "first", &to_first)?;
        let set = two_idle(namespace, "game").await?;
        let mut deletes = to_first.hold(|asked| asked.deletes_pod().is_some());
        set.scale(1).await?;
        let late = deletes.next("the first controller deletes a pod").await?;
        assert_eq!(late.asked.deletes_pod(), Some("game-1"));
        // Only the DELETE of its is wanted: it is not to begin anew.
        let begins_anew = to_first.hold(claims);

        // Both lead at once. The second one waits for the DELETE for as long as a commit lasts, and begins anew.
        let to_second = Proxy::open(namespace).await?;
        let mut takes_up = to_second.hold(claims);
        let _second = OwnController::start(namespace, "second", "second", &to_second)?;
        let claim = takes_up.next("the second controller claims game-1 anew").await?;
        let mut player = Player::enter(namespace, "game-1").await?;
        let answer = late.goes_on().await?;

        drop((claim, takes_up, begins_anew, deletes));
        the_idle_one_goes(&set).await?;
        assert_eq!(answer, StatusCode::CONFLICT, "the late DELETE");
        set.wait_states(&[(1, "None")]).await?;
        assert_eq!(player.say("hello").await?, "said");
        Ok(())
    })
    .await
}

/// A matchmaker takes the server after its last look: the commit was decided on what is no longer so.
#[tokio::test]
async fn a_commit_that_comes_after_a_matchmaker_fails() -> Result<()> {
    in_namespace("taken", async |namespace| {
        let (proxy, _controller, set) = one_controller(namespace).await?;
        let mut held = proxy.hold(commits);
        set.scale(1).await?;
        let commit = held.next("a removal is committed").await?;
        assert_eq!(commit.asked.writes_claim().map(|(server, _)| server), Some("game-1"));
        set.patch_server(1, json!({"opsState": "Allocated"})).await?;
        let answer = commit.goes_on().await?;

        drop(held);
        the_idle_one_goes(&set).await?;
        assert_eq!(answer, StatusCode::CONFLICT, "the commit");
        set.wait_states(&[(1, "Allocated")]).await?;
        Ok(())
    })
    .await
}

/// Somebody joins after the decision and before the claim: no verdict says so, and the last look does.
#[tokio::test]
async fn who_joins_before_the_claim_is_seen_by_the_last_look() -> Result<()> {
    in_namespace("looked", async |namespace| {
        let (proxy, _controller, set) = one_controller(namespace).await?;
        let mut held = proxy.hold(claims);
        set.scale(1).await?;
        let claim = held.next("a server is claimed").await?;
        assert_eq!(claim.asked.writes_claim().map(|(server, _)| server), Some("game-1"));
        let mut player = Player::enter(namespace, "game-1").await?;

        drop((claim, held));
        the_idle_one_goes(&set).await?;
        set.wait_states(&[(1, "None")]).await?;
        assert_eq!(player.say("hello").await?, "said");
        Ok(())
    })
    .await
}

/// Two of three servers are to go, and none is idle. While the first one goes, one of the others becomes idle: that one goes
/// next, although the controller decides on all of them at once.
#[tokio::test]
async fn who_becomes_idle_while_another_goes_is_the_next_one() -> Result<()> {
    in_namespace("meanwhile", async |namespace| {
        namespace.keep_installed_out().await?;
        let proxy = Proxy::open(namespace).await?;
        let _controller = OwnController::start(namespace, "controller", "pauses", &proxy)?;
        let set = Gss::create(namespace, &Manifest::plain("game", 3)?).await?;
        set.wait_ready(&[0, 1, 2]).await?;
        let mut held = proxy.hold(|asked| asked.deletes_pod().is_some());
        set.scale(1).await?;
        let first = held.next("the first one goes").await?;
        assert_eq!(first.asked.deletes_pod(), Some("game-2"));
        set.patch_server(0, json!({"opsState": IDLE})).await?;
        assert_eq!(first.goes_on().await?, StatusCode::OK);

        let second = held.next("another one goes").await?;
        assert_eq!(second.asked.deletes_pod(), Some("game-0"), "game-1 goes, which is in use");
        drop((second, held));
        set.wait_ready(&[1]).await?;
        Ok(())
    })
    .await
}

/// A player joins after the decision, and the game says so with the label of its preDelete hook: the DELETE was decided on a pod
/// without it.
#[tokio::test]
async fn a_hook_that_comes_between_commit_and_delete_holds_the_pod() -> Result<()> {
    in_namespace("hooked", async |namespace| {
        namespace.keep_installed_out().await?;
        let proxy = Proxy::open(namespace).await?;
        let _controller = OwnController::start(namespace, "controller", "pauses", &proxy)?;
        let hook = json!({"lifecycle": {"preDelete": {"labelsHandler": {"example.com/playing": "yes"}}}});
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?.merge(hook)).await?;
        set.wait_ready(&[0, 1]).await?;
        let before = set.identity(1).await?;
        let mut held = proxy.hold(|asked| asked.reads_pod().is_some());
        set.scale(1).await?;
        let read = held.next("game-1 is committed, and its pod read").await?;
        assert_eq!(read.asked.reads_pod(), Some("game-1"));
        namespace.kubectl("label pod game-1 example.com/playing=yes").await?;

        drop((read, held));
        let is_held = |server: &GameServer| {
            server.status.as_ref().and_then(|s| s.current_state) == Some(GameServerState::PreDelete)
        };
        set.wait_server(1, "it is held", is_held).await?;
        ensure!(set.identity(1).await? == before, "game-1 goes, which is in use");
        assert!(proxy.answers(|asked| asked.deletes_pod().is_some()).is_empty(), "a DELETE was sent");
        Ok(())
    })
    .await
}

/// The leader is stopped past its lease between commit and DELETE: one DELETE is on its way by then, of the other one it has only
/// read the pod. Another leads and withdraws both commits. What wakes up sends nothing more, and what was on its way fails.
#[tokio::test]
async fn a_leader_that_is_stopped_between_commit_and_delete_deletes_nothing() -> Result<()> {
    in_namespace("stopped", async |namespace| {
        namespace.keep_installed_out().await?;
        let (to_first, to_second) = (Proxy::open(namespace).await?, Proxy::open(namespace).await?);
        let mut first = OwnController::start(namespace, "first", "pauses", &to_first)?;
        first.leads(namespace, "pauses").await?;
        let mut takes_up = to_second.hold(claims);
        let second = OwnController::start(namespace, "second", "pauses", &to_second)?;
        let (sent, unsent) = tokio::try_join!(two_idle(namespace, "sent"), two_idle(namespace, "unsent"))?;

        let mut deletes = to_first.hold(|asked| asked.deletes_pod() == Some("sent-1"));
        let mut reads = to_first.hold(|asked| asked.reads_pod() == Some("unsent-1"));
        sent.scale(1).await?;
        unsent.scale(1).await?;
        let delete = deletes.next("the leader deletes sent-1").await?;
        let read = reads.next("the leader has committed unsent-1, and reads its pod").await?;
        first.stop().await?;

        second.leads(namespace, "pauses").await?;
        // A claim that is held for too long is tried again, and held as well.
        let mut taken_up = BTreeMap::new();
        while taken_up.len() < 2 {
            let claim = takes_up.next("the new leader claims sent-1 and unsent-1 anew").await?;
            let server = claim.asked.writes_claim().map(|(server, _)| server.to_owned());
            taken_up.entry(server).or_insert_with(Vec::new).push(claim);
        }
        let mut players = Vec::new();
        for server in ["sent-1", "unsent-1"] {
            players.push(Player::enter(namespace, server).await?);
        }

        // The answer that it waits for is there when it wakes up.
        assert_eq!(read.goes_on().await?, StatusCode::OK);
        first.go_on().await?;
        let status = first.ends().await?;
        assert_eq!(status.code(), Some(1), "the lease is lost");
        let answer = delete.goes_on().await?;

        drop((taken_up, takes_up));
        the_idle_one_goes(&sent).await?;
        the_idle_one_goes(&unsent).await?;
        assert_eq!(answer, StatusCode::CONFLICT, "the DELETE that was on its way");
        let deletes_any = |asked: &Asked| asked.deletes_pod().is_some();
        assert_eq!(to_first.answers(deletes_any), [StatusCode::CONFLICT], "DELETEs of who was stopped");
        for set in [&sent, &unsent] {
            set.wait_states(&[(1, "None")]).await?;
        }
        for mut player in players {
            assert_eq!(player.say("hello").await?, "said");
        }
        Ok(())
    })
    .await
}
