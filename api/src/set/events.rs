//! What to say about a set.

use std::collections::BTreeSet;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::OwnerReference};

use super::{
    Snapshot,
    plan::{Conflict, Problem},
    roster::Roster,
};
use crate::{
    event::{Event, EventType},
    names::reason,
};

/// What a plan has seen that people may want to know.
pub(super) struct Observed<'a> {
    /// How many ordinals the set had; `None` where nobody remembers.
    pub(super) before: Option<u64>,
    /// How many it has now.
    pub(super) after: u64,
    /// Why InPlaceOnly keeps pods from getting the new template.
    pub(super) held_back: &'a BTreeSet<&'static str>,
    /// The new template's revision.
    pub(super) revision: &'a str,
    pub(super) conflicts: &'a [Conflict],
    pub(super) problems: &'a [Problem],
}

pub(super) fn events(snapshot: &Snapshot<'_>, seen: &Observed<'_>) -> Vec<Event> {
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
    events.extend(seen.held_back.iter().map(|why| {
        let message = format!(
            "podUpdatePolicy InPlaceOnly: a pod that {why} keeps what it has; to update it delete the pod, or set \
             podUpdatePolicy InPlaceIfPossible"
        );
        warning(reason::UPDATE_HELD_BACK, message, seen.revision)
    }));
    events.extend(seen.conflicts.iter().map(|c| warning(reason::NAME_CONFLICT, c.to_string(), &c.uid)));
    events.extend(seen.problems.iter().map(|p| warning(reason::INVALID_SPEC, p.to_string(), "")));
    events
}

/// The pods that stand in the set's way. Those that go by themselves are only waited for.
pub(super) fn conflicts(roster: &Roster<'_>) -> Vec<Conflict> {
    let conflict = |pod: &Pod, why: String| Conflict {
        pod: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        why,
    };
    let foreign = roster.foreign.iter().filter(|f| f.ordinal.is_some() && !f.going).map(|f| {
        let owner = f.controller.map_or("nobody".to_owned(), |c| format!("{} {}", c.kind, c.name));
        conflict(f.pod, format!("holds the name of a server of this set but belongs to {owner}; delete it, or reserve its ordinal in spec.reserveGameServerIds"))
    });
    let misnamed = roster.misnamed.iter().map(|pod| {
        conflict(
            pod,
            "belongs to this set but its name is none of a server; it is left alone: delete it".into(),
        )
    });
    foreign.chain(misnamed).collect()
}

/// OpenKruise's own controller runs this set.
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
