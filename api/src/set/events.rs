//! What to say about a set.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::Snapshot;
use crate::{
    event::{Event, EventType},
    names::reason,
};

/// What a plan has seen that people may want to know.
pub(super) struct Observed {
    /// How many ordinals the set had; `None` where nobody remembers.
    pub(super) before: Option<u64>,
    /// How many it has now.
    pub(super) after: u64,
}

pub(super) fn events(snapshot: &Snapshot<'_>, seen: &Observed) -> Vec<Event> {
    let mut events = Vec::new();
    // The ordinals in the set's annotation change in the write that records the new ones, so each change
    // is seen once.
    if let Some(before) = seen.before.filter(|before| *before != seen.after) {
        let generation = snapshot.set.metadata.generation.unwrap_or_default();
        events.push(Event {
            type_: EventType::Normal,
            reason: reason::SCALE.into(),
            message: format!("scale from {before} to {}", seen.after),
            occurrence: generation.to_string(),
        });
    }
    events
}

/// OpenKruise's own controller runs this set. It writes the status too, so this is said in an event alone.
pub(super) fn managed_elsewhere(workload: &OwnerReference) -> Event {
    warning(
        reason::MANAGED_ELSEWHERE,
        format!(
            "pods of this set belong to the {} {} of OpenKruise; the set is left alone: delete that workload, or \
             install Gamewarden in external mode",
            workload.kind, workload.name
        ),
        &workload.uid,
    )
}

fn warning(reason: &str, message: String, occurrence: &str) -> Event {
    Event { type_: EventType::Warning, reason: reason.into(), message, occurrence: occurrence.into() }
}
