//! A set over two nodes: one is drained, then lost. Servers move when they may, and none is there twice.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use gamewarden_api::{GameServer, types::GameServerState};
use gamewarden_tests::{
    Gss, Manifest, Namespace,
    cluster::nodes_are_ours,
    in_namespace,
    node::{Node, number, on, spread, tolerates},
    wait,
};
use k8s_openapi::api::core::v1::{Node as NodeObject, Pod};
use kube::{Api, ResourceExt};
use serde_json::json;

/// When a node is lost, the default is to wait five minutes until its pods are deleted; these do not wait.
fn spread_at_once(replicas: u32, node: &Node) -> Result<Manifest> {
    let lost = json!({"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
                      "tolerationSeconds": 0});
    let tolerations = json!([tolerates(&node.name), lost]);
    Ok(spread(Manifest::plain("game", replicas)?, node)
        .merge(json!({"gameServerTemplate": {"spec": {"tolerations": tolerations}}})))
}

#[tokio::test]
async fn servers_move_off_a_drained_node_and_a_lost_one_doubles_nothing() -> Result<()> {
    if !nodes_are_ours()? {
        return Ok(());
    }
    let node = Node::add(number::TWO_NODES).await?;
    let result = in_namespace("two-nodes", async |namespace| {
        let set = Gss::create(namespace, &spread_at_once(4, &node)?).await?;
        drained(namespace, &set, &node).await?;
        lost(namespace, &set, &node).await
    })
    .await;
    let removed = node.remove().await;
    result.and(removed)
}

async fn drained(namespace: &Namespace, set: &Gss<'_>, node: &Node) -> Result<()> {
    let before = set.wait_ready(&[0, 1, 2, 3]).await?;
    let (far, near) = (on(&before, &node.name), on(&before, "node-0"));
    assert_eq!((far.len(), near.len()), (2, 2), "the scheduler spreads them");

    namespace.kubectl(&format!("drain {} --timeout=60s", node.name)).await?;
    let moved = wait::all(&set.pods(), set.members(), "all four run on node-0", |pods| {
        pods.len() == 4 && on(pods, "node-0").len() == 4
    })
    .await?;
    set.wait_ready(&[0, 1, 2, 3]).await?;
    for name in near {
        assert_eq!(moved[name].metadata.uid, before[name].metadata.uid, "{name} was not to move");
    }
    for name in far {
        assert_ne!(moved[name].metadata.uid, before[name].metadata.uid, "{name} is made anew");
    }
    namespace.kubectl(&format!("uncordon {}", node.name)).await?;
    Ok(())
}

async fn lost(namespace: &Namespace, set: &Gss<'_>, node: &Node) -> Result<()> {
    // The two new ones go where nobody is.
    set.scale(6).await?;
    let before = set.wait_ready(&[0, 1, 2, 3, 4, 5]).await?;
    let far = on(&before, &node.name);
    assert_eq!(far, ["game-4", "game-5"]);

    node.lose().await?;
    let nodes: Api<NodeObject> = Api::all(namespace.client.clone());
    wait::one(&nodes, &node.name, "its kubelet is missed", |node| {
        let conditions = node.status.iter().flat_map(|s| s.conditions.iter().flatten());
        conditions.filter(|c| c.type_ == "Ready").all(|c| c.status == "Unknown")
    })
    .await?;
    // The API server is asked to delete the pods, but the kubelet never says that they ended.
    let leaving = wait::all(&set.pods(), set.members(), "the lost servers are to go", |pods| {
        far.iter().all(|name| pods.get(*name).is_some_and(|p| p.metadata.deletion_timestamp.is_some()))
    })
    .await?;
    assert_eq!(leaving.len(), 6, "nothing is made in their place while they may still run");
    for name in &far {
        assert_eq!(leaving[*name].metadata.uid, before[*name].metadata.uid, "{name} is the lost one");
        wait::one(&set.servers(), name, "its server is not Ready", |server| !is_ready(server)).await?;
    }
    // What lives is not touched by any of it.
    let alive = set.pods().list(&kube::api::ListParams::default()).await?;
    let alive: BTreeMap<String, Pod> = alive.items.into_iter().map(|pod| (pod.name_any(), pod)).collect();
    for (name, pod) in &alive {
        assert_eq!(pod.metadata.uid, before[name].metadata.uid, "{name} is another pod");
    }

    // Somebody says that the machine is gone for good: now they are made again, elsewhere.
    node.remove().await?;
    let after = set.wait_ready(&[0, 1, 2, 3, 4, 5]).await?;
    assert_eq!(on(&after, "node-0").len(), 6);
    for (name, pod) in &after {
        let same = pod.metadata.uid == before.get(name).context("one of six")?.metadata.uid;
        assert_eq!(same, !far.contains(&name.as_str()), "only the lost ones are made anew: {name}");
    }
    Ok(())
}

fn is_ready(server: &GameServer) -> bool {
    server.status.as_ref().and_then(|s| s.current_state) == Some(GameServerState::Ready)
}
