//! What the webhook knows of the cluster: sets and GameServers, and whether it still sees them.
//!
//! ```text
//!   watch ─ lists and watches both kinds ──┐
//!                                          ├─▶ Known ─▶ the guard (a cache, and how well it is seen)
//!   pulse ─ asks the API server for a sign ┘
//!   age     whether all of that is so now: pure
//!   metrics how old it is
//! ```
//!
//! A watch that is silent may be dead, and one that is broken shows the past. So the cache counts as what is so only while
//! both watches are open and the API server answers; who decides without is told so.

mod age;
mod metrics;
mod pulse;
mod watch;

use std::sync::{Arc, PoisonError, RwLock};

use gamewarden_api::guard::{Cache, Sight};
use gamewarden_runtime::Readiness;
use kube::Client;
use tokio::sync::Notify;
use tokio::time::Instant;

use age::{Age, Kind};
pub(crate) use metrics::CacheMetrics;

/// The cache, and how well the cluster is seen. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    cache: Arc<RwLock<Cache>>,
    age: Arc<RwLock<Age>>,
    /// Somebody has seen something that asks for another sign of life.
    asks: Arc<Notify>,
}

impl Known {
    /// Asks the cache as it is now.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Cache, Sight) -> T) -> T {
        let sight = self.read_age().sight(Instant::now());
        question(&self.cache.read().unwrap_or_else(PoisonError::into_inner), sight)
    }

    /// Changes the cache.
    fn change<T>(&self, change: impl FnOnce(&mut Cache) -> T) -> T {
        change(&mut self.cache.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes what befell the watches.
    fn note(&self, note: impl FnOnce(&mut Age, Instant)) {
        note(&mut self.age.write().unwrap_or_else(PoisonError::into_inner), Instant::now());
    }

    fn read_age(&self) -> Age {
        self.age.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fills it and keeps it up to date for as long as it is polled; says to `ready` when it was filled.
    pub(crate) async fn follow(&self, client: Client, ready: &Readiness, metrics: &CacheMetrics) {
        tokio::select! {
            () = watch::follow(&client, self, Kind::Sets, metrics) => {}
            () = watch::follow(&client, self, Kind::Servers, metrics) => {}
            () = pulse::beat(&client, self, ready) => {}
        }
    }

    /// A cache that is seen clearly.
    #[cfg(test)]
    pub(crate) fn fill(&self, fill: impl FnOnce(&mut Cache)) {
        self.change(fill);
        self.note(|age, now| {
            age.opened(Kind::Sets, now);
            age.opened(Kind::Servers, now);
            age.answered(now);
        });
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
