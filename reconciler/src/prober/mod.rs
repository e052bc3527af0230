//! The prober of one node: asks the game servers that run there how they are, and writes what follows.
//!
//! ```text
//!   watch ──► stores (this node's pods and GameServers, all sets' qualities) ──► probe::run ──► GameServer: the verdict
//!                                                                                  │    ▲        pod: its condition
//!                                            the node's container runtime (CRI), ◄─┘    │        Events
//!                                            the pods' own addresses                    │
//!   lease (the node's name) ── held, and the controller has seen it ────────────────────┘
//! ```
//!
//! Who cannot probe holds no Lease, or the node would be nobody's: it is taken only when the node is listed and the runtime
//! has answered, and given back when that has not answered for half a minute, or a watch has only failed for a minute.
//!
//! It decides as the controller does, by the same code; what makes it cheap is how commands are run, and what makes it
//! quick is that it needs nobody else for a verdict. See [`crate::probe::OnNodes`] for how a node changes hands between the
//! two, and `docs/node-prober.md` for what it may do.

mod alive;
mod watch;

use std::{sync::Arc, time::Duration};

use gamewarden_api::schedule::Hosts;
use gamewarden_runtime::{Process, Readiness};
use jiff::Timestamp;
use kube::{Client, runtime::reflector};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    feed::{Feed, Hearing},
    lease,
    probe::{self, Prober},
    write::Writer,
};

pub use alive::Runtime;

/// The times of a node's Lease. A prober that has crashed is taken over fifteen seconds after its last renewal; and a cluster of
/// a hundred nodes writes thirty Leases a second. A node that is too busy to renew in time is probed by the controller, which
/// costs it more yet: that is not to happen for a few seconds of it. (A request may take half the deadline, and a connection that has
/// been idle for as long is closed: renewals have to come well before.)
pub const LEASE: lease::Config = lease::Config {
    lease_duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(12),
    retry_period: Duration::from_secs(3),
};

/// How long after it holds the Lease a prober says nothing yet: the controller's watch shows it within milliseconds, and
/// what the controller was about to say is said.
pub const SETTLE: Duration = Duration::from_secs(2);

/// How many events may wait to be written before some are dropped.
const NOTES: usize = 256;

/// How often it is asked whether the watches still hear something.
const LISTEN_EVERY: Duration = Duration::from_secs(5);

/// How long the first lists may take before it is said that something is wrong.
const FIRST_LIST: Duration = Duration::from_secs(30);

/// The prober could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Probing ended.
    #[error(transparent)]
    Probe(#[from] probe::Error),
    /// It ended although nothing asked it to.
    #[error("probing ended without a reason")]
    Ended,
}

/// Settings of the prober.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node.
    pub node: String,
    /// How many probes may run at once.
    pub concurrent_probes: usize,
    /// Whom probes may ask.
    pub probe_hosts: Hosts,
}

/// What has been seen of the node since the process began: it is watched before it is anybody's turn to probe.
#[derive(Debug)]
pub struct Node {
    stores: watch::Stores,
    hearing: Hearing,
    metrics: Metrics,
    probes: probe::Metrics,
    /// Each holds a process back from being ready: a rollout waits for probers that probe.
    listed: Readiness,
    answered: Readiness,
    held: Readiness,
}

/// A readiness that lasts as long as this.
struct Held<'a>(&'a Readiness);

impl<'a> Held<'a> {
    fn new(readiness: &'a Readiness) -> Self {
        readiness.set(true);
        Self(readiness)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Why probing has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told to.
    Stopped,
    /// The runtime does not answer any more, or the API server does not show what there is to probe.
    Unable,
}

/// The prober's own metrics; those of probes are the controller's.
#[derive(Clone, Debug, Default)]
struct Metrics {
    watch_errors: prometheus_client::metrics::counter::Counter,
    event_errors: prometheus_client::metrics::counter::Counter,
}

impl Node {
    /// Begins to watch what concerns the node, over a client for which long silence is normal.
    pub fn watch(name: &str, client: Client, process: &Process) -> Self {
        let metrics = Metrics::default();
        process.metrics.register(|registry| {
            for (name, help, counter) in [
                (
                    "gamewarden_watch_errors",
                    "Watches that broke and were started again",
                    &metrics.watch_errors,
                ),
                ("gamewarden_event_errors", "Events that could not be written", &metrics.event_errors),
            ] {
                registry.register(name, help, counter.clone());
            }
        });
        let hearing = Hearing::default();
        let errors = metrics.watch_errors.clone();
        let feed = Feed { client, errors, hearing: hearing.clone(), shutdown: process.shutdown.token() };
        Self {
            hearing,
            stores: watch::start(&feed, name),
            metrics,
            probes: process.metrics.register(probe::Metrics::register),
            listed: process.health.readiness("first lists"),
            answered: process.health.readiness("container runtime"),
            held: process.health.readiness("lease of the node"),
        }
    }

