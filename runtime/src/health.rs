//! Health: ready (may be given work) is not alive (need not be restarted).
//!
//! Ready is a list of named checks, each set by the part that owns it; a drain overrules them all.
//! Alive is a list of heartbeats: a loop that has not beaten for its limit counts as dead.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Shutdown;

/// The health of this process. Clones share one state.
#[derive(Debug, Clone)]
pub struct Health {
    shutdown: Shutdown,
    checks: Arc<Mutex<Vec<Readiness>>>,
    heartbeats: Arc<Mutex<Vec<Heartbeat>>>,
}

impl Health {
    /// A process that is alive and, until a check is added or the drain starts, ready.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, checks: Arc::default(), heartbeats: Arc::default() }
    }

    /// Adds a readiness check, at first not ready. It lasts as long as the process.
    #[must_use = "a check that nobody sets keeps the process from ever being ready"]
    pub fn readiness(&self, name: &'static str) -> Readiness {
        let check = Readiness { name, ready: Arc::default() };
        lock(&self.checks).push(check.clone());
        check
    }

    /// Adds a heartbeat that must be given at least once every `limit`, counted from now. It
    /// outlives the loop that gives it: a loop that ended without a drain is as dead as one that hangs.
    #[must_use = "a heartbeat that nobody gives lets the process be restarted"]
    pub fn heartbeat(&self, name: &'static str, limit: Duration) -> Heartbeat {
        let heartbeat = Heartbeat { name, limit, last: Arc::new(Mutex::new(Instant::now())) };
        lock(&self.heartbeats).push(heartbeat.clone());
        heartbeat
    }

    /// The names of what is not ready; empty when ready.
    #[must_use]
    pub fn unready(&self) -> Vec<&'static str> {
        let draining = self.shutdown.is_draining().then_some("draining");
        let checks = lock(&self.checks);
        let unready = checks.iter().filter(|check| !check.is_ready());
        draining.into_iter().chain(unready.map(|check| check.name)).collect()
    }

    /// The names of the heartbeats that are overdue; empty when alive. During a drain loops end
    /// and beat no more: then nothing is overdue, the pod's grace period is the limit.
    #[must_use]
    pub fn stalled(&self) -> Vec<&'static str> {
        if self.shutdown.is_draining() {
            return Vec::new();
        }
        let heartbeats = lock(&self.heartbeats);
        let stalled = heartbeats.iter().filter(|heartbeat| heartbeat.is_overdue());
        stalled.map(|heartbeat| heartbeat.name).collect()
    }
}

/// One named readiness check. Clones share one state.
#[derive(Debug, Clone)]
pub struct Readiness {
    name: &'static str,
    ready: Arc<AtomicBool>,
}

impl Readiness {
    /// Says whether this part is ready now.
    pub fn set(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// What was last said.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}

/// One named heartbeat. Clones share one state.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    name: &'static str,
    limit: Duration,
    last: Arc<Mutex<Instant>>,
}

impl Heartbeat {
    /// Says that the loop goes round.
    pub fn beat(&self) {
        *lock(&self.last) = Instant::now();
    }

    fn is_overdue(&self) -> bool {
        lock(&self.last).elapsed() > self.limit
    }
}

/// What is locked here is always whole, so a panic elsewhere (tests; release builds abort) does
/// not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_check_is_and_no_drain() {
        let shutdown = Shutdown::new();
        let health = Health::new(shutdown.clone());
        assert!(health.unready().is_empty());

        let cache = health.readiness("cache");
        let listener = health.readiness("listener");
        assert_eq!(health.unready(), ["cache", "listener"]);
        cache.set(true);
        assert_eq!(health.unready(), ["listener"]);
        listener.set(true);
        assert!(health.unready().is_empty());

        shutdown.drain();
        assert_eq!(health.unready(), ["draining"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_is_overdue_after_its_limit() {
        let shutdown = Shutdown::new();
        let health = Health::new(shutdown.clone());
        let main = health.heartbeat("main", Duration::from_secs(10));
        let _quiet = health.heartbeat("quiet", Duration::from_secs(60));

        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(health.stalled().is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(health.stalled(), ["main"]);
        main.beat();
        assert!(health.stalled().is_empty());

        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(health.stalled(), ["main", "quiet"]);
        shutdown.drain();
        assert!(health.stalled().is_empty());
    }
}
