//! Which removals were wrong. Pure: the log in, the judgement out.
//!
//! ```text
//!   claim, look begins                commit             DELETE is seen
//!   ───────┬───────────────────────────┬────────────────────┬──────────►
//!   ├──────────────────────────────────────────────────────────┤  wrong: there all the time
//!   ├──────────────────────┤                                      left in time
//!               ├──────────────────────────────────────────────┤  the window that remains
//! ```
//!
//! In doubt it is wrong: who leaves between commit and DELETE was there, and where no claim was seen the look began with the
//! DELETE.

use std::collections::BTreeMap;

use gamewarden_api::removal::{Phase, Protection};
use jiff::{SignedDuration, Timestamp};

use super::{
    lives::{Life, Lives, Stay},
    log::Entry,
};

const IDLE: &str = "WaitToBeDeleted";

/// A pod that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its set.
    pub set: String,
    /// Its name.
    pub server: String,
    /// Its uid.
    pub pod: String,
    /// When the last look began; where there was none, when it was claimed.
    pub began: Option<Timestamp>,
    /// Whether there was a look.
    pub looked: bool,
    /// When it was committed.
    pub committed: Option<Timestamp>,
    /// When its DELETE was seen.
    pub deleted: Timestamp,
    /// Visits that the removal ended and that had begun before it did. Where the set is Prefer and nobody was idle, that
    /// is right.
    pub in_use: Vec<u64>,
    /// Visits that it ended and that began after the look did.
    pub late: Vec<u64>,
}

impl Removed {
    /// From the look until the DELETE, where there was a look.
    #[must_use]
    pub fn window(&self) -> Option<SignedDuration> {
        self.began.filter(|_| self.looked).map(|began| self.deleted.duration_since(began))
    }
}

/// A removal that should not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The removal.
    pub removed: Removed,
    /// The idle siblings that stayed, and how long they had been idle when it was claimed. None where the set is Strict.
    pub instead_of: Vec<(String, SignedDuration)>,
}

/// What came of a race.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// All removals, in the order of the log.
    pub removed: Vec<Removed>,
    /// Those that were wrong.
    pub wrong: Vec<Wrong>,
    /// Visits that ended although the pod was not removed: no removal's doing, but nothing that should happen.
    pub unexplained: Vec<u64>,
}

/// Judges the log of a race between these sets.
#[must_use]
pub fn judge(log: &[Entry], sets: &BTreeMap<String, Protection>) -> Judgement {
    let lives = Lives::of(log);
    let mut judgement = Judgement::default();
    for (pod, life) in &lives.pods {
        let Some(deleted) = life.deleted else { continue };
        let removed = removed(pod, life, deleted, &lives);
        if !removed.in_use.is_empty() {
            let instead_of = idle_siblings(&removed, &lives);
            let is_wrong = match sets.get(&removed.set).copied().unwrap_or_default() {
                Protection::Strict => true,
                Protection::Prefer | Protection::Off => !instead_of.is_empty(),
            };
            if is_wrong {
                judgement.wrong.push(Wrong { removed: removed.clone(), instead_of });
            }
        }
        judgement.removed.push(removed);
    }
    judgement.removed.sort_by_key(|removed| removed.deleted);
    judgement.wrong.sort_by_key(|wrong| wrong.removed.deleted);
    let stays = lives.stays.values().filter(|stay| stay.thrown_out);
    let is_removed = |stay: &&Stay| lives.pods.get(&stay.pod).is_some_and(|life| life.deleted.is_some());
    judgement.unexplained = stays.filter(|stay| !is_removed(stay)).map(|stay| stay.number).collect();
    judgement
}

fn removed(pod: &str, life: &Life, deleted: Timestamp, lives: &Lives) -> Removed {
    let claim = life.last_claim(deleted);
    let began = claim.and_then(|claim| life.began(&claim.id));
    let committed = claim.filter(|claim| claim.phase == Phase::Committed).map(|claim| claim.since);
    let (from, until) = (began.unwrap_or(deleted), committed.unwrap_or(deleted));
    let visits = || lives.stays.values().filter(|stay| stay.pod == pod);
    let in_use = visits().filter(|stay| stay.spans(from, until));
    let late = visits().filter(|stay| stay.thrown_out && !stay.spans(from, until));
    Removed {
        set: life.set.clone(),
        server: life.server.clone(),
        pod: pod.to_owned(),
        began,
        looked: claim.is_some_and(|claim| claim.due.is_some()),
        committed,
        deleted,
        in_use: in_use.map(|stay| stay.number).collect(),
        late: late.map(|stay| stay.number).collect(),
    }
}

/// Siblings that were idle, and without a player, all the while, and that did not go themselves.
fn idle_siblings(removed: &Removed, lives: &Lives) -> Vec<(String, SignedDuration)> {
    let (from, until) = (removed.began.unwrap_or(removed.deleted), removed.deleted);
    let decided = removed.committed.unwrap_or(until);
    let siblings = lives.pods.iter().filter(|(pod, life)| life.set == removed.set && **pod != removed.pod);
    let idle = siblings.filter_map(|(pod, life)| {
        let stood = life.made.is_some_and(|made| made <= from) && life.deleted.is_none_or(|at| at > until);
        let played = lives.stays.values().any(|stay| &stay.pod == pod && stay.touches(from, until));
        let since = life.was(IDLE, from, until).filter(|_| stood && !played && !goes(life, decided))?;
        Some((life.server.clone(), from.duration_since(since)))
    });
    idle.collect()
}

/// Whether the server was on its way out for good by then, or was being left alone as nobody could be asked.
fn goes(life: &Life, by: Timestamp) -> bool {
    let Some(last) = life.claims.iter().rfind(|claim| claim.since <= by) else { return false };
    let is_released = life.released.iter().any(|at| last.since <= *at && *at <= by);
    !is_released && matches!(last.phase, Phase::Committed | Phase::Unanswered)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
