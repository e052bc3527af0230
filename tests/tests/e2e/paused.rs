//! The leader stopped with SIGSTOP in the middle of its work, past its lease, and then told to go on: another
//! has done what was left, and what wakes up does nothing more.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use gamewarden_tests::{
    Gss, Manifest,
    controller::{Stopped, another_leads, replace_killed},
    gss::identity,
    history::History,
    in_namespace,
    player::Player,
    wait,
};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use tokio::time::timeout;

/// The kubelet ends a process that has not answered for a minute. By then the stopped one must go on, or it
/// would not be it that ended.
const STOPPED_FOR: Duration = Duration::from_secs(50);

#[tokio::test]
async fn a_leader_that_was_stopped_past_its_lease_does_nothing_more() -> Result<()> {
    in_namespace("paused", async |namespace| {
        let idle = "WaitToBeDeleted";
        let history = History::of(namespace);
        let played = Gss::create(namespace, &Manifest::idle("played", 2)?).await?;
        let shrunk = Gss::create(namespace, &Manifest::plain("shrunk", 3)?).await?;
        let grown = Gss::create(namespace, &Manifest::plain("grown", 1)?).await?;
        let rolled = Gss::create(namespace, &Manifest::plain("rolled", 2)?).await?;
        let mut before = played.wait_states(&[(0, idle), (1, idle)]).await?;
        let leaves = Player::enter(namespace, "played-0").await?;
        played.wait_states(&[(0, "None"), (1, idle)]).await?;
        before.extend(shrunk.wait_ready(&[0, 1, 2]).await?);
        before.extend(grown.wait_ready(&[0]).await?);
        rolled.wait_ready(&[0, 1]).await?;

        // Flips in both directions, a scale-down, a scale-up, a rolling update; and as soon as the update has
        // begun, the creation of a set, under whose first pods the leader is stopped.
        let _enters = Player::enter(namespace, "played-1").await?;
        drop(leaves);
        shrunk.scale(1).await?;
        rolled.patch(another_version(2)?).await?;
        let is_leaving = |seen: &BTreeMap<_, Pod>| {
            seen.len() < 2 || seen.values().any(|pod| pod.metadata.deletion_timestamp.is_some())
        };
        wait::all(&rolled.pods(), rolled.members(), "one of them goes", is_leaving).await?;
        grown.scale(3).await?;
        let made = Gss::create(namespace, &Manifest::idle("made", 4)?).await?;
        let stopped = Stopped::leader(&namespace.client).await?;
        let since = Instant::now();

        another_leads(&namespace.client, &stopped.leader.identity).await?;
        let mut after = played.wait_states(&[(0, idle), (1, "None")]).await?;
        after.extend(shrunk.wait_ready(&[0]).await?);
        after.extend(grown.wait_ready(&[0, 1, 2]).await?);
        after.extend(made.wait_states(&[(0, idle), (1, idle), (2, idle), (3, idle)]).await?);
        let updated = |seen: &BTreeMap<_, Pod>| seen.len() == 2 && seen.values().all(is_updated);
        wait::all(&rolled.pods(), rolled.members(), "both are updated", updated).await?;
        after.extend(rolled.wait_ready(&[0, 1]).await?);

        // It goes on, and nothing changes. On a machine so slow that there was no rest in time, only what came
        // out in the end is compared.
        let left = STOPPED_FOR.saturating_sub(since.elapsed());
        let rest = timeout(left, namespace.settled()).await.ok().transpose()?;
        stopped.goes_on_and_ends(&namespace.client).await?;
        let versions = namespace.settled().await?;
        if let Some(rest) = rest {
            ensure!(rest == versions, "written by whom?\nbefore {rest:#?}\nafter {versions:#?}");
        }

        for (name, pod) in &after {
            assert_eq!(identity(pod)?.restarts, 0, "{name}");
            if let Some(before) = before.get(name) {
                assert_eq!(pod.metadata.uid, before.metadata.uid, "{name} is another pod");
            }
        }
        let mut counts = history.counts();
        for ordinal in [0, 1] {
            let pods = counts.insert(rolled.server(ordinal), 1);
            assert_eq!(pods, Some(2), "pods that have had the name of rolled-{ordinal}");
        }
        for (name, pods) in counts {
            assert_eq!(pods, 1, "pods that have had the name {name}");
        }

        let comes = |name: &str| format!("OpsState turn from {idle} to None {name}");
        let goes = |name: &str| format!("OpsState turn from None to {idle} {name}");
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        wanted.insert("played-0".into(), vec![goes("played-0"), goes("played-0"), comes("played-0")]);
        wanted.insert("played-1".into(), vec![goes("played-1"), comes("played-1")]);
        wanted.extend((0..4).map(|o| (made.server(o), vec![goes(&made.server(o))])));
        for (name, wanted) in wanted {
            assert_eq!(namespace.messages("GameServer", &name, "OpsState").await?, wanted);
            let mut states = namespace.messages("GameServer", &name, "State").await?;
            let said = states.len();
            states.dedup();
            assert_eq!(states.len(), said, "a state of {name} was said twice: {states:?}");
        }
        for (set, wanted) in [("shrunk", "scale from 3 to 1"), ("grown", "scale from 1 to 3")] {
            assert_eq!(namespace.messages("GameServerSet", set, "scale").await?, [wanted]);
        }
        replace_killed(&namespace.client).await
    })
    .await
}

/// A patch of the template and of the number of servers.
pub(crate) fn another_version(replicas: u32) -> Result<serde_json::Value> {
    let env = json!({"env": [{"name": "VERSION", "value": "2"}]});
    let manifest = Manifest::plain("rolled", replicas)?.container(env).object()?;
    Ok(json!({"spec": {"replicas": replicas, "gameServerTemplate": manifest.spec.game_server_template}}))
}

pub(crate) fn is_updated(pod: &Pod) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers.flat_map(|container| container.env.iter().flatten()).any(|var| var.name == "VERSION")
}
