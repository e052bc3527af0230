//! Which pods get the new template now: in place, or by being made again.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{Snapshot, roster::Member};
use crate::{
    lifecycle::{Rollout, State, Template},
    types::{PodUpdatePolicy, UpdateStrategyType},
};

/// The next step of an update.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UpdatePlan {
    /// Ordinals whose pod is to be made again, in order.
    pub(super) recreate: Vec<u32>,
    /// What the update means for pods that keep living; [`Rollout::Stay`] for those that are not here.
    rollouts: BTreeMap<u32, Rollout>,
    /// Why pods keep the old template although their turn has come: they may only be updated in place, and cannot.
    pub(super) held_back: BTreeSet<&'static str>,
}

impl UpdatePlan {
    /// What the update means for the pod of this ordinal.
    pub(super) fn rollout(&self, ordinal: u32) -> Rollout {
        self.rollouts.get(&ordinal).copied().unwrap_or(Rollout::Stay)
    }
}

/// `stay`: the members that are not leaving, not dead, and that no removal is planned for; `replicas`: how
/// many there should be; `max_unavailable`: the bound, from [`crate::scale::max_unavailable`].
pub(super) fn update_plan(
    snapshot: &Snapshot<'_>,
    stay: &[&Member<'_>],
    replicas: usize,
    max_unavailable: usize,
    template: &Template,
) -> UpdatePlan {
    let strategy = snapshot.set.spec.update_strategy.clone().unwrap_or_default();
    let rolling = strategy.rolling_update.unwrap_or_default();
    let mut plan = UpdatePlan::default();
    if strategy.type_ == Some(UpdateStrategyType::OnDelete) {
        return plan;
    }
    let mut old: Vec<&&Member<'_>> = stay.iter().filter(|m| !template.is_on(&m.pod.metadata)).collect();
    old.sort_by_key(|m| (Reverse(m.update_priority()), Reverse(m.ordinal)));
    let partition = usize::try_from(rolling.partition.unwrap_or(0)).unwrap_or(0);
    old.truncate(old.len().saturating_sub(partition));
    let policy = rolling.pod_update_policy.unwrap_or_default();
    if rolling.paused == Some(true) {
        plan.rollouts = old.iter().map(|m| (m.ordinal, paused(m, policy, template))).collect();
        return plan;
    }

    let min_ready = snapshot.min_ready_seconds();
    let available = stay.iter().filter(|m| m.available(min_ready) && !m.updating()).count();
    // Missing and terminating servers are unavailable ones too.
    let mut budget = max_unavailable.saturating_sub(replicas.saturating_sub(available));
    // What a hook holds before its update is in service still, and takes its place first: it has been promised.
    old.sort_by_key(|m| m.state() != State::PreparingUpdate);
    for member in old {
        let metadata = &member.pod.metadata;
        let fits = match policy {
            PodUpdatePolicy::ReCreate => false,
            PodUpdatePolicy::InPlaceIfPossible => template.fits(metadata).is_ok(),
            PodUpdatePolicy::InPlaceOnly => match template.fits(metadata) {
                Ok(()) => true,
                Err(why) => {
                    plan.held_back.insert(why);
                    continue;
                }
            },
        };
        // Where nothing restarts, nothing becomes unavailable.
        let costs = !(fits && template.keeps_images(metadata));
        // One that is not in service is in the count already: updating it costs nothing, and may be what
        // brings it back. One that is ready and not yet available is waited for.
        if costs && member.ready() && !member.updating() && member.state() != State::PreparingNormal {
            if budget == 0 || !member.available(min_ready) {
                plan.rollouts.insert(member.ordinal, Rollout::Wait);
                continue;
            }
            budget -= 1;
        }
        if fits {
            plan.rollouts.insert(member.ordinal, Rollout::Go);
        } else {
            plan.recreate.push(member.ordinal);
        }
    }
    plan
}

/// A pause starts nothing, calls nothing off, and lets a pod that is out of service already come back.
fn paused(member: &Member<'_>, policy: PodUpdatePolicy, template: &Template) -> Rollout {
    let begun = member.flight().is_some_and(|flight| flight.revision == template.revision);
    if begun && policy != PodUpdatePolicy::ReCreate && template.fits(&member.pod.metadata).is_ok() {
        Rollout::Go
    } else {
        Rollout::Wait
    }
}
