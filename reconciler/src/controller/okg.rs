//! OpenKruiseGame's own metrics, under its names, so that dashboards and alerts written for it keep working.
//!
//! They are counted from the stores when somebody scrapes; only the leader has stores.
//!
//! Not here: `okg_gameserver_ready_duration_seconds` and `okg_gameserver_network_ready_duration_seconds`, which
//! a controller that has taken over cannot know. The two priorities are told of servers whose priority is not
//! 0: two series for each of ten thousand idle servers would be most of a scrape, and say nothing.

use std::{collections::BTreeMap, fmt};

use gamewarden_api::{GameServer, GameServerSet, names, scale::priority};
use kube::ResourceExt;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::Stores;

/// Has a registry tell them.
pub(super) fn register(registry: &mut Registry, stores: &Stores) {
    registry.register_collector(Box::new(OkgMetrics { stores: stores.clone() }));
}

#[derive(Debug)]
struct OkgMetrics {
    stores: Stores,
}

/// Values of labels, in the order of their names, and the number.
type Series<const N: usize> = BTreeMap<[String; N], i64>;

impl Collector for OkgMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let servers = self.stores.servers.state();
        let mut told = Told::default();
        for server in &servers {
            told.server(server);
        }
        for set in self.stores.sets.state() {
            told.set(&set);
        }
        let total = ConstCounter::new(self.stores.by.servers_seen());
        let family = encoder.encode_descriptor(
            "okg_gameservers",
            "GameServers that this controller has seen to come",
            None,
            MetricType::Counter,
        )?;
        total.encode(family)?;
        gauge(encoder, "okg_gameservers_state_count", "GameServers by state", ["state"], &told.states)?;
        gauge(
            encoder,
            "okg_gameservers_opsState_count",
            "GameServers by opsState",
            ["opsState", "gssName", "namespace"],
            &told.ops_states,
        )?;
        gauge(
            encoder,
            "okg_gameserversets_replicas_count",
            "Replicas of a GameServerSet",
            ["gssName", "gssNs", "gsStatus"],
            &told.replicas,
        )?;
        gauge(
            encoder,
            "okg_gameserver_deletion_priority",
            "Deletion priority of a GameServer, where it is not 0",
            ["gsName", "gsNs"],
            &told.deletion_priorities,
        )?;
        gauge(
            encoder,
            "okg_gameserver_update_priority",
            "Update priority of a GameServer, where it is not 0",
            ["gsName", "gsNs"],
            &told.update_priorities,
        )
    }
}

