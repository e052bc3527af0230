//! The next write on each pod of the set, as far as hooks and updates in place go.

use std::time::Duration;

use super::{Snapshot, roster::Member, update::UpdatePlan};
use crate::lifecycle::{self, Input, Template, Write};

/// A write on a pod, with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct PodStep {
    /// Name of the pod.
    pub name: String,
    /// What to write; it carries what it is conditioned on.
    pub write: Write,
}

/// `members`: those that neither terminate nor are to be deleted now. Gives the writes, and when to look again
/// although nothing has changed.
pub(super) fn steps<'a>(
    snapshot: &Snapshot<'_>,
    members: impl Iterator<Item = &'a Member<'a>>,
    update: &UpdatePlan,
    template: &Template,
) -> (Vec<PodStep>, Option<Duration>) {
    let rolling = snapshot.set.spec.update_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
    let grace = rolling.and_then(|r| r.in_place_update_strategy.as_ref()?.grace_period_seconds).unwrap_or(0);
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    let (mut steps, mut again) = (Vec::new(), None);
    for member in members {
        let step = lifecycle::step(&Input {
            pod: member.pod,
            own: member.server.map(|server| server.spec.containers.as_slice()),
            template,
            rollout: update.rollout(member.ordinal),
            lifecycle: snapshot.set.spec.lifecycle.as_ref(),
            grace,
            now: snapshot.now,
        });
        again = [again, step.again].into_iter().flatten().min();
        if let Some(write) = step.write {
            steps.push(PodStep { name: member.pod.metadata.name.clone().unwrap_or_default(), write });
        }
    }
    (steps, again)
}
