//! Pods whose DELETE we have sent and the watch has not shown yet.
//!
//! Without this, a reconcile that runs before the watch catches up would count such a pod as existing and
//! remove another one in its place.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Long after any watch has caught up; a uid is never used again, so keeping it longer does no harm.
const KEPT: Duration = Duration::from_secs(600);

/// Uids of pods that are as good as terminating.
#[derive(Debug, Default)]
pub(super) struct Removed(Mutex<HashMap<String, Instant>>);

impl Removed {
    /// Notes that the pod's DELETE was accepted.
    pub(super) fn insert(&self, uid: &str, now: Instant) {
        let mut removed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        removed.retain(|_, at| now.duration_since(*at) < KEPT);
        removed.insert(uid.to_owned(), now);
    }

    /// Whether the pod's DELETE was accepted lately.
    pub(super) fn contains(&self, uid: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_kept_until_they_cannot_matter() {
        let removed = Removed::default();
        let start = Instant::now();
        removed.insert("a", start);
        assert!(removed.contains("a"));
        removed.insert("b", start + KEPT);
        assert!(!removed.contains("a"));
        assert!(removed.contains("b"));
    }
}
