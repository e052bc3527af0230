//! Whether the schedule of a set is kept, and whom to tell when it is not.
//!
//! One late start may be a hiccup; when the starts of a period's length are late by more than a quarter of it in
//! the mean, for three periods, there is more to probe than the slots can carry, and somebody should know. (A
//! quarter, because lag does not grow without end under overload: a probe that comes late leaves out the turns
//! that it missed. Where five probes want the place of four, they start half a period late.) The probes of a set that have the same period are judged together: under
//! overload they wait equally long, while those of a longer period may still be in time.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::Duration,
};

/// For how many periods starts must be late (or in time again) before anything is said.
const PERIODS: u32 = 3;
/// The mean lag up to which the schedule counts as kept, as a part of the period.
const KEPT_UP_TO: u32 = 4;
/// How often a set is told at most that it is late.
const REPEAT: Duration = Duration::from_secs(300);

/// What to tell the owner of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LatenessNotice {
    /// Probes start late, by `lag` where `period` is asked for.
    Late {
        /// How late they started in the mean of the last period.
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

/// Periods in a row that were all late, or all in time, and the one that is not over yet.
#[derive(Clone, Debug)]
struct Streak {
    late: bool,
    since: Duration,
    began: Duration,
    lags: Duration,
    starts: u32,
}

impl Streak {
    fn new(now: Duration) -> Self {
        Self { late: false, since: now, began: now, lags: Duration::ZERO, starts: 0 }
    }

    /// Takes a start into account; gives the mean lag of a period that is over by now.
    fn start(&mut self, period: Duration, lag: Duration, now: Duration) -> Option<Duration> {
        let over = now.saturating_sub(self.began) >= period && self.starts > 0;
        let mean = over.then(|| self.lags / self.starts);
        if let Some(mean) = mean {
            let late = mean > period / KEPT_UP_TO;
            if self.late != late {
                (self.late, self.since) = (late, self.began);
            }
            (self.began, self.lags, self.starts) = (now, Duration::ZERO, 0);
        }
        self.lags += lag;
        self.starts += 1;
        mean
    }
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
        let streak = tracked.streaks.entry(period).or_insert_with(|| Streak::new(now));
        let lag = streak.start(period, lag, now)?;
        let lasting = now.saturating_sub(streak.since) >= period * PERIODS;

        if streak.late && lasting {
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
    fn a_lag_up_to_a_quarter_of_the_period_is_not_worth_a_word() {
        let mut lateness = Lateness::default();
        for now in 0..3000 {
            assert_eq!(lateness.observe("set", secs(4), secs(1), secs(now)), None);
        }
    }

    #[test]
    fn some_late_starts_among_many_are_judged_by_their_mean() {
        let mut lateness = Lateness::default();
        let mut observe = |lags: [u64; 2], seconds: std::ops::Range<u64>| -> Vec<LatenessNotice> {
            seconds
                .flat_map(|now| lags.map(|lag| (now, lag)))
                .filter_map(|(now, lag)| lateness.observe("set", PERIOD, secs(lag), secs(now)))
                .collect()
        };
        assert_eq!(observe([0, 1], 0..60), vec![]);
        assert_eq!(observe([0, 2], 60..120), vec![late(1)]);
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
