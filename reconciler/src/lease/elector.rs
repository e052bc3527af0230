//! A candidate: looks at the lease, asks [`decide`], and carries the answer out until it leads.

use std::ops::ControlFlow;
use std::time::Duration;

use gamewarden_runtime::Shutdown;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Client;
use tokio::time::Instant;

use super::decide::spec_of;
use super::request::Remote;
use super::{
    Candidate, Config, ConfigError, Fence, Leadership, LeaseError, LeaseMetrics, Observed, Step, decide,
};

/// A candidate for one lease.
#[derive(Debug)]
pub struct Elector {
    pub(super) remote: Remote,
    pub(super) me: Candidate,
    pub(super) config: Config,
    /// The wall clock; tests bring their own.
    pub(super) wall: fn() -> Timestamp,
    pub(super) fence: Fence,
    /// Where this process' monotonic clock starts.
    epoch: Instant,
    observed: Observed,
}

/// A lease that this process holds.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) lease: Lease,
    /// When to give up unless it was renewed: `renew_deadline` after the write was *sent*.
    pub(super) until: Instant,
}

impl Elector {
    /// A candidate for the lease `namespace/name`. `client` must not retry by itself (see
    /// [`super::client_config`]); `identity` must be unique to this process (see [`super::identity`]).
    ///
    /// # Errors
    /// The times in `config` would not be safe.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: String,
        config: Config,
        metrics: LeaseMetrics,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            remote: Remote::new(client, namespace, name, config.request_timeout(), metrics),
            me: Candidate { identity, lease_duration: config.lease_duration },
            config,
            wall: Timestamp::now,
            fence: Fence::default(),
            epoch: Instant::now(),
            observed: Observed::default(),
        })
    }

    /// Open while this process leads by this lease.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Waits until this process leads, however long that takes; failing requests are logged, counted
    /// and tried again. `None` when the drain started first.
    pub async fn acquire(mut self, shutdown: &Shutdown) -> Option<Leadership> {
        tracing::info!(lease = %self.remote.describe(), identity = %self.me.identity, "waiting for the leader lease");
        let held = tokio::select! {
            biased;
            () = shutdown.started() => None,
            held = self.compete() => Some(held),
        }?;
        tracing::info!(lease = %self.remote.describe(), identity = %self.me.identity, "leading");
        Some(Leadership::new(self, held))
    }

    async fn compete(&mut self) -> Held {
        let mut seen_holder = None;
        loop {
            let pause = match self.attempt(&mut seen_holder).await {
                // An answer that took longer than the deadline is no leadership.
                Ok(ControlFlow::Break(held)) if Instant::now() < held.until => return held,
                Ok(ControlFlow::Break(_)) => self.config.pause(Duration::MAX),
                Ok(ControlFlow::Continue(left)) => self.config.pause(left),
                Err(error) => {
                    if error.is_conflict() {
                        tracing::debug!("another candidate was faster");
                    } else {
                        tracing::warn!(error = &error as &dyn std::error::Error, "will try again");
                    }
                    self.config.pause(Duration::MAX)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// One look and what follows from it: leadership, or for how long another may yet be alive.
    async fn attempt(
        &mut self,
        seen_holder: &mut Option<String>,
    ) -> Result<ControlFlow<Held, Duration>, LeaseError> {
        let (lease, step) = self.look().await?;
        if let Step::Wait(left) = step {
            let holder = lease.and_then(|lease| lease.spec).and_then(|spec| spec.holder_identity);
            if *seen_holder != holder {
                tracing::info!(holder = holder.as_deref().unwrap_or_default(), "another leads");
                *seen_holder = holder;
            }
            return Ok(ControlFlow::Continue(left));
        }
        let held = self.carry_out(lease.as_ref(), step).await?;
        Ok(held.map_or(ControlFlow::Continue(Duration::ZERO), ControlFlow::Break))
    }

    /// Reads the lease and decides about it.
    pub(super) async fn look(&mut self) -> Result<(Option<Lease>, Step), LeaseError> {
        let lease = self.remote.get().await?;
        // After the answer: what it says may be older, so waiting from here on errs on the long side.
        let now = self.epoch.elapsed();
        self.observed.see(lease.as_ref(), now);
        let step = decide(lease.as_ref(), &self.observed, &self.me, now, (self.wall)());
        Ok((lease, step))
    }

    /// Carries out what was decided about `lease`. `None` where there is nothing to write.
    pub(super) async fn carry_out(
        &self,
        lease: Option<&Lease>,
        step: Step,
    ) -> Result<Option<Held>, LeaseError> {
        match (step, lease) {
            (Step::Create(spec), _) => {
                let until = self.deadline();
                let lease = self.remote.create(spec).await?;
                Ok(Some(Held { lease, until }))
            }
            (Step::Renew(spec) | Step::Acquire(spec), Some(lease)) => self.put(lease, spec).await.map(Some),
            (Step::Wait(_), _) | (Step::Renew(_) | Step::Acquire(_), None) => Ok(None),
        }
    }

    /// Renews without looking first: the resourceVersion tells if the lease is still what it was.
    pub(super) async fn renew(&self, held: &Held) -> Result<Held, LeaseError> {
        let spec = self.me.renewed(&spec_of(&held.lease), (self.wall)());
        self.put(&held.lease, spec).await
    }

    async fn put(&self, lease: &Lease, spec: LeaseSpec) -> Result<Held, LeaseError> {
        let until = self.deadline();
        let lease = self.remote.replace(lease, spec).await?;
        Ok(Held { lease, until })
    }

    /// The deadline of a write that is sent now.
    fn deadline(&self) -> Instant {
        Instant::now() + self.config.renew_deadline
    }
}
