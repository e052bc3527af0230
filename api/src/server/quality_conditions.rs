//! The pod's conditions `game.kruise.io/<quality>`: what is to be written, and what of ours is to go.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::{Value, json};

use super::state::condition;
use crate::{
    names, quality,
    time::truncated,
    types::{GameServer, ServiceQuality},
};

/// Elements of a strategic merge patch of `status.conditions`, one for each condition that changes.
///
/// A condition of a quality that the set no longer has is removed where it is ours, which its reason tells:
/// somebody else may keep conditions under the same prefix.
pub(super) fn changes(
    pod: &Pod,
    server: &GameServer,
    qualities: &[ServiceQuality],
    now: Timestamp,
) -> Vec<Value> {
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let now = Time(truncated(now));
    let wanted: BTreeMap<String, &str> =
        quality::pod_conditions(qualities, server, uid).into_iter().collect();
    let mut changes: Vec<Value> = wanted
        .iter()
        .filter(|(type_, status)| condition(pod, type_).is_none_or(|current| current.status != **status))
        .map(|(type_, status)| {
            json!({
                "type": type_, "status": status, "reason": names::reason::SERVICE_QUALITY, "lastTransitionTime": now,
            })
        })
        .collect();
    let is_left = |type_: &str| {
        type_.starts_with(names::OKG)
            && !qualities.iter().any(|quality| names::quality_condition(&quality.name) == type_)
    };
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    changes.extend(
        conditions
            .filter(|c| c.reason.as_deref() == Some(names::reason::SERVICE_QUALITY) && is_left(&c.type_))
            .map(|c| json!({"type": c.type_, "$patch": "delete"})),
    );
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn run(conditions: Value, record: Value, names: &[&str]) -> Vec<Value> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"uid": "pod-uid"}, "status": {"conditions": conditions},
        }))
        .unwrap();
        let record = json!({"v": 1, "pod": "pod-uid", "q": record}).to_string();
        let server = json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer",
            "metadata": {"name": "game-0", "annotations": {"gamewarden.dev/verdicts": record}}, "spec": {},
        });
        let server = serde_json::from_value(server).unwrap();
        let quality = |name: &&str| ServiceQuality { name: (*name).to_owned(), ..ServiceQuality::default() };
        let qualities: Vec<ServiceQuality> = names.iter().map(quality).collect();
        changes(&pod, &server, &qualities, NOW.parse().unwrap())
    }

    fn ours(name: &str, status: &str) -> Value {
        json!({"type": format!("game.kruise.io/{name}"), "status": status, "reason": "ServiceQuality"})
    }

    #[test]
    fn a_verdict_is_told_once() {
        let new = |status: &str| {
            let mut new = ours("idle", status);
            new["lastTransitionTime"] = json!(NOW);
            vec![new]
        };
        let record = json!({"idle": {"s": true}});
        assert_eq!(run(json!([]), record.clone(), &["idle", "load"]), new("True"));
        assert_eq!(run(json!([ours("idle", "False")]), record.clone(), &["idle"]), new("True"));
        assert_eq!(run(json!([ours("idle", "True")]), record, &["idle"]), Vec::<Value>::new());
        let unknown = json!({"idle": {"s": true, "unknown": true}});
        assert_eq!(run(json!([ours("idle", "True")]), unknown, &["idle"]), new("Unknown"));
    }

    #[test]
    fn the_condition_of_a_removed_quality_goes_and_nobody_elses() {
        let theirs = json!({"type": "game.kruise.io/theirs", "status": "True"});
        let network = json!({"type": "example.com/idle", "status": "True", "reason": "ServiceQuality"});
        let conditions = json!([ours("idle", "True"), ours("old", "False"), theirs, network]);
        let record = json!({"idle": {"s": true}, "old": {"s": false}});
        assert_eq!(
            run(conditions, record, &["idle"]),
            [json!({"type": "game.kruise.io/old", "$patch": "delete"})]
        );
        // One without a verdict stays as it is: it may be a restart of the record.
        assert_eq!(run(json!([ours("idle", "True")]), json!({}), &["idle"]), Vec::<Value>::new());
    }
}
