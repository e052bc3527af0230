//! How long to wait after a failure: longer each time, per object, until it works again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(60);
/// An object that has not failed for this long works, or is gone.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Failures in a row, by object uid.
#[derive(Debug, Default)]
pub(super) struct Backoff(Mutex<HashMap<String, Failures>>);

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Backoff {
    /// Notes a failure and says how long to wait before the next try.
    pub(super) fn failed(&self, uid: &str, now: Instant) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, f| now.duration_since(f.last) < FORGOTTEN);
        let failures = failures.entry(uid.to_owned()).or_insert(Failures { count: 0, last: now });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        delay(failures.count, uid)
    }

    /// Forgets the failures of an object that works.
    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// 200 ms doubled with each failure up to a minute, and up to a fifth more so that objects that failed
/// together do not try again together.
pub(super) fn delay(failures: u32, uid: &str) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    let mut hasher = DefaultHasher::new();
    (uid, failures).hash(&mut hasher);
    doubled + doubled / 5 * u32::try_from(hasher.finish() % 100).unwrap_or_default() / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_minute_and_starts_again_after_success() {
        let backoff = Backoff::default();
        let now = Instant::now();
        let first = backoff.failed("a", now);
        assert!(first >= FIRST && first < FIRST * 2, "{first:?}");
        for _ in 0..40 {
            let wait = backoff.failed("a", now);
            assert!(wait <= LONGEST * 6 / 5, "{wait:?}");
        }
        assert!(backoff.failed("a", now) >= LONGEST);
        backoff.forget("a");
        assert_eq!(backoff.failed("a", now), first);
    }

    #[test]
    fn an_object_that_is_gone_is_forgotten() {
        let backoff = Backoff::default();
        let start = Instant::now();
        backoff.failed("gone", start);
        backoff.failed("other", start + FORGOTTEN);
        assert_eq!(backoff.0.lock().unwrap().len(), 1);
    }
}
