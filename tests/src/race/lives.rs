//! The log sorted by what it is about: what became of each pod, and of each visit of a player.

use std::collections::BTreeMap;

use gamewarden_api::removal::Phase;
use jiff::{SignedDuration, Timestamp};

use super::log::{ClaimSeen, Entry, What};

/// How long before `due` a claim was made: the timeout of the probe (the manual's, 5 s), and two seconds. For claims that
/// no watch has shown before the look had its answer.
pub(super) const DUE_AFTER: SignedDuration = SignedDuration::from_secs(7);

/// What became of a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub(super) set: String,
    pub(super) server: String,
    pub(super) made: Option<Timestamp>,
    pub(super) states: Vec<(Timestamp, String)>,
    pub(super) claims: Vec<ClaimSeen>,
    pub(super) released: Vec<Timestamp>,
    pub(super) deleted: Option<Timestamp>,
}

/// A visit of a player.
#[derive(Clone, Debug, Default)]
pub(super) struct Stay {
    pub(super) number: u64,
    pub(super) pod: String,
    pub(super) enters: Option<Timestamp>,
    pub(super) joined: Option<Timestamp>,
    pub(super) left: Option<Timestamp>,
    pub(super) thrown_out: bool,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives {
    pub(super) pods: BTreeMap<String, Life>,
    pub(super) stays: BTreeMap<u64, Stay>,
}

impl Lives {
    pub(super) fn of(log: &[Entry]) -> Self {
        let mut lives = Self::default();
        for Entry { at, what } in log {
            let at = Some(*at);
            if let What::Enters { stay, .. }
            | What::Joined { stay, .. }
            | What::TurnedAway { stay, .. }
            | What::Left { stay, .. } = what
            {
                let visit = lives.stays.entry(*stay).or_default();
                visit.number = *stay;
                visit.pod = what.pod().unwrap_or_default().to_owned();
                match what {
                    What::Enters { .. } => visit.enters = at,
                    What::Joined { .. } => visit.joined = at,
                    What::Left { thrown_out, .. } => (visit.left, visit.thrown_out) = (at, *thrown_out),
                    _ => visit.left = at,
                }
                continue;
            }
            let Some(pod) = what.pod() else { continue };
            let life = lives.pods.entry(pod.to_owned()).or_default();
            match what {
                What::Made { set, server, .. } => {
                    (life.set, life.server) = (set.clone(), server.clone());
                    life.made = at;
                }
                What::State { state, .. } => life.states.extend(at.map(|at| (at, state.clone()))),
                What::Claim(claim) => life.claims.push(claim.clone()),
                What::Released { .. } => life.released.extend(at),
                What::Deleted { by, .. } => {
                    let earlier = by.filter(|by| Some(*by) < at);
                    life.deleted = life.deleted.or(earlier.or(at));
                }
                _ => {}
            }
        }
        lives
    }
}

impl Life {
    /// The claim that the DELETE followed: the last commit before it, or else the last claim at all.
    pub(super) fn last_claim(&self, before: Timestamp) -> Option<&ClaimSeen> {
        let claims = || self.claims.iter().filter(|claim| claim.since <= before);
        let commits = claims().filter(|claim| claim.phase == Phase::Committed);
        commits.max_by_key(|claim| claim.since).or_else(|| claims().max_by_key(|claim| claim.since))
    }

    /// When a claim's look began; where there was none, when it was claimed.
    pub(super) fn began(&self, id: &str) -> Option<Timestamp> {
        let first = self.claims.iter().find(|claim| claim.id == id)?;
        match (first.phase, first.due) {
            (Phase::Claimed, _) | (_, None) => Some(first.since),
            (_, Some(due)) => due.checked_sub(DUE_AFTER).ok(),
        }
    }

    /// Since when its opsState was this without a change until `until`, if it was so from `from` on.
    pub(super) fn was(&self, state: &str, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let (since, at_first) = self.states.iter().rfind(|(at, _)| *at <= from)?;
        let mut later = self.states.iter().filter(|(at, _)| from < *at && *at <= until);
        (at_first == state && later.all(|(_, later)| later == state)).then_some(*since)
    }
}

impl Stay {
    /// Whether the player was connected from before `from` and was so still at `until`. Who was thrown out counts, as
    /// nobody but the removal throws anybody out.
    pub(super) fn spans(&self, from: Timestamp, until: Timestamp) -> bool {
        let there = self.thrown_out || self.left.is_none_or(|left| left >= until);
        there && self.joined.is_some_and(|joined| joined < from)
    }

    /// Whether the player was there at any time between the two, or on the way in.
    pub(super) fn touches(&self, from: Timestamp, until: Timestamp) -> bool {
        self.enters.is_some_and(|enters| enters <= until) && self.left.is_none_or(|left| left >= from)
    }
}
