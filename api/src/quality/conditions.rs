//! What the status of the GameServer and of its pod say of the qualities (design §2, §3.4, §6).
//!
//! Both mirror the record and are written after it. They change only when the record does, or when a text that was
//! missing is found.
//!
//! The record keeps a hash of the result and not its text. Whoever has a text with that hash may tell it: the prober that
//! read it, the condition that the status had, the condition that the pod has (which the prober of its node writes). After
//! a crash in between there may be none until the next answer.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    key_problem,
    record::{Held, Record, result_hash},
};
use crate::{
    GameServer, names,
    types::{ServiceQuality, ServiceQualityCondition},
};

/// The texts that may be a quality's last result; the right one is told by its hash.
pub type Texts<'a> = &'a dyn Fn(&str) -> Vec<String>;

/// `status.serviceQualitiesConditions`: one per quality in the order of the set, probed or not.
#[must_use]
pub fn conditions(
    qualities: &[ServiceQuality],
    server: &GameServer,
    pod_uid: &str,
    texts: Texts<'_>,
) -> Vec<ServiceQualityCondition> {
    let record = Record::of(server, pod_uid);
    let condition = |quality: &ServiceQuality| {
        let name = quality.name.clone();
        let Some(held) = record.qualities.get(&name) else {
            return ServiceQualityCondition { name, ..ServiceQualityCondition::default() };
        };
        ServiceQualityCondition {
            status: held.status().map(str::to_owned),
            result: text(&name, held, server, texts).filter(|text| !text.is_empty()),
            last_probe_time: held.changed.map(Time),
            last_transition_time: held.transition.map(Time),
            last_action_transition_time: held.action.map(Time),
            name,
        }
    };
    qualities.iter().map(condition).collect()
}

/// The text of the last answer; `None` where nobody has it.
fn text(name: &str, held: &Held, server: &GameServer, texts: Texts<'_>) -> Option<String> {
    if held.hash.is_empty() {
        return Some(String::new());
    }
    let status = server.status.iter().flat_map(|status| &status.service_qualities_conditions);
    let previous = status.filter(|condition| condition.name == name).filter_map(|c| c.result.clone());
    previous.chain(texts(name)).find(|text| result_hash(text) == held.hash)
}

/// What a pod's condition `game.kruise.io/<quality>` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodCondition {
    /// Name of the quality.
    pub quality: String,
    /// The condition's type.
    pub type_: String,
    /// True, False or Unknown.
    pub status: &'static str,
    /// The text of the last answer; `None` where nobody has it.
    pub text: Option<String>,
    /// When the status last changed.
    pub since: Option<Timestamp>,
}

/// The pod's conditions. A quality without a verdict has none; nor has one whose name cannot be a condition type: the
/// API server would refuse the others with it.
#[must_use]
pub fn pod_conditions(
    qualities: &[ServiceQuality],
    server: &GameServer,
    pod_uid: &str,
    texts: Texts<'_>,
) -> Vec<PodCondition> {
    let record = Record::of(server, pod_uid);
    let condition = |quality: &ServiceQuality| {
        let held = record.qualities.get(&quality.name)?;
        let type_ = names::quality_condition(&quality.name);
        key_problem(&type_).is_none().then_some(PodCondition {
            status: held.status()?,
            text: text(&quality.name, held, server, texts),
            since: held.transition,
            quality: quality.name.clone(),
            type_,
        })
    };
    qualities.iter().filter_map(condition).collect()
}

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
