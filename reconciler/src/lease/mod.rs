//! Leader election over a `coordination.k8s.io/v1` Lease, by client-go's rules.
//!
//! ```text
//!  Elector ──acquire──▶ Leadership ──run(work)──▶ work is done: the lease is released
//!     │ looks every                  │ renews every retry period;
//!     ▼ retry period                 ▼ not for renew_deadline, or another took it
//!  decide (pure) ◀───────────── Err(Lost): work is dropped; the process ends, or starts anew
//! ```
//!
//! - Nobody compares clocks. A candidate takes a lease over only when it has *itself seen it
//!   unchanged* for the lease's duration; `renewTime` is there to change, not to be read.
//! - Every write carries the resourceVersion of what was looked at, so of two that decide the same
//!   one is refused.
//! - The holder gives up after `renew_deadline`, counted from the moment its last good write was
//!   *sent*, which is sooner than anybody else may take over. That holds while the monotonic clocks
//!   of both run at rates that differ by less than `lease_duration / renew_deadline`.
//!
//! - What the work asks for goes through the [`Fence`], which is shut at that deadline: a process that
//!   was stopped and goes on long after it sends nothing more.
//!
//! Design I7: this only keeps two controllers rare. What makes them harmless is resourceVersions on
//! their own writes.

mod decide;
mod elector;
mod fence;
mod leadership;
mod live;
mod request;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use decide::{Candidate, Observed, Step, decide};
pub use elector::Elector;
pub use fence::{Fence, NotLeading};
pub use leadership::{Leadership, Lost};
pub use live::{LONGEST_PROMISE, Live};
pub use request::{LeaseError, LeaseMetrics, client_config};

/// Random part of every wait, as a share of it: candidates that started together drift apart.
/// client-go's `JitterFactor`.
const JITTER_FACTOR: f64 = 1.2;

/// The times of an election. All candidates for a lease should have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How long a candidate must have seen the lease unchanged before it takes it over.
    pub lease_duration: Duration,
    /// How long after its last renewal a holder gives up.
    pub renew_deadline: Duration,
    /// The pause between two attempts to acquire or to renew.
    pub retry_period: Duration,
}

impl Default for Config {
    /// What Kubernetes' own controllers use, and ours does; a node's prober has [`crate::prober::LEASE`].
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// Times with which an election would not be safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The API keeps whole seconds, of which there must be one.
    #[error("lease duration must be a whole number of seconds, at least 1")]
    WholeSeconds,
    /// Two could hold the lease at once.
    #[error("lease duration must be greater than renew deadline")]
    RenewDeadline,
    /// One failed renewal would lose the lease.
    #[error("renew deadline must be greater than 1.2 times the retry period, which must not be 0")]
    RetryPeriod,
}

impl Config {
    /// client-go's rules about these times.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.lease_duration.subsec_nanos() != 0
            || self.lease_duration.is_zero()
            || i32::try_from(self.lease_duration.as_secs()).is_err()
        {
            return Err(ConfigError::WholeSeconds);
        }
        if self.lease_duration <= self.renew_deadline {
            return Err(ConfigError::RenewDeadline);
        }
        if self.retry_period.is_zero() || self.renew_deadline <= self.retry_period.mul_f64(JITTER_FACTOR) {
            return Err(ConfigError::RetryPeriod);
        }
        Ok(())
    }

    /// How long one request may take: half the renew deadline, so that one that hangs leaves time for
    /// another.
    fn request_timeout(&self) -> Duration {
        self.renew_deadline / 2
    }

    /// The pause before the next attempt: one to 2.2 retry periods, not longer than `at_most`.
    fn pause(&self, at_most: Duration) -> Duration {
        let factor = 1.0 + JITTER_FACTOR * fastrand::f64();
        self.retry_period.mul_f64(factor).min(at_most)
    }
}

/// An identity that no other process has, also none with the same pod name (a restarted container,
/// a StatefulSet's pod on a node that is cut off): `<pod name>_<16 hex digits>`.
#[must_use]
pub fn identity(pod_name: &str) -> String {
    format!("{pod_name}_{:016x}", fastrand::u64(..))
}
