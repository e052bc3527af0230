//! Follows the Leases of the nodes' own probers, and says which nodes they probe.

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
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Changes, Clients, Metrics, Stores, index::Name};
use crate::{lease::Live, probe::OnNodes};

/// How long the API server may take to say that a Lease is as it was.
const ANSWER: Duration = Duration::from_secs(5);
/// The wait before it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Keeps `on_nodes` in step with the Leases of the namespace until `stop`. Resolves what it gives once all are known.
pub(super) fn follow(
    namespace: &str,
    clients: &Clients,
    on_nodes: OnNodes,
    changes: &Changes,
    stores: &Stores,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> oneshot::Receiver<()> {
    let (listed, known) = oneshot::channel();
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
        listed: Some(listed),
    };
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = follower.run() => {}
        }
    });
    known
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
    listed: Option<oneshot::Sender<()>>,
}

impl Follower {
    async fn run(mut self) {
        let events = watcher(self.watched.clone(), watcher::Config::default()).default_backoff();
        let mut events = std::pin::pin!(events);
        loop {
            let due = self.live.next(self.epoch.elapsed());
            tokio::select! {
                biased;
                event = events.next() => match event {
                    Some(Ok(event)) => self.seen(event),
                    Some(Err(error)) => {
                        self.metrics.watch_errors.inc();
                        tracing::warn!(%error, "watch of the probers' Leases failed; trying again");
                    }
                    None => return,
                },
                () = after(due) => self.confirm().await,
            }
            // Before the first list is whole, what is not in it may still come.
            if self.listed.is_none() {
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
                if let Some(listed) = self.listed.take() {
                    self.publish();
                    // Who waits may have ended.
                    let _ = listed.send(());
                }
            }
            Event::Apply(lease) => self.live.see(&lease, now),
            Event::Delete(lease) => self.live.gone(&lease.name_any()),
        }
    }

    /// Asks the API server about those whose time seems to be up. Where it does not answer, their nodes stay with them,
    /// and the watch has its turn before it is asked again.
    async fn confirm(&mut self) {
        for node in self.live.due(self.epoch.elapsed()) {
            let asked = timeout(ANSWER, self.asked.get_opt(&node)).await;
            let answer = asked.map_err(|_| format!("no answer within {ANSWER:?}"));
            match answer.and_then(|answer| answer.map_err(|error| error.to_string())) {
                Ok(lease) => self.live.confirm(&node, lease.as_ref(), self.epoch.elapsed()),
                Err(error) => {
                    self.metrics.watch_errors.inc();
                    tracing::warn!(%node, %error, "its prober's Lease cannot be read; the node stays with it");
                    sleep(AGAIN).await;
                    return;
                }
            }
        }
    }

    /// Has everybody act on what changed hands.
    fn publish(&self) {
        let (came, went) = self.on_nodes.replace(self.live.names());
        for node in &came {
            tracing::info!(%node, "its own prober probes it");
        }
        for node in &went {
            tracing::info!(%node, "probed by the controller: its prober has gone");
        }
        if came.is_empty() && went.is_empty() {
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

async fn after(wait: Option<Duration>) {
    match wait {
        Some(wait) => sleep(wait).await,
        None => std::future::pending().await,
    }
}
