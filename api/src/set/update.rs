//! Which pods to make again with the new template now.

use std::cmp::Reverse;

use super::{Snapshot, roster::Member};
use crate::types::{PodUpdatePolicy, UpdateStrategyType};

/// The next step of an update.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UpdatePlan {
    /// Ordinals whose pod is to be made again, in order.
    pub(super) recreate: Vec<u32>,
    /// Whether pods keep the old template because they may only be updated in place.
    pub(super) in_place_only: bool,
}

/// `stay`: the members that are not leaving, not dead, and that no removal is planned for; `replicas`: how
/// many there should be; `max_unavailable`: the bound, from [`crate::scale::max_unavailable`].
pub(super) fn update_plan(
    snapshot: &Snapshot<'_>,
    stay: &[&Member<'_>],
    replicas: usize,
    max_unavailable: usize,
    revision: &str,
) -> UpdatePlan {
    let strategy = snapshot.set.spec.update_strategy.clone().unwrap_or_default();
    let rolling = strategy.rolling_update.unwrap_or_default();
    if strategy.type_ == Some(UpdateStrategyType::OnDelete) || rolling.paused == Some(true) {
        return UpdatePlan::default();
    }
    let mut old: Vec<&&Member<'_>> = stay.iter().filter(|m| m.revision() != Some(revision)).collect();
    old.sort_by_key(|m| (Reverse(m.update_priority()), Reverse(m.ordinal)));
    let partition = usize::try_from(rolling.partition.unwrap_or(0)).unwrap_or(0);
    old.truncate(old.len().saturating_sub(partition));
    if rolling.pod_update_policy == Some(PodUpdatePolicy::InPlaceOnly) {
        return UpdatePlan { recreate: Vec::new(), in_place_only: !old.is_empty() };
    }

    let min_ready = snapshot.min_ready_seconds();
    let available = stay.iter().filter(|m| m.available(min_ready)).count();
    // Missing and terminating servers are unavailable ones too.
    let mut budget = max_unavailable.saturating_sub(replicas.saturating_sub(available));
    let mut recreate = Vec::new();
    for member in old {
        // One that is not ready is in the count already: making it again costs nothing, and may be what
        // makes it ready. One that is ready and not yet available is waited for.
        if member.ready() {
            if budget == 0 || !member.available(min_ready) {
                continue;
            }
            budget -= 1;
        }
        recreate.push(member.ordinal);
    }
    UpdatePlan { recreate, in_place_only: false }
}
