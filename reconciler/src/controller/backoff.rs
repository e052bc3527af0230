//! How long to wait after a failure: longer each time, per object, until it works again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(60);

/// Failures in a row, by object uid.
#[derive(Debug, Default)]
pub(crate) struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// Notes a failure and says how long to wait before the next try.
    pub(crate) fn failed(&self, uid: &str) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        *count = count.saturating_add(1);
        delay(*count, uid)
    }

    /// Forgets the failures of an object that works, or is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// 200 ms doubled with each failure up to a minute, and up to a fifth more so that objects that failed
/// together do not try again together.
fn delay(failures: u32, uid: &str) -> Duration {
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
        let first = backoff.failed("a");
        assert!(first >= FIRST && first < FIRST * 2, "{first:?}");
        for _ in 0..40 {
            let wait = backoff.failed("a");
            assert!(wait <= LONGEST * 6 / 5, "{wait:?}");
        }
        assert!(backoff.failed("a") >= LONGEST);
        backoff.forget("a");
        assert_eq!(backoff.failed("a"), first);
    }
}
