//! A node is cut off while a set shrinks: nobody can be asked there, and losing sight of them removes nobody.

use anyhow::{Context, Result, ensure};
use gamewarden_tests::{
    Gss, Manifest, Namespace,
    cluster::nodes_are_ours,
    gss::{identity, ops_state, pending},
    in_namespace,
    node::{Node, number, on, spread},
    player::Player,
    wait,
};
use kube::ResourceExt;
use serde_json::json;

const IDLE: &str = "WaitToBeDeleted";

#[tokio::test]
async fn who_cannot_be_asked_stays_and_keeps_nobody_waiting() -> Result<()> {
    if !nodes_are_ours()? {
        return Ok(());
    }
    let node = Node::add(number::OUT_OF_SIGHT).await?;
    let result = in_namespace("out-of-sight", async |namespace| shrinks(namespace, &node).await).await;
    let removed = node.remove().await;
    result.and(removed)
}

async fn shrinks(namespace: &Namespace, node: &Node) -> Result<()> {
    // One answer counts, and the probe that is under way just when the network goes is none.
    let idle = Manifest::idle("game", 4)?.quality(json!({"failureThreshold": 1, "periodSeconds": 1}));
    let set = Gss::create(namespace, &spread(idle, node)).await?;
    let before = set.wait_states(&[(0, IDLE), (1, IDLE), (2, IDLE), (3, IDLE)]).await?;
    let (far, near) = (on(&before, &node.name), on(&before, "node-0"));
    let (&[one, two], &[used, idle]) = (&far[..], &near[..]) else {
        anyhow::bail!("the scheduler spreads them: {far:?} and {near:?}");
    };
    let mut player = Player::enter(namespace, used).await?;
    wait::one(&set.servers(), used, "somebody plays on it", |server| ops_state(server) == Some("None"))
        .await?;

    node.cut_off().await?;
    // Three are idle, as far as anybody knows, and three are to go.
    set.scale(1).await?;
    wait::all(&set.pods(), set.members(), "the one that can be asked is gone", |pods| {
        !pods.contains_key(idle)
    })
    .await?;
    let waiting = set
        .wait("it says who cannot be asked", |set| {
            let condition = pending(set).unwrap_or_default();
            let says = |name: &str| condition["message"].as_str().is_some_and(|text| text.contains(name));
            condition["reason"] == "NoAnswer" && says(one) && says(two)
        })
        .await?;
    let message = pending(&waiting).context("the condition")?["message"].to_string();
    ensure!(!message.contains(used), "{message}");
    let left = wait::all(&set.pods(), set.members(), "the others", |_| true).await?;
    ensure!(left.len() == 3, "{:?}", left.keys());
    for (name, pod) in &left {
        let same = pod.uid() == before.get(name).context("one of four")?.uid();
        ensure!(same && pod.metadata.deletion_timestamp.is_none(), "{name} was removed");
    }

    node.join().await?;
    wait::all(&set.pods(), set.members(), "those on the node have been asked, and are gone", |pods| {
        pods.len() == 1
    })
    .await?;
    let stayed = set.pods().get(used).await?;
    ensure!(
        identity(&stayed)? == identity(before.get(used).context("it was there")?)?,
        "{used} is another pod"
    );
    assert_eq!(player.say("hello").await?, "said");
    Ok(())
}
