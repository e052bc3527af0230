//! The queue of probes: who is next, under any load.
//!
//! Every target has a grid of due times, one period apart, whose phase is a hash of its key: ten thousand
//! probes of one period are spread over that period, and keep their place in it whatever happens. A target
//! that runs is not in the queue, so it can neither overlap itself nor hold up another; when it has finished,
//! it comes back at the next point of its grid, and the points it missed are left out, not caught up on.
//!
//! ```text
//!   waiting (by due time) ── due ──► ready (by last start) ── a slot ──► running ── finished ──► waiting
//! ```
//!
//! Of those that are due, the one whose last start is longest ago goes first. Under overload that makes
//! turns go round. (Their due times would not: where the grid lies relative to the rounds, one target would
//! come back at once every time and another a period later, so that some would get more turns for ever.)

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// A probe that starts now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start<K> {
    /// Whose probe.
    pub key: K,
    /// When it should have started. What has passed since is its lag.
    pub due: Duration,
}

/// Targets and when each is due. See the module for the rules it keeps.
#[derive(Clone, Debug)]
pub struct Schedule<K> {
    targets: HashMap<K, Entry>,
    waiting: BTreeSet<(Duration, K)>,
    ready: BTreeSet<(Duration, K)>,
}

#[derive(Clone, Debug)]
struct Entry {
    period: Duration,
    not_before: Duration,
    due: Duration,
    /// The last start; the first due time where there was none.
    turn: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Running,
}

impl<K> Default for Schedule<K> {
    fn default() -> Self {
        Self { targets: HashMap::new(), waiting: BTreeSet::new(), ready: BTreeSet::new() }
    }
}

impl<K: Clone + Hash + Ord> Schedule<K> {
    /// Adds the target, or changes it: it is due every `period`, for the first time within one period of
    /// `not_before`. A running probe goes on. Saying the same again changes nothing.
    ///
    /// A period of zero counts as one millisecond.
    pub fn upsert(&mut self, key: K, period: Duration, not_before: Duration) {
        let period = period.max(Duration::from_millis(1));
        let due = grid_point(&key, period, not_before);
        let mut entry = Entry { period, not_before, due, turn: due, state: State::Waiting };
        if let Some(old) = self.targets.get(&key) {
            if old.period == period && old.not_before == not_before {
                return;
            }
            entry.turn = old.turn;
            if old.state == State::Running {
                entry.state = State::Running;
                entry.due = old.due;
            }
        }
        self.dequeue(&key);
        if entry.state == State::Waiting {
            self.waiting.insert((due, key.clone()));
        }
        self.targets.insert(key, entry);
    }

    /// Takes the target out. What its running probe reports afterwards is ignored.
    pub fn remove(&mut self, key: &K) {
        self.dequeue(key);
        self.targets.remove(key);
    }

    /// The probes that start now, at most `free_slots`. They count as running until
    /// [`Schedule::finished`].
    pub fn poll(&mut self, now: Duration, free_slots: usize) -> Vec<Start<K>> {
        while let Some((due, key)) = self.waiting.pop_first() {
            if due > now {
                self.waiting.insert((due, key));
                break;
            }
            if let Some(entry) = self.targets.get_mut(&key) {
                entry.state = State::Ready;
                self.ready.insert((entry.turn, key));
            }
        }
        let mut starts = Vec::new();
        while starts.len() < free_slots
            && let Some((_, key)) = self.ready.pop_first()
        {
            if let Some(entry) = self.targets.get_mut(&key) {
                entry.state = State::Running;
                entry.turn = now;
                starts.push(Start { key, due: entry.due });
            }
        }
        starts
    }

    /// Says that the target's probe has ended: it is due again at the next point of its grid that is neither
    /// past nor the one it ran for. A target that is not running stays as it is.
    pub fn finished(&mut self, key: &K, now: Duration) {
        let Some(entry) = self.targets.get_mut(key) else {
            return;
        };
        if entry.state != State::Running {
            return;
        }
        let after_this_one = entry.due + Duration::from_nanos(1);
        let earliest = now.max(entry.not_before).max(after_this_one);
        entry.due = grid_point(key, entry.period, earliest);
        entry.state = State::Waiting;
        self.waiting.insert((entry.due, key.clone()));
    }

    /// When the next target is due that neither runs nor waits for a slot already; where one waits for a
    /// slot, zero. None where all run, or there are none.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Duration> {
        if self.ready.is_empty() { self.waiting.first().map(|(due, _)| *due) } else { Some(Duration::ZERO) }
    }

    /// Whether the target's probe runs.
    #[must_use]
    pub fn is_running(&self, key: &K) -> bool {
        self.targets.get(key).is_some_and(|entry| entry.state == State::Running)
    }

    /// How many targets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no targets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    fn dequeue(&mut self, key: &K) {
        let Some(entry) = self.targets.get(key) else {
            return;
        };
        match entry.state {
            State::Waiting => self.waiting.remove(&(entry.due, key.clone())),
            State::Ready => self.ready.remove(&(entry.turn, key.clone())),
            State::Running => false,
        };
    }
}

/// The first point of the key's grid that is not before `earliest`.
fn grid_point<K: Hash>(key: &K, period: Duration, earliest: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    // A period beyond 584 years does not fit; its grid would have no second point in our lifetime.
    let period_ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
    let phase = hasher.finish() % period_ns;
    let past_point = earliest.as_nanos() + u128::from(period_ns) - u128::from(phase);
    let past_point = u64::try_from(past_point % u128::from(period_ns)).unwrap_or(0);
    if past_point == 0 { earliest } else { earliest + Duration::from_nanos(period_ns - past_point) }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
