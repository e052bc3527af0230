//! The certificate that is served: follows one Secret, and swaps what new connections are shown. Connections that are
//! open go on.
//!
//! What could not be served with is not taken, and the one that is served goes on: garbage, a key that does not fit,
//! another name, one that `ca.crt` beside it did not sign, one that is not valid by this clock. A `ca.crt` that cannot be
//! read counts as none, and with none who signed is not checked: the controller heals it, and meanwhile serving is better
//! than not.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::{MissedTickBehavior, interval};

use crate::metrics::ServedMetrics;
use crate::read::{self, ReadError, Serving};
use crate::secrets::ServingSecret;

/// How often it is asked whether what is served, or was not taken, is valid by now. By the wall clock, which may jump.
const TICK: Duration = Duration::from_secs(10);

/// What new connections are shown. Clones are one and the same.
#[derive(Clone, Default)]
pub struct Served(Arc<RwLock<Option<Serving>>>);

impl Served {
    /// One that shows nothing yet: handshakes fail.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is shown.
    #[must_use]
    pub fn get(&self) -> Option<Serving> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows another one from now on.
    pub fn set(&self, serving: Serving) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(serving);
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_after = self.get().map(|serving| serving.not_after);
        f.debug_struct("Served").field("not_after", &not_after).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.get().map(|serving| serving.certified)
    }
}

/// Follows the Secret.
pub struct Follower {
    /// Where certificates go.
    pub served: Served,
    /// The names it must be for.
    pub names: Vec<String>,
    /// Counts.
    pub metrics: ServedMetrics,
}

impl Follower {
    /// Follows the Secret for as long as it is polled; says to `ready` whether a certificate is served that is valid
    /// now.
    pub async fn run(self, client: Client, namespace: &str, secret: &str, ready: impl Fn(bool)) {
        let api: Api<Secret> = Api::namespaced(client, namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={secret}"));
        let mut events = std::pin::pin!(watcher(api, config).default_backoff());
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Refused for now; its time may come.
        let mut refused: Option<Secret> = None;
        loop {
            let changed = tokio::select! {
                _ = tick.tick() => None,
                event = events.next() => match event {
                    Some(Ok(watcher::Event::Apply(found) | watcher::Event::InitApply(found))) => Some(found),
                    Some(Ok(watcher::Event::Delete(_))) => {
                        tracing::warn!(secret, "the Secret is gone; the certificate that is served goes on");
                        refused = None;
                        None
                    }
                    Some(Ok(watcher::Event::Init | watcher::Event::InitDone)) => None,
                    Some(Err(error)) => {
                        self.metrics.watch_errors.inc();
                        tracing::warn!(%error, secret, "the watch of the Secret broke, it is started again");
                        None
                    }
                    // It never ends by itself.
                    None => return,
                },
            };
            let is_new = changed.is_some();
            if let Some(offered) = changed.or_else(|| refused.take()) {
                match self.offer(&offered, Timestamp::now()) {
                    Ok(()) => refused = None,
                    Err(error) => {
                        if is_new {
                            self.metrics.refused.inc();
                            tracing::warn!(%error, secret, "certificate not taken");
                        }
                        refused = Some(offered);
                    }
                }
            }
            let now = Timestamp::now();
            ready(self.served.get().is_some_and(|s| s.not_before <= now && now < s.not_after));
        }
    }

    /// Serves what is in the Secret, if it can be served with.
    fn offer(&self, secret: &Secret, now: Timestamp) -> Result<(), ReadError> {
        let serving = servable(secret, &self.names, now)?;
        if self.served.get().is_some_and(|served| served.certified.cert == serving.certified.cert) {
            return Ok(());
        }
        tracing::info!(not_after = %serving.not_after, "another certificate is served");
        self.metrics.serves_until(serving.not_after);
        self.served.set(serving);
        Ok(())
    }
}

/// What the Secret has to serve with.
///
/// # Errors
/// Nothing that clients would accept, and why.
pub fn servable(secret: &Secret, names: &[String], now: Timestamp) -> Result<Serving, ReadError> {
    let read = ServingSecret::read(Some(secret));
    let Some(serving) = read.serving else {
        return Err(read.problems.into_iter().next().unwrap_or(ReadError::Missing("tls.crt")));
    };
    // Without a CA (some issuers give none) there is less to check.
    if read.cas.is_empty() {
        read::presentable(&serving, names, now)?;
    }
    let mut verdict = Ok(());
    for ca in &read.cas {
        verdict = read::accepted(&serving, &ca.der, names, now);
        if verdict.is_ok() {
            break;
        }
    }
    verdict.map(|()| serving)
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
