//! What the status of the GameServer and of its pod say of the qualities (design §2, §3.4, §6).
//!
//! Both mirror the record and are written after it. They change only when the record does.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    key_problem,
    record::{Held, Record, result_hash},
};
use crate::{
    GameServer, names,
    types::{ServiceQuality, ServiceQualityCondition},
};

/// `status.serviceQualitiesConditions`: one per quality in the order of the set, probed or not.
///
/// The record keeps a hash of the result and not its text. The text comes from the condition that the
/// status has, or from `results` (what the prober remembers of a quality), whichever has that hash; after a
/// crash in between there may be none until the next answer.
#[must_use]
pub fn conditions(
    qualities: &[ServiceQuality],
    server: &GameServer,
    pod_uid: &str,
    results: &dyn Fn(&str) -> Option<String>,
) -> Vec<ServiceQualityCondition> {
    let record = Record::of(server, pod_uid);
    let status = server.status.as_ref();
    let condition = |quality: &ServiceQuality| {
        let name = quality.name.clone();
        let Some(held) = record.qualities.get(&name) else {
            return ServiceQualityCondition { name, ..ServiceQualityCondition::default() };
        };
        let fits = |text: &String| !text.is_empty() && result_hash(text) == held.hash;
        let previous = status
            .and_then(|status| status.service_qualities_conditions.iter().find(|c| c.name == name))
            .and_then(|condition| condition.result.clone());
        ServiceQualityCondition {
            status: held.status().map(str::to_owned),
            result: previous.filter(fits).or_else(|| results(&name).filter(fits)),
            last_probe_time: held.changed.map(Time),
            last_transition_time: held.transition.map(Time),
            last_action_transition_time: held.action.map(Time),
            name,
        }
    };
    qualities.iter().map(condition).collect()
}

/// Type and status of the pod's conditions `game.kruise.io/<quality>`. A quality without a verdict has none;
/// nor has one whose name cannot be a condition type: the API server would refuse the others with it.
#[must_use]
pub fn pod_conditions(
    qualities: &[ServiceQuality],
    server: &GameServer,
    pod_uid: &str,
) -> Vec<(String, &'static str)> {
    let record = Record::of(server, pod_uid);
    qualities
        .iter()
        .filter_map(|quality| {
            let status = record.qualities.get(&quality.name).and_then(Held::status)?;
            let type_ = names::quality_condition(&quality.name);
            key_problem(&type_).is_none().then_some((type_, status))
        })
        .collect()
}

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
