//! Whether the schedule of a set is kept, and whom to tell when it is not.
//!
//! A probe that starts more than a period late has missed a turn. One such start may be a hiccup; when all
//! starts of a period's length are that late for three periods, there is more to probe than the slots can
//! carry, and somebody should know. The probes of a set that have the same period are judged together: under
//! overload they wait equally long, while those of a longer period may still be in time.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::Duration,
};

/// For how many periods starts must be late (or in time again) before anything is said.
const PERIODS: u32 = 3;
/// How often a set is told at most that it is late.
const REPEAT: Duration = Duration::from_secs(300);

/// What to tell the owner of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LatenessNotice {
    /// Probes start late, by `lag` where `period` is asked for.
    Late {
        /// How late the last one started.
        lag: Duration,
        /// The period it should have.
        period: Duration,
    },
    /// They start in time again.
    Recovered,
}

/// Tracks the lags of many sets. `S` identifies a set, its name alone does not: one that is made again under
/// the name has been told nothing yet. A set is kept until it is forgotten.
#[derive(Clone, Debug)]
pub struct Lateness<S> {
    sets: HashMap<S, Tracked>,
}

#[derive(Clone, Debug, Default)]
struct Tracked {
    streaks: BTreeMap<Duration, Streak>,
    said: Option<Duration>,
    late: bool,
}

/// Starts in a row that were all late, or all in time.
#[derive(Clone, Debug)]
struct Streak {
    late: bool,
    since: Duration,
}

impl<S> Default for Lateness<S> {
    fn default() -> Self {
        Self { sets: HashMap::new() }
    }
}

impl<S: Hash + Eq> Lateness<S> {
    /// Takes note that a probe of `set` with this period started at `now`, `lag` after it was due; gives
    /// what is to be said about it. `Late` comes once when it begins and every five minutes while it
    /// lasts (also when it ends and begins again in between), `Recovered` once after a `Late`.
    pub fn observe(
        &mut self,
        set: S,
        period: Duration,
        lag: Duration,
        now: Duration,
    ) -> Option<LatenessNotice> {
        let tracked = self.sets.entry(set).or_default();
        let late = lag > period;
        let streak = tracked.streaks.entry(period).or_insert(Streak { late, since: now });
        if streak.late != late {
            *streak = Streak { late, since: now };
        }
        let lasting = now.saturating_sub(streak.since) >= period * PERIODS;

        if late && lasting {
            let repeated = tracked.said.is_some_and(|said| now.saturating_sub(said) < REPEAT);
            if repeated {
                return None;
            }
            tracked.late = true;
            tracked.said = Some(now);
            return Some(LatenessNotice::Late { lag, period });
        }
        let all_in_time = tracked
            .streaks
            .iter()
            .all(|(period, streak)| !streak.late && now.saturating_sub(streak.since) >= *period * PERIODS);
        if tracked.late && all_in_time {
            tracked.late = false;
            return Some(LatenessNotice::Recovered);
        }
        None
    }

    /// Forgets the set, all of it: it is gone, or has other qualities now.
    pub fn forget(&mut self, set: &S) {
        self.sets.remove(set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(3);

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Feeds one start each period, with the lag that `lag` gives for the second; collects what is said.
    fn said(
        lateness: &mut Lateness<&'static str>,
        seconds: std::ops::Range<u64>,
        lag: impl Fn(u64) -> u64,
    ) -> Vec<(u64, LatenessNotice)> {
        seconds
            .step_by(3)
            .filter_map(|now| {
                let notice = lateness.observe("set", PERIOD, secs(lag(now)), secs(now))?;
                Some((now, notice))
            })
            .collect()
    }

    fn late(lag: u64) -> LatenessNotice {
        LatenessNotice::Late { lag: secs(lag), period: PERIOD }
    }

    #[test]
    fn a_lag_up_to_a_period_is_not_worth_a_word() {
        let mut lateness = Lateness::default();
        assert_eq!(said(&mut lateness, 0..3000, |_| 3), vec![]);
    }

    #[test]
    fn a_hiccup_is_not_worth_a_word() {
        let mut lateness = Lateness::default();
        assert_eq!(said(&mut lateness, 0..3000, |now| if now % 9 == 0 { 0 } else { 30 }), vec![]);
    }

    #[test]
    fn lasting_lag_is_said_once_and_again_every_five_minutes() {
        let mut lateness = Lateness::default();
        assert_eq!(
            said(&mut lateness, 0..700, |_| 12),
            vec![(9, late(12)), (309, late(12)), (609, late(12))]
        );
    }

    #[test]
    fn recovery_is_said_once() {
        let mut lateness = Lateness::default();
        assert_eq!(
            said(&mut lateness, 0..200, |now| if now < 60 { 12 } else { 0 }),
            vec![(9, late(12)), (69, LatenessNotice::Recovered)]
        );
    }

    #[test]
    fn recovery_is_not_said_to_who_was_not_told_of_the_lag() {
        let mut lateness = Lateness::default();
        assert_eq!(said(&mut lateness, 0..200, |now| if now < 6 { 12 } else { 0 }), vec![]);
    }

    #[test]
    fn coming_and_going_is_said_every_five_minutes_at_most() {
        let mut lateness = Lateness::default();
        let notices = said(&mut lateness, 0..900, |now| if now % 60 < 30 { 12 } else { 0 });
        let lates = notices.iter().filter(|(_, n)| matches!(n, LatenessNotice::Late { .. }));
        assert_eq!(lates.count(), 3, "{notices:?}");
        assert_eq!(notices.len(), 6, "each with its recovery: {notices:?}");
    }

    #[test]
    fn a_longer_period_in_time_does_not_hide_a_shorter_one_that_is_late() {
        let mut lateness = Lateness::default();
        let mut notices = Vec::new();
        for now in 0..60 {
            notices.extend(lateness.observe("set", PERIOD, secs(12), secs(now)));
            notices.extend(lateness.observe("set", secs(60), secs(12), secs(now)));
        }
        assert_eq!(notices, vec![late(12)]);
    }

    #[test]
    fn sets_do_not_mix_and_a_forgotten_one_starts_afresh() {
        let mut lateness = Lateness::default();
        assert_eq!(said(&mut lateness, 0..10, |_| 12), vec![(9, late(12))]);
        assert_eq!(lateness.observe("other", PERIOD, secs(12), secs(9)), None);
        lateness.forget(&"set");
        assert_eq!(said(&mut lateness, 12..24, |_| 12), vec![(21, late(12))]);
        lateness.forget(&"set");
        lateness.forget(&"other");
        assert!(lateness.sets.is_empty(), "{:?}", lateness.sets);
    }
}
