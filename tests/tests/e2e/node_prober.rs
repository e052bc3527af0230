//! A node with a prober of its own: it probes the servers there, and the node changes hands without a verdict lost or an
//! action done twice, whoever is killed when.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use gamewarden_api::GameServer;
use gamewarden_tests::{
    Gss, Manifest, Namespace,
    cluster::nodes_are_ours,
    controller::{self, another_leads, kill_leader, replace_killed},
    gss::{condition, ops_state},
    in_namespace,
    node::{Node, number, tolerates},
    player::Player,
    prober::{self, Prober},
    wait,
};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

const IDLE: &str = "WaitToBeDeleted";

/// What has servers run on this node and on no other.
pub(crate) fn on(node: &str) -> Value {
    json!({"gameServerTemplate": {"spec": {
        "nodeName": node,
        "tolerations": [tolerates(node)],
        "terminationGracePeriodSeconds": 1,
    }}})
}

/// Runs a test with a node of its own that has a prober.
pub(crate) async fn with_prober(
    number: u8,
    name: &str,
    test: impl AsyncFnOnce(&Namespace, &Node, &Prober) -> Result<()>,
) -> Result<()> {
    if !nodes_are_ours()? {
        return Ok(());
    }
    let node = Node::add(number).await?;
    let result = in_namespace(name, async |namespace| {
        let prober = Prober::put(&namespace.client, &node).await?;
        test(namespace, &node, &prober).await
    })
    .await;
    let removed = node.remove().await;
    result.and(removed)
}

