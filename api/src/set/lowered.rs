//! Kill servers that have lowered replicas and are still there.
//!
//! Replicas are lowered when such a removal is committed, and it may still come to nothing: the API server refuses the DELETE,
//! or the controller ends. As long as the server is to be killed that is as it should be, for it goes in the end and has been
//! counted. Where somebody takes the Kill back, it is not to go, and no other is to go in its place: replicas are raised
//! again.
//!
//! Which servers these are stands in an annotation of the set, written with the replicas. Once anybody else has written
//! replicas, what they wrote counts.

use super::{
    Snapshot,
    roster::{Member, Roster},
};
use crate::{
    names,
    scale::{Ordinals, ScalePlan},
    types::OpsState,
};

/// What is remembered of them, as it is now.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    /// Those that are still to be killed, or that may go as a commit stands. One that cannot be withdrawn is not waited for: if
    /// its DELETE comes after all, a server is made again, and no other has gone in its place.
    standing: Ordinals,
    /// Those that are not any more.
    pub(super) taken_back: Ordinals,
}

impl Lowered {
    /// `seats`: those that were written last, as many as replicas then.
    pub(super) fn of(snapshot: &Snapshot<'_>, roster: &Roster<'_>, seats: &Ordinals) -> Self {
        let remembered = snapshot.annotation(names::LOWERED).and_then(|text| text.parse::<Ordinals>().ok());
        let Some(remembered) =
            remembered.filter(|_| seats.count().try_into() == Ok(snapshot.set.spec.replicas))
        else {
            return Self::default();
        };
        let there = roster.members.values().filter(|m| !m.leaving() && remembered.contains(m.ordinal));
        let (standing, taken_back): (Vec<_>, Vec<_>) =
            there.partition(|m| m.ops_state() == OpsState::Kill || (m.is_committed() && !m.is_stuck()));
        let ordinals = |members: Vec<&Member<'_>>| members.into_iter().map(|m| m.ordinal).collect();
        Self { standing: ordinals(standing), taken_back: ordinals(taken_back) }
    }

    /// Replicas with those that were taken back.
    pub(super) fn replicas(&self, snapshot: &Snapshot<'_>) -> i32 {
        let more = i32::try_from(self.taken_back.count()).unwrap_or(i32::MAX);
        snapshot.set.spec.replicas.saturating_add(more)
    }

    /// What is to be remembered from now on.
    pub(super) fn after(mut self, plan: &ScalePlan) -> Ordinals {
        for ordinal in &plan.lowered {
            self.standing.insert(*ordinal);
        }
        self.standing
    }
}
