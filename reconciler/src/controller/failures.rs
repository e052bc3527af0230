//! Pods that could not be made: remembered until they are, so that people are told and the API server is not asked
//! again and again.
//!
//! Servers that failed wait for their next try together, longer each time, up to a minute. Others are made at once:
//! one bad name keeps nobody. Where nothing at all could be made (a quota, a template that is refused) the rest is
//! not even tried. A change of the spec forgets it all, for it may be the cure.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use gamewarden_api::set::trouble::Failure;

use super::backoff::delay;

/// A set whose pods nobody has tried to make for so long is gone, or has got them.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// What only the network or an overloaded API server did is told when it happens for so often in a row.
const TOLD_FROM: u32 = 3;

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// There is a pod now.
    Made,
    /// It failed.
    Failed {
        /// How; `None` where there is nothing to tell: the namespace is being deleted.
        failure: Option<Failure>,
        /// Whether the next try may well succeed: no answer, or an overloaded API server.
        passing: bool,
    },
}

impl Tried {
    /// Whether the next one would fail as well: not where it is only the name that is taken.
    fn bodes_ill(&self) -> bool {
        matches!(self, Self::Failed { failure, .. } if !matches!(failure, Some(Failure::NameTaken(_))))
    }
}

/// Failures by set uid.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<String, OfSet>>);

#[derive(Debug)]
struct OfSet {
    generation: i64,
    rounds: u32,
    last: Instant,
    not_before: Instant,
    /// Nothing at all could be made and the rest was not even tried: the others wait as well.
    shut: bool,
    servers: BTreeMap<u32, Tried>,
}

/// Which servers to make now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// These, in this order.
    pub(super) now: Vec<u32>,
    /// How long until the others' turn comes.
    pub(super) wait: Option<Duration>,
}

impl Failures {
    /// Of the servers that are to be made, those whose turn it is. What is not wanted any more is forgotten.
    pub(super) fn turn(&self, uid: &str, generation: i64, wanted: &[u32], now: Instant) -> Turn {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let everything = || Turn { now: wanted.to_vec(), wait: None };
        let Some(of_set) = all.get_mut(uid) else { return everything() };
        let still: BTreeSet<u32> = wanted.iter().copied().collect();
        of_set.servers.retain(|ordinal, _| still.contains(ordinal));
        if of_set.generation != generation || of_set.servers.is_empty() {
            all.remove(uid);
            return everything();
        }
        let (failed, fresh): (Vec<u32>, Vec<u32>) =
            wanted.iter().copied().partition(|ordinal| of_set.servers.contains_key(ordinal));
        match of_set.not_before.checked_duration_since(now).filter(|wait| !wait.is_zero()) {
            // Those that have not been tried come first: a set full of bad ones must get on.
            None => Turn { now: fresh.into_iter().chain(failed).collect(), wait: None },
            Some(wait) => Turn { now: if of_set.shut { Vec::new() } else { fresh }, wait: Some(wait) },
        }
    }

    /// Notes what became of a round of tries; says how long to wait before the next, where one is needed.
    /// `stopped`: whether servers were left out because nothing could be made.
    pub(super) fn tried(
        &self,
        uid: &str,
        generation: i64,
        round: &[(u32, Tried)],
        stopped: bool,
        now: Instant,
    ) -> Option<Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, of_set| now.duration_since(of_set.last) < FORGOTTEN);
        let of_set = all.entry(uid.to_owned()).or_insert_with(|| OfSet {
            generation,
            rounds: 0,
            last: now,
            not_before: now,
            shut: false,
            servers: BTreeMap::new(),
        });
        for (ordinal, tried) in round {
            match tried {
                Tried::Made => of_set.servers.remove(ordinal),
                failed => of_set.servers.insert(*ordinal, failed.clone()),
            };
        }
        if of_set.servers.is_empty() {
            all.remove(uid);
            return None;
        }
        if round.iter().any(|(_, tried)| *tried != Tried::Made) {
            of_set.generation = generation;
            of_set.rounds = of_set.rounds.saturating_add(1);
            of_set.last = now;
            of_set.shut = stopped;
            of_set.not_before = now + delay(of_set.rounds, uid);
        }
        Some(of_set.not_before.saturating_duration_since(now))
    }

    /// What people are to be told.
    pub(super) fn told(&self, uid: &str) -> BTreeMap<u32, Failure> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_set) = all.get(uid) else { return BTreeMap::new() };
        let told = of_set.servers.iter().filter_map(|(ordinal, tried)| match tried {
            Tried::Failed { passing: true, .. } if of_set.rounds < TOLD_FROM => None,
            Tried::Failed { failure, .. } => Some((*ordinal, failure.clone()?)),
            Tried::Made => None,
        });
        told.collect()
    }
}