fn gauge<const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    labels: [&str; N],
    series: &Series<N>,
) -> fmt::Result {
    if series.is_empty() {
        return Ok(());
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (values, number) in series {
        let mut pairs = Vec::with_capacity(N);
        pairs.extend(labels.iter().zip(values).map(|(label, value)| (*label, value.as_str())));
        ConstGauge::new(*number).encode(family.encode_family(&pairs)?)?;
    }
    Ok(())
}

/// All that is told.
#[derive(Debug, Default)]
struct Told {
    states: Series<1>,
    ops_states: Series<3>,
    replicas: Series<3>,
    deletion_priorities: Series<2>,
    update_priorities: Series<2>,
}

impl Told {
    fn server(&mut self, server: &GameServer) {
        let namespace = server.namespace().unwrap_or_default();
        let set = server.labels().get(names::OWNER_GSS).cloned().unwrap_or_default();
        let status = server.status.as_ref();
        let state = status.and_then(|status| status.current_state).map(|state| state.to_string());
        let ops_state = server.spec.ops_state.as_ref().map(ToString::to_string);
        *self.states.entry([state.unwrap_or_default()]).or_default() += 1;
        let ops_state = [ops_state.unwrap_or_default(), set, namespace.clone()];
        *self.ops_states.entry(ops_state).or_default() += 1;
        for (series, value) in [
            (&mut self.deletion_priorities, &server.spec.deletion_priority),
            (&mut self.update_priorities, &server.spec.update_priority),
        ] {
            let number = priority(value.as_ref());
            if number != 0 {
                series.insert([server.name_any(), namespace.clone()], number);
            }
        }
    }

    fn set(&mut self, set: &GameServerSet) {
        let Some(status) = &set.status else { return };
        for (name, number) in [
            ("current", status.current_replicas),
            ("ready", status.ready_replicas),
            ("available", status.available_replicas),
            ("maintaining", status.maintaining_replicas),
            ("waitToBeDeleted", status.wait_to_be_deleted_replicas),
        ] {
            let labels = [set.name_any(), set.namespace().unwrap_or_default(), name.to_owned()];
            self.replicas.insert(labels, number.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use kube::runtime::{reflector, watcher::Event};
    use prometheus_client::encoding::text::encode;
    use serde_json::json;

    use super::*;
    use crate::controller::stores::Indexes;

    fn server(number: usize, ops_state: &str, priority: i64) -> GameServer {
        serde_json::from_value(json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer",
            "metadata": {"name": format!("game-{number}"), "namespace": "games",
                "labels": {"game.kruise.io/owner-gss": format!("game{}", number / 1000)}},
            "spec": {"opsState": ops_state, "deletionPriority": priority},
            "status": {"currentState": "Ready"},
        }))
        .unwrap()
    }

    fn registry(servers: Vec<GameServer>) -> Registry {
        let (sets, mut set_writer) = reflector::store();
        let (pods, _) = reflector::store();
        let (server_store, mut writer) = reflector::store();
        let (nodes, _) = reflector::store();
        let (claims, _) = reflector::store();
        let (volumes, _) = reflector::store();
        let (budgets, _) = reflector::store();
        for server in servers {
            writer.apply_watcher_event(&Event::Apply(server));
        }
        let set: GameServerSet = serde_json::from_value(json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
            "metadata": {"name": "game0", "namespace": "games"},
            "spec": {"replicas": 3, "gameServerTemplate": {"spec": {}}},
            "status": {"currentReplicas": 3, "readyReplicas": 2},
        }))
        .unwrap();
        set_writer.apply_watcher_event(&Event::Apply(set));
        let by = Arc::new(Indexes::new());
        let stores = Stores { sets, pods, servers: server_store, nodes, claims, volumes, budgets, by };
        let mut registry = Registry::default();
        register(&mut registry, &stores);
        registry
    }

    #[test]
    fn they_have_the_names_and_labels_that_dashboards_ask_for() {
        let registry =
            registry(vec![server(0, "None", 0), server(1, "Maintaining", 7), server(2, "None", 0)]);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "# TYPE okg_gameservers_opsState_count gauge",
            r#"okg_gameservers_opsState_count{opsState="None",gssName="game0",namespace="games"} 2"#,
            r#"okg_gameservers_opsState_count{opsState="Maintaining",gssName="game0",namespace="games"} 1"#,
            r#"okg_gameservers_state_count{state="Ready"} 3"#,
            "okg_gameservers_total 0",
            r#"okg_gameserversets_replicas_count{gssName="game0",gssNs="games",gsStatus="ready"} 2"#,
            r#"okg_gameserver_deletion_priority{gsName="game-1",gsNs="games"} 7"#,
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is missing in\n{text}");
        }
        let priorities = text.lines().filter(|line| line.starts_with("okg_gameserver_")).count();
        assert_eq!(priorities, 1, "a priority of 0 is not told\n{text}");
    }

    /// `cargo test -p reconciler --release -- --ignored --nocapture measure_scrape`
    #[test]
    #[ignore = "a measurement"]
    fn measure_scrape() {
        for (what, priority) in [("no priorities", 0), ("a priority each", 5)] {
            let registry = registry((0..10_000).map(|n| server(n, "None", priority)).collect());
            let mut text = String::new();
            let start = Instant::now();
            encode(&mut text, &registry).unwrap();
            eprintln!("10,000 servers, {what}: {:?}, {} KiB", start.elapsed(), text.len() / 1024);
        }
    }
}
