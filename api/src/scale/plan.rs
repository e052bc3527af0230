//! Replicas, reserved ordinals and servers → what to remove and what to create (design §4).
//!
//! ```text
//!            Leave: reserved ordinals, then Kill, then what exceeds replicas, by order
//!   servers ┤
//!            stay ┐
//!                 ├ seats: the ordinals of the set, exactly `replicas` of them
//!   old seats ────┤   (a lost server's seat is kept for it: it comes back under its name)
//!   lowest free ──┘
//! ```
//!
//! The *seats* are remembered between two plans (by the caller, in an annotation of the set). They tell a
//! server that is made again from one that scale-down has taken, after any crash: a set that shrank to
//! `minecraft-1` gets `minecraft-1` back when its pod is lost, not `minecraft-0`; and a Kill server that is
//! no longer seated has lowered `replicas` already and does not do so twice.
//!
//! So the new seats, the lowered replicas and the added reserve ids are to be written **in one write and
//! before anything is removed or created**.
//!
//! Replicas are lowered, and ordinals reserved, only for servers whose removal is *committed*: one that is looked at once
//! more may stay (design §4, I3). Until then a Kill server keeps its seat.

use std::collections::BTreeSet;

use super::{
    Ordinals,
    order::{Candidate, removal_order},
};
use crate::types::{OpsState, ScaleDownStrategyType};

/// A server that has a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its ordinal.
    pub ordinal: u32,
    /// Its operations state.
    pub ops_state: OpsState,
    /// Its deletion priority, as a number.
    pub deletion_priority: i64,
    /// Whether its pod terminates or waits in preDelete: it counts neither as existing nor as a candidate,
    /// but no new server can have its name yet.
    pub leaving: bool,
    /// Whether its pod has ended for good (Failed, Succeeded): nobody plays there, so among those that are
    /// to go it goes right after Kill.
    pub dead: bool,
    /// Whether its pod is ready.
    pub ready: bool,
    /// Whether it may not go, whatever the plan: people may play there.
    pub protected: bool,
    /// Whether it did not answer when it was last to go: others of its state go before it.
    pub unanswered: bool,
    /// Whether its removal is decided for good.
    pub committed: bool,
}

impl Server {
    /// What decides when its turn comes.
    pub(super) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            ops_state: &self.ops_state,
            deletion_priority: self.deletion_priority,
            ordinal: self.ordinal,
            unanswered: self.unanswered,
        }
    }

    fn killed(&self) -> bool {
        self.ops_state == OpsState::Kill
    }
}

/// What the plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// `spec.replicas`; below 0 counts as 0.
    pub replicas: i32,
    /// The ordinals that may not be used.
    pub reserved: &'a Ordinals,
    /// The seats of the last plan; where nobody remembers, the ordinals of the servers that exist.
    pub seats: &'a Ordinals,
    /// What becomes of the ordinals of removed servers.
    pub strategy: ScaleDownStrategyType,
    /// How many servers may be unavailable while new ones are made; `None`: any number.
    pub max_unavailable: Option<usize>,
    /// The servers that have a pod, one for each ordinal.
    pub servers: &'a [Server],
    /// Ordinals whose name something foreign holds: a seat there waits until it is gone.
    pub blocked: &'a BTreeSet<u32>,
}

/// Why scale-down takes a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its ordinal is reserved.
    Reserved,
    /// Its opsState is Kill.
    Kill,
    /// There are more servers than replicas, and its turn has come.
    Excess,
}

/// A server that scale-down takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Its ordinal.
    pub ordinal: u32,
    /// Why it goes.
    pub why: Why,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScalePlan {
    /// The ordinals of the set from now on, to be remembered. As many as replicas, unless the reserved
    /// ordinals leave no room.
    pub seats: Ordinals,
    /// What is to be `spec.replicas`: those asked for, lowered by the Kill servers below.
    pub replicas: i32,
    /// The ordinals of Kill servers that lower it.
    pub lowered: Vec<u32>,
    /// Ordinals to add to `spec.reserveGameServerIds`, ascending; none of them is there yet.
    pub add_reserve_ids: Vec<u32>,
    /// Who goes, in order.
    pub remove: Vec<Leave>,
    /// Who would go and is protected, in order.
    pub kept: Vec<Leave>,
    /// Ordinals to make a server for now, ascending.
    pub create: Vec<u32>,
}

