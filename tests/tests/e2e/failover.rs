//! The controller killed with SIGKILL in the middle of its work: nothing is lost, nothing is done twice.

use std::collections::BTreeMap;

use anyhow::Result;
use gamewarden_tests::{
    Gss, Manifest,
    cluster::nodes_are_ours,
    controller::{another_leads, kill_leader, replace_killed},
    gss::ops_state,
    history::History,
    in_namespace,
    player::Player,
    wait,
};
use k8s_openapi::api::core::v1::Pod;

use crate::paused::{another_version, is_updated};

#[tokio::test]
async fn a_killed_leader_leaves_nothing_undone_and_nothing_twice() -> Result<()> {
    if !nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("failover", async |namespace| {
        let idle = "WaitToBeDeleted";
        let played = Gss::create(namespace, &Manifest::idle("played", 2)?).await?;
        let before = played.wait_states(&[(0, idle), (1, idle)]).await?;

        let history = History::of(namespace);
        let rolled = Gss::create(namespace, &Manifest::plain("rolled", 2)?).await?;
        rolled.wait_ready(&[0, 1]).await?;

        // Killed while two servers flip and others are made …
        let players =
            (Player::enter(namespace, "played-0").await?, Player::enter(namespace, "played-1").await?);
        let made = Gss::create(namespace, &Manifest::idle("made", 3)?).await?;
        let flips = |seen: &BTreeMap<_, _>| seen.values().any(|s| ops_state(s) == Some("None"));
        wait::all(&played.servers(), played.members(), "one of them flips", flips).await?;
        let first = kill_leader(&namespace.client).await?;
        played.wait_states(&[(0, "None"), (1, "None")]).await?;
        let pods = made.wait_states(&[(0, idle), (1, idle), (2, idle)]).await?;
        another_leads(&namespace.client, &first).await?;

        // … and while they flip back, others go, and yet others are updated and joined by one more.
        drop(players);
        rolled.patch(another_version(3)?).await?;
        made.scale(1).await?;
        let leaves = |seen: &BTreeMap<_, Pod>| {
            seen.len() < 3 || seen.values().any(|pod| pod.metadata.deletion_timestamp.is_some())
        };
        wait::all(&made.pods(), made.members(), "one of them goes", leaves).await?;
        let second = kill_leader(&namespace.client).await?;
        let left = made.wait_states(&[(0, idle)]).await?;
        let after = played.wait_states(&[(0, idle), (1, idle)]).await?;
        let updated = |seen: &BTreeMap<_, Pod>| seen.len() == 3 && seen.values().all(is_updated);
        wait::all(&rolled.pods(), rolled.members(), "all are updated", updated).await?;
        rolled.wait_ready(&[0, 1, 2]).await?;
        another_leads(&namespace.client, &second).await?;

        for (name, pods) in history.counts() {
            let wanted = if ["rolled-0", "rolled-1"].contains(&name.as_str()) { 2 } else { 1 };
            assert_eq!(pods, wanted, "pods that have had the name {name}");
        }
        let scaled = namespace.messages("GameServerSet", "rolled", "scale").await?;
        assert_eq!(scaled, ["scale from 2 to 3"]);
        assert_eq!(left["made-0"].metadata.uid, pods["made-0"].metadata.uid);
        for (name, pod) in &after {
            assert_eq!(pod.metadata.uid, before[name].metadata.uid, "{name} is another pod");
            let wanted = [
                format!("OpsState turn from None to WaitToBeDeleted {name}"),
                format!("OpsState turn from None to WaitToBeDeleted {name}"),
                format!("OpsState turn from WaitToBeDeleted to None {name}"),
            ];
            // Events follow the changes that they tell of.
            namespace.said_often("GameServer", name, "OpsState", wanted.len()).await?;
            assert_eq!(namespace.messages("GameServer", name, "OpsState").await?, wanted);
        }
        for server in ["made-0", "made-1", "made-2"] {
            let wanted = [format!("OpsState turn from None to WaitToBeDeleted {server}")];
            assert_eq!(namespace.messages("GameServer", server, "OpsState").await?, wanted);
        }
        let scaled = namespace.messages("GameServerSet", "made", "scale").await?;
        assert_eq!(scaled, ["scale from 3 to 1"]);
        replace_killed(&namespace.client).await
    })
    .await
}