    /// Waits, however long it takes, until the node can be probed: it is listed, and its runtime has answered. `false` when
    /// `stop` comes first.
    pub async fn wait_until_able(&self, runtime: &impl Runtime, stop: &CancellationToken) -> bool {
        let able = async {
            self.stores.wait_until_listed().await;
            while self.hearing.deaf_to(Instant::now()).is_some() {
                sleep(LISTEN_EVERY).await;
            }
            self.listed.set(true);
            alive::answers(runtime).await;
            self.answered.set(true);
        };
        tokio::select! {
            () = stop.cancelled() => false,
            () = able => true,
        }
    }

    /// Probes the node's servers, as the holder of the node's Lease, over a client that writes only while it is held: until
    /// `stop`, or until the runtime has not answered, or a watch has failed, for long. Then the Lease is to be given back.
    ///
    /// # Errors
    /// It ends by itself. The process should end then.
    pub async fn probe(
        &self,
        write: Client,
        prober: impl Prober,
        runtime: &impl Runtime,
        config: &Config,
        stop: &CancellationToken,
    ) -> Result<End, Error> {
        // Also where the Lease is lost, and this is dropped where it stands.
        let _held = Held::new(&self.held);
        let term = stop.child_token();
        let silent = async {
            let why = alive::silent(runtime).await;
            tracing::warn!(why, "the container runtime does not answer: the node is left to the controller");
            self.answered.set(false);
            term.cancel();
            std::future::pending::<()>().await
        };
        let deaf = async {
            let kind = loop {
                sleep(LISTEN_EVERY).await;
                if let Some(kind) = self.hearing.deaf_to(Instant::now()) {
                    break kind;
                }
            };
            tracing::warn!(kind, "its watch only fails: the node is left to the controller");
            self.listed.set(false);
            term.cancel();
            std::future::pending::<()>().await
        };
        let probing = self.probe_until(write, prober, config, &term);
        let ended = tokio::select! {
            ended = probing => ended,
            () = silent => Ok(()),
            () = deaf => Ok(()),
        };
        ended?;
        match (stop.is_cancelled(), term.is_cancelled()) {
            (true, _) => Ok(End::Stopped),
            (false, true) => Ok(End::Unable),
            (false, false) => Err(Error::Ended),
        }
    }

    async fn probe_until(
        &self,
        write: Client,
        prober: impl Prober,
        config: &Config,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(SETTLE) => {}
        }
        let writer = Writer::new(write);
        let (notes, to_publish) = mpsc::channel(NOTES);
        // The controller takes texts from the pods' conditions.
        let (news, _) = futures::channel::mpsc::unbounded();
        let watch::Stores { sets, pods, servers, changed, claims } = &self.stores;
        let context = probe::Context {
            writer: writer.clone(),
            prober,
            sets: sets.clone(),
            pods: pods.clone(),
            servers: servers.clone(),
            // Of a node that is lost its own prober hears nothing either.
            nodes: reflector::store().0,
            others: probe::OnNodes::default(),
            tells_pods: true,
            changed: Arc::clone(changed),
            claims: claims.listen(),
            news,
            notes,
            results: probe::Results::default(),
            metrics: self.probes.clone(),
            hosts: config.probe_hosts,
            max_in_flight: config.concurrent_probes,
        };
        tracing::info!(node = %config.node, "probing");
        let (ended, ()) =
            tokio::join!(probe::run(context, stop.clone()), publish(to_publish, &writer, &self.metrics));
        Ok(ended?)
    }
}

/// Writes what there is to say to people, one after another; ends when nobody has anything to say any more.
async fn publish(mut notes: mpsc::Receiver<probe::Note>, writer: &Writer, metrics: &Metrics) {
    while let Some(note) = notes.recv().await {
        if let Err(error) = writer.event(&note.event.object(&note.about, Timestamp::now())).await {
            metrics.event_errors.inc();
            let (reason, message) = (&note.event.reason, &note.event.message);
            tracing::warn!(%error, %reason, %message, "event not written");
        }
    }
}

impl watch::Stores {
    /// Waits for the first list of every kind, however long it takes.
    async fn wait_until_listed(&self) {
        let listed = async {
            self.sets.wait_until_ready().await?;
            self.pods.wait_until_ready().await?;
            self.servers.wait_until_ready().await
        };
        let mut listed = std::pin::pin!(listed);
        loop {
            match timeout(FIRST_LIST, &mut listed).await {
                // A watch that has ended is said by who probes.
                Ok(_) => return,
                Err(_) => tracing::warn!("still waiting for the first lists; are the CRDs installed?"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
