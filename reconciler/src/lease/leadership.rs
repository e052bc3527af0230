//! A held lease: renewed while work goes on, given back when it is done, lost when it cannot be kept.

use std::error::Error;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use super::decide::spec_of;
use super::elector::{Elector, Held};
use super::{Candidate, LeaseError, Step};

/// The right to act as leader. Dropping it stops the renewals without giving the lease back.
#[derive(Debug)]
pub struct Leadership {
    elector: Elector,
    held: Held,
}

/// Why leadership ended. What it began must not go on beside a new leader: the process ends, or sees that it has dropped all of it.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Not renewed in time.
    #[error("leader lease {lease} was not renewed within its deadline")]
    Deadline {
        /// namespace/name.
        lease: String,
        /// The last thing that went wrong; `None` if nothing did but the time (a paused process).
        source: Option<LeaseError>,
    },
    /// Somebody else holds it, or took it from us.
    #[error("leader lease {lease} was taken over by {holder:?}")]
    Taken {
        /// namespace/name.
        lease: String,
        /// The new holder's identity; empty when it is nobody's.
        holder: String,
    },
    /// The task that renews died.
    #[error("the task that renews the leader lease died")]
    Died(#[source] tokio::task::JoinError),
}

impl Leadership {
    pub(super) fn new(elector: Elector, held: Held) -> Self {
        elector.remote.metrics.leader.set(1);
        elector.fence.open(held.until);
        Self { elector, held }
    }

    /// Does `work` while the lease is renewed beside it, on a task of its own (so that work which
    /// waits delays no renewal), and gives the lease back when `work` is done. A failure to give it back is
    /// logged: it then expires.
    ///
    /// # Errors
    /// The lease was lost: `work` was dropped where it stood.
    pub async fn run<T>(mut self, work: impl Future<Output = T>) -> Result<T, Lost> {
        let (done, is_done) = oneshot::channel::<()>();
        let mut renewals = tokio::spawn(async move {
            tokio::select! {
                biased;
                lost = self.hold() => Err(lost),
                // Also when `run` is dropped, and `done` with it.
                _ = is_done => Ok(self),
            }
        });
        let output = tokio::select! {
            biased;
            ended = &mut renewals => return Err(lost(ended)),
            output = work => output,
        };
        // The receiver is gone only if the lease was lost in this very moment.
        let _ = done.send(());
        match renewals.await {
            Ok(Ok(leadership)) => {
                if let Err(error) = leadership.release().await {
                    tracing::warn!(error = &error as &dyn Error, "lease not given back; it expires");
                }
            }
            ended => {
                let lost = lost(ended);
                tracing::warn!(error = &lost as &dyn Error, "lease lost when all was done");
            }
        }
        Ok(output)
    }

    /// Renews every retry period, and resolves when the lease is lost. It may be dropped at any time.
    pub async fn hold(&mut self) -> Lost {
        loop {
            sleep(self.elector.config.retry_period).await;
            let mut last_error = None;
            let until = self.held.until;
            // A process that was stopped meanwhile must not even try.
            let renewed = if Instant::now() < until {
                timeout_at(until, self.keep_trying(&mut last_error)).await.ok()
            } else {
                None
            };
            match renewed {
                Some(Ok(held)) if Instant::now() < held.until => {
                    self.elector.fence.open(held.until);
                    self.held = held;
                }
                Some(Err(lost)) => return self.lose(lost),
                Some(Ok(_)) | None => {
                    return self
                        .lose(Lost::Deadline { lease: self.elector.remote.describe(), source: last_error });
                }
            }
        }
    }

    /// Gives the lease back, so that another candidate need not wait for it to expire.
    ///
    /// # Errors
    /// The request failed; the lease then expires by itself.
    pub async fn release(mut self) -> Result<(), LeaseError> {
        self.lead_no_more();
        match self.give_back(&self.held.lease).await {
            // A renewal that was under way when the work ended arrived first: give that one back.
            Err(error) if error.is_conflict() => match self.elector.look().await? {
                (Some(lease), Step::Renew(_)) => self.give_back(&lease).await,
                // Another's, or gone: nothing to give back.
                _ => Ok(()),
            },
            result => result,
        }
    }

    async fn give_back(&self, lease: &Lease) -> Result<(), LeaseError> {
        let spec = Candidate::released(&spec_of(lease), (self.elector.wall)());
        self.elector.remote.replace(lease, spec).await?;
        tracing::info!(lease = %self.elector.remote.describe(), "gave the leader lease back");
        Ok(())
    }

    /// Tries until the lease is renewed, or is seen to be another's.
    async fn keep_trying(&mut self, last_error: &mut Option<LeaseError>) -> Result<Held, Lost> {
        let mut error = match self.elector.renew(&self.held).await {
            Ok(held) => return Ok(held),
            Err(error) => error,
        };
        // A conflict is most likely harmless, and a look will tell; a second one has to wait.
        let mut at_once = error.is_conflict();
        loop {
            tracing::warn!(error = &error as &dyn Error, "lease not renewed yet");
            *last_error = Some(error);
            if !std::mem::take(&mut at_once) {
                sleep(self.elector.config.retry_period).await;
            }
            error = match self.look_and_renew().await {
                Ok(ended) => return ended,
                Err(error) => error,
            };
        }
    }

    async fn look_and_renew(&mut self) -> Result<Result<Held, Lost>, LeaseError> {
        let (lease, step) = self.elector.look().await?;
        // Still ours, or deleted by somebody: both can be made good. Anything else was another's
        // doing, even if it could be acquired again by now.
        if matches!(step, Step::Renew(_) | Step::Create(_))
            && let Some(held) = self.elector.carry_out(lease.as_ref(), step).await?
        {
            return Ok(Ok(held));
        }
        let holder = lease.map(|lease| spec_of(&lease).holder_identity);
        Ok(Err(Lost::Taken {
            lease: self.elector.remote.describe(),
            holder: holder.flatten().unwrap_or_default(),
        }))
    }

    fn lose(&self, lost: Lost) -> Lost {
        self.lead_no_more();
        lost
    }

    fn lead_no_more(&self) {
        self.elector.fence.close();
        self.elector.remote.metrics.leader.set(0);
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.lead_no_more();
    }
}

/// How the renewals ended when they should not have.
fn lost(ended: Result<Result<Leadership, Lost>, tokio::task::JoinError>) -> Lost {
    match ended {
        Ok(Err(lost)) => lost,
        Err(error) => Lost::Died(error),
        // It returns itself only when told to; then nobody asks.
        Ok(Ok(leadership)) => {
            Lost::Taken { lease: leadership.elector.remote.describe(), holder: String::new() }
        }
    }
}