async fn verdicts(namespace: &Namespace, prober: &Prober) -> Result<f64> {
    prober.metric(&namespace.client, "gamewarden_verdict_writes_total", r#"result="written""#).await
}

/// The condition of the pod, as `kubectl get pod -o yaml` shows it: status and message.
fn shown(pod: &Pod) -> Option<(&str, &str)> {
    let mut conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let idle = conditions.find(|c| c.type_ == "game.kruise.io/idle")?;
    Some((&idle.status, idle.message.as_deref().unwrap_or_default()))
}

#[tokio::test]
async fn a_node_changes_hands_and_no_verdict_is_lost_or_has_its_effect_twice() -> Result<()> {
    with_prober(number::NODE_PROBER, "node-prober", async |namespace, node, prober| {
        let manifest = Manifest::idle("game", 2)?.merge(on(&node.name));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
        told(namespace, &set, prober).await?;
        alone(namespace, &set, prober).await?;
        killed(namespace, &set, prober, node).await?;
        let prober = back(namespace, &set, node).await?;
        both(namespace, &set, &prober).await?;
        // Each player came and went once, seen by the prober, by the controller, or by both of them one after another.
        for (server, flips) in [("game-0", 3), ("game-1", 2)] {
            let came = format!("OpsState turn from WaitToBeDeleted to None {server}");
            let went = format!("OpsState turn from None to WaitToBeDeleted {server}");
            let mut wanted = vec![came; flips];
            wanted.splice(0..0, vec![went; flips + 1]);
            namespace.said_often("GameServer", server, "OpsState", wanted.len()).await?;
            assert_eq!(namespace.messages("GameServer", server, "OpsState").await?, wanted);
        }
        claimed(namespace, &set, node).await?;
        replace_killed(&namespace.client).await
    })
    .await
}

/// The prober's verdicts are where the controller's are, with their texts.
async fn told(namespace: &Namespace, set: &Gss<'_>, prober: &Prober) -> Result<()> {
    for ordinal in [0, 1] {
        let name = set.server(ordinal);
        let pod = wait::one(&set.pods(), &name, "its pod says that it is idle", |pod| {
            shown(pod).is_some_and(|(status, text)| status == "True" && !text.is_empty())
        })
        .await?;
        let (_, text) = shown(&pod).context("a condition")?;
        let same = |server: &GameServer| condition(server, "idle") == Some(("True", text));
        set.wait_server(ordinal, "its status has the same text", same).await?;
    }
    ensure!(verdicts(namespace, prober).await? >= 2.0, "they were written by the prober");
    Ok(())
}

/// The controller is killed, and until another takes over there are verdicts all the same.
async fn alone(namespace: &Namespace, set: &Gss<'_>, prober: &Prober) -> Result<()> {
    let player = Player::enter(namespace, "game-0").await?;
    set.wait_states(&[(0, "None"), (1, IDLE)]).await?;
    // What comes and goes while nobody leads is told by no event.
    set.wait_seen(0).await?;
    let killed = kill_leader(&namespace.client).await?;
    let before = verdicts(namespace, prober).await?;
    drop(player);
    set.wait_server(0, "it is idle", |server| ops_state(server) == Some(IDLE)).await?;
    let leader = controller::holder_now(&namespace.client).await?;
    ensure!(leader == killed, "{leader} leads already: this proves nothing");
    ensure!(verdicts(namespace, prober).await? > before, "the prober has written it");
    another_leads(&namespace.client, &killed).await?;
    Ok(())
}

/// The prober is killed in the middle of a flip and does not come back: the controller goes on.
async fn killed(namespace: &Namespace, set: &Gss<'_>, prober: &Prober, node: &Node) -> Result<()> {
    let (first, second) =
        (Player::enter(namespace, "game-0").await?, Player::enter(namespace, "game-1").await?);
    let flips = |seen: &BTreeMap<_, GameServer>| seen.values().any(|s| ops_state(s) == Some("None"));
    wait::all(&set.servers(), set.members(), "one of them flips", flips).await?;
    prober.kill().await?;
    prober::take_away(&namespace.client, &node.name).await?;
    set.wait_states(&[(0, "None"), (1, "None")]).await?;
    drop((first, second));
    set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
    Ok(())
}

/// There is a prober again: the node is its own.
async fn back(namespace: &Namespace, set: &Gss<'_>, node: &Node) -> Result<Prober> {
    let prober = Prober::put(&namespace.client, node).await?;
    let player = Player::enter(namespace, "game-0").await?;
    // Whoever probes in the moments of the hand-over: it is seen.
    set.wait_states(&[(0, "None"), (1, IDLE)]).await?;
    drop(player);
    set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
    ensure!(verdicts(namespace, &prober).await? >= 1.0, "the prober has seen the player go");
    Ok(prober)
}

/// Both are killed at once, and what happens while nobody probes is seen by who comes next.
async fn both(namespace: &Namespace, set: &Gss<'_>, prober: &Prober) -> Result<()> {
    let player = Player::enter(namespace, "game-1").await?;
    set.wait_states(&[(0, IDLE), (1, "None")]).await?;
    set.wait_seen(1).await?;
    let (killed, prober_killed) = tokio::join!(kill_leader(&namespace.client), prober.kill());
    prober_killed?;
    drop(player);
    another_leads(&namespace.client, &killed?).await?;
    prober.successor(&namespace.client).await?;
    set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
    Ok(())
}

/// A claim is answered by the prober: the idle one goes.
async fn claimed(namespace: &Namespace, set: &Gss<'_>, node: &Node) -> Result<()> {
    let prober = Prober::of(&namespace.client, &node.name).await?;
    let player = Player::enter(namespace, "game-1").await?;
    set.wait_states(&[(0, IDLE), (1, "None")]).await?;
    set.scale(1).await?;
    set.wait_states(&[(1, "None")]).await?;
    let looks = prober.metric(&namespace.client, "gamewarden_last_looks_total", r#"result="same""#).await?;
    ensure!(looks >= 1.0, "the prober has looked at it once more");
    drop(player);
    Ok(())
}

/// An action may set containers, which the prober may not: the controller carries it out.
#[tokio::test]
async fn containers_are_set_by_the_controller_on_the_probers_word() -> Result<()> {
    with_prober(number::NODE_PROBER + 1, "owed", async |namespace, node, _| {
        let actions = json!([
            {"state": true, "opsState": "None"},
            {"state": false, "opsState": "Maintaining", "containers": [{
                "name": "minecraft", "resources": {"limits": {"memory": "200Mi"}},
            }]},
        ]);
        let manifest = Manifest::probed("game", "[ ! -e /tmp/ill ]", actions)?.merge(on(&node.name));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_server(0, "it is asked", |server| condition(server, "probe").is_some()).await?;
        namespace.exec("game-0", "touch /tmp/ill").await?;
        let server = set
            .wait_server(0, "it is ill, and its containers are set", |server| {
                ops_state(server) == Some("Maintaining") && !server.spec.containers.is_empty()
            })
            .await?;
        let containers = serde_json::to_value(&server.spec.containers)?;
        assert_eq!(containers, json!([{"name": "minecraft", "resources": {"limits": {"memory": "200Mi"}}}]));
        let record = server.metadata.annotations.as_ref().and_then(|all| all.get("gamewarden.dev/verdicts"));
        let record: Value = serde_json::from_str(record.context("a record")?)?;
        assert_eq!(record["owed"], Value::Null, "settled in the same write");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_runtime_that_ends_and_comes_back_is_survived() -> Result<()> {
    with_prober(number::NODE_PROBER + 2, "runtime", async |namespace, node, prober| {
        let manifest = Manifest::idle("game", 2)?.merge(on(&node.name));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
        let before = set.identity(0).await?;
        let holder = prober.holder(&namespace.client).await?;
        let mut players = Vec::new();
        for (server, away) in [(0, 0), (1, 3)] {
            // A player comes while it is away.
            let name = set.server(server);
            let (back, player) = tokio::join!(
                node.restart_runtime(Duration::from_secs(away)),
                Player::enter(namespace, &name),
            );
            back?;
            players.push(player?);
            set.wait_server(server, "it is in use", |server| ops_state(server) == Some("None")).await?;
        }
        drop(players);
        set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
        // Those of the time before are lost; when others are opened is chance: not at once where a try met no runtime.
        let lost = prober.metric(&namespace.client, "gamewarden_node_sessions_lost_total", "").await?;
        eprintln!("{lost} sessions were lost under a command");
        assert_eq!(set.identity(0).await?, before, "the containers ran on");
        assert_eq!(prober.holder(&namespace.client).await?, holder, "so short an absence hands nothing over");
        Ok(())
    })
    .await
}

/// As with virtual kubelets, which the chart's DaemonSet leaves out: nobody has configured anything for it.
#[tokio::test]
async fn a_virtual_node_is_probed_by_the_controller() -> Result<()> {
    if !nodes_are_ours()? {
        return Ok(());
    }
    let node = Node::add(number::NODE_PROBER + 3).await?;
    let result = in_namespace("virtual", async |namespace| {
        prober::label_virtual(&namespace.client, &node).await?;
        let set = Gss::create(namespace, &Manifest::idle("game", 1)?.merge(on(&node.name))).await?;
        set.wait_states(&[(0, IDLE)]).await?;
        let player = Player::enter(namespace, "game-0").await?;
        set.wait_states(&[(0, "None")]).await?;
        drop(player);
        ensure!(prober::none_is_on(&namespace.client, &node.name).await?, "no prober is put there");
        Ok(())
    })
    .await;
    let removed = node.remove().await;
    result.and(removed)
}