/// Makes the plan.
#[must_use]
pub fn plan(input: &Input<'_>) -> ScalePlan {
    let mut existing: Vec<&Server> = input.servers.iter().filter(|s| !s.leaving).collect();
    existing.sort_by(|a, b| {
        (!a.killed(), !a.dead)
            .cmp(&(!b.killed(), !b.dead))
            .then_with(|| removal_order(&a.candidate(), &b.candidate()))
    });
    let (reserved, countable): (Vec<&Server>, Vec<&Server>) =
        existing.into_iter().partition(|s| input.reserved.contains(s.ordinal));
    let (killed, ordinary): (Vec<&Server>, Vec<&Server>) = countable.into_iter().partition(|s| s.killed());

    let before = usize::try_from(input.replicas).unwrap_or(0);
    let kills = Kills::of(before, &killed, ordinary.len(), input.seats);
    let (excess, stay) = ordinary.split_at(ordinary.len().saturating_sub(before - kills.lower));

    let mut leaves = Vec::new();
    for (servers, why) in [(&reserved[..], Why::Reserved), (&killed, Why::Kill), (excess, Why::Excess)] {
        leaves.extend(servers.iter().map(|s| (*s, Leave { ordinal: s.ordinal, why })));
    }
    let mut add_reserve_ids = Vec::new();
    if input.strategy == ScaleDownStrategyType::ReserveIds {
        let decided = leaves.iter().filter(|(server, leave)| server.committed && leave.why != Why::Reserved);
        add_reserve_ids.extend(decided.map(|(_, leave)| leave.ordinal));
        add_reserve_ids.sort_unstable();
    }
    let (kept, remove): (Vec<_>, Vec<_>) = leaves.into_iter().partition(|(server, _)| server.protected);
    let leave = |(_, leave)| leave;

    let vacant = vacant_seats(input, before - kills.lower - stay.len());
    let seated = stay.iter().map(|s| s.ordinal).chain(vacant.iter().copied()).chain(kills.pending);
    let lower = i32::try_from(kills.lowered.len()).unwrap_or(i32::MAX);
    ScalePlan {
        seats: seated.collect(),
        replicas: input.replicas.saturating_sub(lower),
        create: creatable(input, stay, vacant),
        lowered: kills.lowered,
        add_reserve_ids,
        remove: remove.into_iter().map(leave).collect(),
        kept: kept.into_iter().map(leave).collect(),
    }
}

/// By how much the Kill servers lower `replicas`: each by one, but for those that a shrink under way takes
/// anyhow, and for those that have lost their seat, for they have been counted when they lost it.
struct Kills {
    /// In the end.
    lower: usize,
    /// Now, by these, which are committed. Those that go first are the ones that a shrink takes anyhow.
    lowered: Vec<u32>,
    /// The others, which keep their seats until then.
    pending: Vec<u32>,
}

impl Kills {
    fn of(replicas: usize, killed: &[&Server], ordinary: usize, seats: &Ordinals) -> Self {
        let (now, later): (Vec<&Server>, Vec<&Server>) =
            killed.iter().copied().filter(|s| seats.contains(s.ordinal)).partition(|s| s.committed);
        let excess = (ordinary + now.len() + later.len()).saturating_sub(replicas);
        let lower = (now.len() + later.len()).saturating_sub(excess).min(replicas);
        let lower_now = now.len().saturating_sub(excess).min(lower);
        let last = |servers: &[&Server], n: usize| servers.iter().rev().take(n).map(|s| s.ordinal).collect();
        Self { lower, lowered: last(&now, lower_now), pending: last(&later, lower - lower_now) }
    }
}

/// The `wanted` seats that have no server: those that were seats before, then the lowest free ordinals.
fn vacant_seats(input: &Input<'_>, wanted: usize) -> Vec<u32> {
    let mut taken: Ordinals = input.servers.iter().filter(|s| !s.leaving).map(|s| s.ordinal).collect();
    taken.insert_all(input.reserved);
    let mut vacant: Vec<u32> = input.seats.without(&taken).iter().take(wanted).collect();
    // A name is free for another server only when its pod is gone.
    for ordinal in vacant.iter().copied().chain(input.servers.iter().map(|s| s.ordinal)) {
        taken.insert(ordinal);
    }
    let fresh = wanted - vacant.len();
    vacant.extend(taken.free().take(fresh));
    vacant.sort_unstable();
    vacant
}

/// The vacant seats whose name is free now, as many as the bound on unavailable servers allows.
fn creatable(input: &Input<'_>, stay: &[&Server], vacant: Vec<u32>) -> Vec<u32> {
    let not_ready = stay.iter().filter(|s| !s.ready).count();
    let room = input.max_unavailable.map_or(usize::MAX, |max| max.saturating_sub(not_ready));
    let held: BTreeSet<u32> = input.servers.iter().filter(|s| s.leaving).map(|s| s.ordinal).collect();
    let free = |o: &u32| !held.contains(o) && !input.blocked.contains(o);
    vacant.into_iter().filter(free).take(room).collect()
}
