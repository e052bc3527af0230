//! The pod's conditions `game.kruise.io/<quality>`: what is to be written, and what of ours is to go.
//!
//! They mirror the record: its status, and as the message the text of the answer. One writer is enough. On a node
//! with a prober that is the prober, which has the text; the controller waits for its word, and writes them itself on
//! all other nodes. Both write the same for the same record, so that neither undoes what the other has written.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Pod, PodCondition as Condition},
    apimachinery::pkg::apis::meta::v1::Time,
};
use serde_json::{Value, json};

use super::state::condition;
use crate::{
    names::{self, reason::SERVICE_QUALITY},
    quality::{PodCondition, pod_conditions},
    time::truncated,
    types::{GameServer, ServiceQuality},
};

/// The strategic merge patch of the pod's status that tells the verdicts of the server's record, for the prober of its
/// node. It carries the uid. `None` where they are told; `results` is what the prober has heard.
#[must_use]
pub fn told_on_pod(
    pod: &Pod,
    server: &GameServer,
    qualities: &[ServiceQuality],
    results: &dyn Fn(&str) -> Option<String>,
    now: Timestamp,
) -> Option<Value> {
    let changes = changes(pod, &wanted(pod, server, qualities, results), now);
    (!changes.is_empty()).then(|| patch(pod, &changes))
}

/// What the record has the pod's conditions say.
pub(super) fn wanted(
    pod: &Pod,
    server: &GameServer,
    qualities: &[ServiceQuality],
    results: &dyn Fn(&str) -> Option<String>,
) -> Vec<PodCondition> {
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    pod_conditions(qualities, server, uid, &|quality| texts(pod, quality, results))
}

/// What may be the text of a quality's last answer: what is remembered, and what the pod's condition says.
pub(super) fn texts(pod: &Pod, quality: &str, results: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let told = condition(pod, &names::quality_condition(quality)).and_then(|c| c.message.clone());
    results(quality).into_iter().chain(told).collect()
}

/// A strategic merge patch of the pod's conditions.
pub(super) fn patch(pod: &Pod, conditions: &[Value]) -> Value {
    json!({"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": conditions}})
}

/// Elements of a strategic merge patch of `status.conditions`, one for each condition that changes.
pub(super) fn changes(pod: &Pod, wanted: &[PodCondition], now: Timestamp) -> Vec<Value> {
    let change = |wanted: &PodCondition| {
        let current = condition(pod, &wanted.type_);
        let turned = current.is_none_or(|current| current.status != wanted.status);
        let message = current.and_then(|current| current.message.as_deref()).unwrap_or_default();
        let text: &str = match &wanted.text {
            Some(text) => text,
            // Of another answer, or of one that nobody knows any more.
            None if turned => "",
            None => message,
        };
        if !turned && message == text {
            return None;
        }
        let mut change = json!({"type": wanted.type_, "status": wanted.status, "reason": SERVICE_QUALITY});
        if turned {
            // That of the record: who writes it again, as its watch is behind, changes nothing.
            change["lastTransitionTime"] = json!(Time(wanted.since.unwrap_or_else(|| truncated(now))));
        }
        if message != text {
            change["message"] = if text.is_empty() { Value::Null } else { json!(text) };
        }
        Some(change)
    };
    wanted.iter().filter_map(change).collect()
}

/// Elements that take conditions away: those of qualities that the set no longer has, where they are ours, which their
/// reason tells. Somebody else may keep conditions under the same prefix.
pub(super) fn removals(pod: &Pod, qualities: &[ServiceQuality]) -> Vec<Value> {
    let is_left = |type_: &str| {
        type_.starts_with(names::OKG)
            && !qualities.iter().any(|quality| names::quality_condition(&quality.name) == type_)
    };
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|c| c.reason.as_deref() == Some(SERVICE_QUALITY) && is_left(&c.type_))
        .map(|c| json!({"type": c.type_, "$patch": "delete"}))
        .collect()
}

/// Whether the pod's condition does not tell yet what is wanted: its prober's word is on its way.
pub(super) fn is_behind(pod: &Pod, wanted: &PodCondition) -> bool {
    let is_told = |current: &Condition| {
        // Of one that cannot be asked, nobody may know what it last said.
        current.status == wanted.status && (wanted.text.is_some() || wanted.status == "Unknown")
    };
    !condition(pod, &wanted.type_).is_some_and(is_told)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn hearing(heard: Option<&str>, conditions: Value, record: Value, names: &[&str]) -> Vec<Value> {
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
        let results = |_: &str| heard.map(str::to_owned);
        let wanted = wanted(&pod, &server, &qualities, &results);
        let mut all = changes(&pod, &wanted, NOW.parse().unwrap());
        all.extend(removals(&pod, &qualities));
        all
    }

    fn run(conditions: Value, record: Value, names: &[&str]) -> Vec<Value> {
        hearing(None, conditions, record, names)
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
    fn the_text_is_told_by_whoever_has_it_and_taken_away_with_another_answer() {
        // The first 8 bytes of SHA-256 of "3 players".
        const HASH: &str = "9fafd7e9e60d9345";
        let said = |status: &str, message: &str| {
            let mut condition = ours("idle", status);
            condition["message"] = json!(message);
            json!([condition])
        };
        let record = |state: bool| json!({"idle": {"s": state, "h": HASH, "t": "2025-12-31T23:59:59Z"}});
        let turned = |status: &str, message: Value| {
            let mut change = ours("idle", status);
            change["lastTransitionTime"] = json!("2025-12-31T23:59:59Z");
            change["message"] = message;
            vec![change]
        };
        let quality = &["idle"];
        let text = "3 players";
        let new = hearing(Some(text), json!([]), record(true), quality);
        assert_eq!(new, turned("True", json!(text)));
        // Another status: the time of the record, and the text whose hash it has.
        let flipped = hearing(Some(text), said("False", "0 players"), record(true), quality);
        assert_eq!(flipped, turned("True", json!(text)));
        let unheard = hearing(None, said("False", "0 players"), record(true), quality);
        assert_eq!(unheard, turned("True", Value::Null));
        // Another text alone is no transition.
        let mut renewed = ours("idle", "True");
        renewed["message"] = json!(text);
        assert_eq!(hearing(Some(text), said("True", "0 players"), record(true), quality), [renewed]);
        for (heard, message) in
            [(Some(text), text), (None, text), (Some("4 players"), text), (None, "0 players")]
        {
            let nothing = hearing(heard, said("True", message), record(true), quality);
            assert_eq!(nothing, Vec::<Value>::new(), "{heard:?} {message}");
        }
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