/// Whether to stop making pods: nothing could be made so far, and what failed bodes ill for the others.
pub(super) fn is_hopeless(round: &[(u32, Tried)]) -> bool {
    !round.is_empty()
        && round.iter().all(|(_, tried)| *tried != Tried::Made)
        && round.iter().any(|(_, tried)| tried.bodes_ill())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota() -> Tried {
        Tried::Failed { failure: Some(Failure::Quota("exceeded quota".into())), passing: false }
    }

    fn taken() -> Tried {
        Tried::Failed { failure: Some(Failure::NameTaken("nobody".into())), passing: false }
    }

    #[test]
    fn one_that_fails_waits_longer_each_time_and_holds_up_nobody() {
        let failures = Failures::default();
        let start = Instant::now();
        assert_eq!(failures.turn("set", 1, &[0, 1], start).now, [0, 1]);
        let wait = failures.tried("set", 1, &[(0, taken()), (1, Tried::Made)], false, start).unwrap();
        // Server 1 is lost: it is made at once, 0 waits.
        let turn = failures.turn("set", 1, &[0, 1], start);
        assert_eq!(turn, Turn { now: vec![1], wait: Some(wait) });
        let left = failures.tried("set", 1, &[(1, Tried::Made)], false, start);
        assert_eq!(left, Some(wait), "the others' success changes nothing for it");

        let mut now = start;
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            now += failures.turn("set", 1, &[0], now).wait.unwrap();
            assert_eq!(failures.turn("set", 1, &[0], now).now, [0]);
            longest = failures.tried("set", 1, &[(0, taken())], false, now).unwrap();
        }
        assert!(longest >= Duration::from_secs(60) && longest <= Duration::from_secs(72), "{longest:?}");
        assert_eq!(failures.told("set"), BTreeMap::from([(0, Failure::NameTaken("nobody".into()))]));

        assert_eq!(failures.tried("set", 1, &[(0, Tried::Made)], false, now), None);
        assert_eq!(failures.told("set"), BTreeMap::new());
        assert_eq!(failures.tried("set", 1, &[(0, taken())], false, now), Some(wait), "it begins anew");
    }

    #[test]
    fn where_nothing_can_be_made_nobody_is_tried_until_the_turn_comes_or_the_spec_changes() {
        let failures = Failures::default();
        let start = Instant::now();
        let wanted: Vec<u32> = (0..20).collect();
        let round: Vec<(u32, Tried)> = (0..8).map(|o| (o, quota())).collect();
        assert!(is_hopeless(&round));
        let wait = failures.tried("set", 1, &round, true, start).unwrap();
        assert_eq!(failures.turn("set", 1, &wanted, start), Turn { now: vec![], wait: Some(wait) });
        let next = failures.turn("set", 1, &wanted, start + wait).now;
        assert_eq!(next[..12], wanted[8..], "those that were not tried come first");
        assert_eq!(failures.turn("set", 2, &wanted, start), Turn { now: wanted, wait: None });
        assert_eq!(failures.told("set"), BTreeMap::new());
    }

    #[test]
    fn names_that_are_taken_say_nothing_of_the_others() {
        assert!(!is_hopeless(&[(0, taken()), (1, taken())]));
        assert!(!is_hopeless(&[(0, quota()), (1, Tried::Made)]));
        assert!(is_hopeless(&[(0, quota()), (1, taken())]));
        assert!(!is_hopeless(&[]));
    }

    #[test]
    fn what_is_not_wanted_any_more_is_forgotten() {
        let failures = Failures::default();
        let now = Instant::now();
        failures.tried("set", 1, &[(0, taken()), (1, taken())], false, now);
        failures.turn("set", 1, &[1], now);
        assert_eq!(failures.told("set").into_keys().collect::<Vec<_>>(), [1]);
        assert_eq!(failures.turn("set", 1, &[], now), Turn::default());
        assert!(failures.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_hiccup_is_told_when_it_lasts_and_the_end_of_a_namespace_never() {
        let failures = Failures::default();
        let now = Instant::now();
        let refused = Failure::Refused("no answer".into());
        let hiccup = Tried::Failed { failure: Some(refused.clone()), passing: true };
        for (round, told) in [(1, 0), (2, 0), (3, 1)] {
            failures.tried("set", 1, &[(0, hiccup.clone())], true, now);
            assert_eq!(failures.told("set").len(), told, "round {round}");
        }
        failures.tried("gone", 1, &[(0, Tried::Failed { failure: None, passing: false })], true, now);
        assert_eq!(failures.told("gone"), BTreeMap::new());
        assert_eq!(failures.turn("gone", 1, &[0, 1], now).now, Vec::<u32>::new());
    }
}
