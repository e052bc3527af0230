//! Follows the Leases of the nodes' own probers, and says which nodes they probe.
//!
//! Until the Leases are known nothing is probed, for each node may have a prober; all else goes on. Where the API server
//! refuses them (a Role was taken away, say) there is nothing to wait for: then every node is probed from here. That two may
//! probe a server is the lesser evil, as what they write is the same (`probe::OnNodes`).

use std::{collections::BTreeSet, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Changes, Clients, Metrics, Stores, index::Name};
use crate::{
    lease::Live,
    probe::{ChangedNodes, OnNodes},
};

/// How long the API server may take to say that a Lease is as it was.
const ANSWER: Duration = Duration::from_secs(5);
/// The wait before it is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the API server may refuse the first list until no node is left to a prober.
const REFUSED: Duration = Duration::from_secs(30);

/// Keeps `on_nodes`, of which nothing is known yet, in step with the Leases of the namespace until `stop`.
pub(super) fn follow(
    namespace: &str,
    clients: &Clients,
    on_nodes: OnNodes,
    changes: &Changes,
    stores: &Stores,
    metrics: &Metrics,
    stop: &CancellationToken,
) {
    let follower = Follower {
        watched: Api::namespaced(clients.watch.clone(), namespace),
        asked: Api::namespaced(clients.write.clone(), namespace),
        live: Live::default(),
        listing: BTreeSet::new(),
        epoch: Instant::now(),
        on_nodes,
        changes: changes.clone(),
        stores: stores.clone(),
        metrics: metrics.clone(),
        first: FirstList::default(),
    };
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = follower.run() => {}
        }
    });
}

/// Whether it is known which Leases there are.
#[derive(Debug, PartialEq, Eq)]
enum FirstList {
    /// Not yet; and since when the API server refuses to say so, if it does.
    Awaited { refused_since: Option<Duration> },
    /// A whole list was read, or is not waited for any more.
    Done,
}

struct Follower {
    watched: Api<Lease>,
    asked: Api<Lease>,
    live: Live,
    /// Names of the list that is being read.
    listing: BTreeSet<String>,
    epoch: Instant,
    on_nodes: OnNodes,
    changes: Changes,
    stores: Stores,
    metrics: Metrics,
    first: FirstList,
}

impl Default for FirstList {
    fn default() -> Self {
        Self::Awaited { refused_since: None }
    }
}

impl FirstList {
    /// It was not to be had at `now`: it was refused, or there was no answer, which says nothing.
    fn failed(&mut self, refused: bool, now: Duration) {
        if let Self::Awaited { refused_since } = self {
            *refused_since = refused.then(|| refused_since.unwrap_or(now));
        }
    }

    /// How long until it is waited for no more; none where that does not come.
    fn left(&self, now: Duration) -> Option<Duration> {
        match self {
            Self::Awaited { refused_since: Some(since) } => {
                Some(REFUSED.saturating_sub(now.saturating_sub(*since)))
            }
            Self::Awaited { refused_since: None } | Self::Done => None,
        }
    }
}

impl Follower {
    async fn run(mut self) {
        let events = watcher(self.watched.clone(), watcher::Config::default()).default_backoff();
        let mut events = std::pin::pin!(events);
        loop {
            let now = self.epoch.elapsed();
            let (due, in_vain) = (self.live.next(now), self.first.left(now));
            tokio::select! {
                biased;
                event = events.next() => match event {
                    Some(Ok(event)) => self.seen(event),
                    Some(Err(error)) => {
                        self.metrics.watch_errors.inc();
                        self.first.failed(list_refused(&error), self.epoch.elapsed());
                        tracing::warn!(%error, "watch of the probers' Leases failed; trying again");
                    }
                    None => return,
                },
                () = after(in_vain) => self.wait_no_more(),
                () = after(due) => self.confirm().await,
            }
            // Before the first list is whole, what is not in it may still come.
            if self.first == FirstList::Done {
                self.publish();
            }
        }
    }

    fn seen(&mut self, event: Event<Lease>) {
        let now = self.epoch.elapsed();
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(lease) => {
                self.listing.insert(lease.name_any());
                self.live.see(&lease, now);
            }
            Event::InitDone => {
                self.live.only(&self.listing);
                self.first = FirstList::Done;
                self.metrics.leases_refused.set(0);
            }
            Event::Apply(lease) => self.live.see(&lease, now),
            Event::Delete(lease) => self.live.gone(&lease.name_any()),
        }
    }

    fn wait_no_more(&mut self) {
        tracing::warn!(
            "the API server refuses the Leases of node probers: every node is probed from here, whether it has a prober or not"
        );
        self.metrics.leases_refused.set(1);
        self.first = FirstList::Done;
    }

    /// Asks the API server about those whose time seems to be up. Where it does not answer, their nodes stay with them,
    /// and the watch has its turn before it is asked again.
    async fn confirm(&mut self) {
        for node in self.live.due(self.epoch.elapsed()) {
            let error = match timeout(ANSWER, self.asked.get_opt(&node)).await {
                Ok(Ok(lease)) => {
                    self.live.confirm(&node, lease.as_ref(), self.epoch.elapsed());
                    self.metrics.leases_refused.set(0);
                    continue;
                }
                Ok(Err(error)) if is_refusal(&error) => {
                    self.live.refused(&node, self.epoch.elapsed());
                    self.metrics.leases_refused.set(1);
                    tracing::warn!(%node, %error, "its prober's Lease is refused, and has shown no change: it is taken for gone");
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {ANSWER:?}"),
            };
            self.metrics.watch_errors.inc();
            tracing::warn!(%node, %error, "its prober's Lease cannot be read; the node stays with it");
            sleep(AGAIN).await;
            return;
        }
    }

    /// Has everybody act on what changed hands.
    fn publish(&self) {
        let ChangedNodes { first, came, went } = self.on_nodes.replace(self.live.names());
        for node in &came {
            tracing::info!(%node, "its own prober probes it");
        }
        for node in &went {
            tracing::info!(%node, "probed by the controller: its prober has gone");
        }
        if first {
            // Whatever was left alone meanwhile.
            for pod in self.stores.pods.state() {
                self.changes.server(pod.namespace(), &pod.name_any());
            }
        } else if came.is_empty() && went.is_empty() {
            return;
        }
        for node in came.into_iter().chain(went) {
            for pod in self.stores.by.pods_by_node.of(&Name::new(None, node)) {
                self.changes.server(Some(pod.namespace), &pod.name);
            }
        }
        self.changes.any().notify_waiters();
    }
}

/// Whether it is the answer that no list is to be had.
fn list_refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            is_refusal(error)
        }
        _ => false,
    }
}

/// Whether the API server has answered that it will not say: asking again is no use before somebody changes rights.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404))
}

async fn after(wait: Option<Duration>) {
    match wait {
        Some(wait) => sleep(wait).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
