//! Whether something else keeps writing over what the keeper writes, such as a tool that applies a caBundle of its own
//! again and again. Pure, time an argument.
//!
//! A bundle that is written a second time although nothing about it has changed was written over by somebody. Once is
//! an edit, an upgrade, a restored backup; many times within minutes is a contest, which no side wins by being faster.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// So many in [`WINDOW`] are no contest yet.
const MOST: usize = 10;

/// And peace for as long ends one.
const WINDOW: Duration = Duration::from_secs(600);

/// The first wait in a contest; doubled with each up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// What was written again, and when.
#[derive(Debug, Default)]
pub(crate) struct Contest {
    again: VecDeque<Instant>,
    /// How often since the contest began; 0 while there is none.
    rounds: u32,
}

impl Contest {
    /// How long to wait from `now` on before a bundle is written again.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let Some(last) = self.again.back().filter(|_| self.rounds > 0) else { return Duration::ZERO };
        let pause = FIRST.saturating_mul(1 << (self.rounds - 1).min(16)).min(LONGEST);
        (*last + pause).saturating_duration_since(now)
    }

    /// A bundle was written again at `now`; says whether this is a contest.
    pub(crate) fn written_again(&mut self, now: Instant) -> bool {
        let is_recent = |then: &Instant| now.saturating_duration_since(*then) < WINDOW;
        if !self.again.back().is_some_and(is_recent) {
            self.rounds = 0;
        }
        self.again.retain(is_recent);
        self.again.push_back(now);
        if self.rounds > 0 || self.again.len() > MOST {
            self.rounds += 1;
        }
        self.rounds > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_no_contest() {
        let (mut contest, mut now) = (Contest::default(), Instant::now());
        for _ in 0..100 {
            assert!(!contest.written_again(now));
            assert_eq!(contest.wait(now), Duration::ZERO);
            now += WINDOW / 10;
        }
    }

    #[test]
    fn a_contest_is_slowed_down_until_there_is_peace() {
        let (mut contest, mut now) = (Contest::default(), Instant::now());
        for _ in 0..MOST {
            assert!(!contest.written_again(now));
        }
        let mut waits = Vec::new();
        for _ in 0..30 {
            assert!(contest.written_again(now));
            waits.push(contest.wait(now).as_secs());
            now += contest.wait(now);
            assert_eq!(contest.wait(now), Duration::ZERO);
        }
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits[29], 60);
        now += WINDOW;
        assert!(!contest.written_again(now));
        assert_eq!(contest.wait(now), Duration::ZERO);
    }
}
