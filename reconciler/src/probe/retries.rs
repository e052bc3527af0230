//! When the verdicts whose write failed are tried again.
//!
//! The next outcome tries again too, but its period may be ten minutes.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::targets::Key;

/// How long after its first failure a write is tried again; doubled with each failure after that.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);

/// The verdicts whose last write failed.
#[derive(Debug, Default)]
pub(super) struct Retries {
    failed: HashMap<Key, Failed>,
    waiting: BTreeSet<(Instant, Key)>,
}

#[derive(Debug)]
struct Failed {
    wait: Duration,
    again: Instant,
}

impl Retries {
    /// Takes note that a write failed at `now`.
    pub(super) fn failed(&mut self, key: &Key, now: Instant) {
        let before = self.failed.remove(key);
        let wait = match before {
            Some(before) => {
                self.waiting.remove(&(before.again, key.clone()));
                (before.wait * 2).min(LONGEST)
            }
            None => FIRST,
        };
        let again = now + wait;
        self.failed.insert(key.clone(), Failed { wait, again });
        self.waiting.insert((again, key.clone()));
    }

    /// Takes note that nothing is left to write; the next failure is a first one.
    pub(super) fn settled(&mut self, key: &Key) {
        if let Some(before) = self.failed.remove(key) {
            self.waiting.remove(&(before.again, key.clone()));
        }
    }

    /// Resolves when a key is to be tried again, with all that are; never where none waits. Each must then
    /// be reported as failed or settled. Cancelling it loses nothing.
    pub(super) async fn due(&mut self) -> BTreeSet<Key> {
        match self.waiting.first() {
            Some((again, _)) => sleep_until(*again).await,
            None => std::future::pending().await,
        }
        let now = Instant::now();
        let mut due = BTreeSet::new();
        while let Some((again, key)) = self.waiting.pop_first() {
            if again > now {
                self.waiting.insert((again, key));
                break;
            }
            due.insert(key);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn key(quality: &str) -> Key {
        Key { pod_uid: "pod-uid".into(), quality: quality.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_ten_seconds_and_begin_anew_once_settled() {
        let mut retries = Retries::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            let start = Instant::now();
            retries.failed(&key("idle"), start);
            assert_eq!(retries.due().await, BTreeSet::from([key("idle")]));
            waits.push(start.elapsed().as_millis());
        }
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);

        retries.settled(&key("idle"));
        let start = Instant::now();
        retries.failed(&key("idle"), start);
        retries.due().await;
        assert_eq!(start.elapsed(), FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn each_key_waits_once_and_for_itself() {
        let mut retries = Retries::default();
        assert_eq!(retries.due().now_or_never(), None);
        let start = Instant::now();
        retries.failed(&key("a"), start);
        retries.failed(&key("a"), start);
        retries.failed(&key("b"), start);
        assert_eq!(retries.due().await, BTreeSet::from([key("b")]));
        assert_eq!(retries.due().await, BTreeSet::from([key("a")]));
        assert_eq!(
            start.elapsed(),
            Duration::from_millis(500),
            "the second failure took the first one's place"
        );
        retries.failed(&key("b"), Instant::now());
        retries.settled(&key("b"));
        assert_eq!(retries.due().now_or_never(), None, "settled before its time");
        retries.settled(&key("a"));
        assert!(retries.failed.is_empty(), "nothing is kept: {:?}", retries.failed);
    }
}
