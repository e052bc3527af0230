//! What the webhook says of a scale-down is what the controller does then: both plan alike, one from what it keeps of
//! sets and GameServers, the other from all of them and their pods.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::fixture::{Cluster, NOW};
use crate::{
    guard::{Asked, Cache, KeptServer, KeptSet, Operation, Rules, Sight, Target, judge},
    names,
};

/// The names of all lines with one of these heads, in order.
fn named(warnings: &[String], heads: [&str; 2]) -> Vec<String> {
    let lines = warnings.iter().filter_map(|line| heads.iter().find_map(|head| line.strip_prefix(head)));
    let servers = lines.flat_map(|line| line.split(", ")).filter(|part| part.starts_with("game-"));
    servers.map(|part| part.split(' ').next().unwrap_or_default().to_owned()).collect()
}

/// What `kubectl scale` is told.
fn told(cluster: &Cluster, replicas: usize) -> Vec<String> {
    let metadata = |object: &serde_json::Value| serde_json::from_value(object["metadata"].clone()).unwrap();
    let mut cache = Cache::default();
    cache.sets.put("default", "game", Some(KeptSet::of(&metadata(&cluster.set), &cluster.set)));
    for server in &cluster.servers {
        let name = server["metadata"]["name"].as_str().unwrap();
        cache.servers.put("default", name, KeptServer::of(&metadata(server), server));
    }
    let scale = |replicas: &serde_json::Value| json!({"spec": {"replicas": replicas}});
    let (old, new) = (scale(&cluster.set["spec"]["replicas"]), scale(&json!(replicas)));
    let asked = Asked {
        target: Target::Scale,
        operation: Operation::Update,
        namespace: "default",
        name: "game",
        user: "alice",
        groups: &[],
        old: Some(&old),
        new: Some(&new),
        dry_run: true,
        orphans: false,
    };
    let now: Timestamp = NOW.parse().unwrap();
    let verdict = judge(&asked, &cache, Sight::Clear, &Rules::default(), now);
    assert_eq!(verdict.refusal, None);
    verdict.warnings
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn who_is_said_to_go_goes_and_nobody_else(
        states in prop::collection::vec(
            prop::sample::select(vec!["None", "WaitToBeDeleted", "Kill", "Allocated", "Maintaining", "Own"]), 1..9,
        ),
        fewer in 1_usize..9,
        priorities in prop::collection::vec(0..3, 9),
        strict in any::<bool>(),
    ) {
        let replicas = states.len().saturating_sub(fewer);
        let ordinals: Vec<String> = (0..states.len()).map(|ordinal| ordinal.to_string()).collect();
        let mut cluster = Cluster::new(i32::try_from(states.len()).unwrap(), &ordinals.join(","));
        for (ordinal, state) in (0..).zip(&states) {
            cluster = cluster.with(ordinal, state);
        }
        for (server, priority) in cluster.servers.iter_mut().zip(priorities) {
            server["spec"]["deletionPriority"] = json!(priority);
            server["metadata"]["labels"][names::OWNER_GSS] = json!("game");
            server["status"] = json!({"currentState": "Ready"});
        }
        if strict {
            cluster.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
        }
        let warnings = told(&cluster, replicas);
        cluster.set["spec"]["replicas"] = json!(replicas);
        let gone: Vec<String> = cluster.leave().into_iter().map(|removal| removal.name).collect();
        prop_assert_eq!(named(&warnings, ["goes, in this order: ", "then: "]), gone, "{:?}", warnings);
        let kept: Vec<String> = cluster.plan().troubles.into_iter().flat_map(|trouble| trouble.servers).collect();
        prop_assert_eq!(named(&warnings, ["stays while in use (Strict): ", "stays, too: "]), kept, "{:?}", warnings);
    }
}
