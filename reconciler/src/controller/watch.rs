//! Watches, the stores they fill, and the queues they feed.

use std::{convert::identity, sync::Arc};

use futures::channel::mpsc;
use gamewarden_api::{GameServer, GameServerSet, names, server::conditions};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Client,
    runtime::{
        reflector::{self, ObjectRef},
        watcher,
    },
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Metrics, Stores, seen::Seen, stores::Indexes};
use crate::feed::{Change, Feed, Hearing};

/// Told of everything that the watches see.
#[derive(Clone)]
pub struct Changes {
    sets: mpsc::UnboundedSender<ObjectRef<GameServerSet>>,
    pods: mpsc::UnboundedSender<ObjectRef<Pod>>,
    claims: mpsc::UnboundedSender<Arc<GameServer>>,
    any: Arc<Notify>,
}

/// The receiving ends: one queue per reconciler. Both drop repeats, so unbounded means at most a few
/// references per object.
pub(super) struct Queues {
    pub(super) sets: mpsc::UnboundedReceiver<ObjectRef<GameServerSet>>,
    pub(super) pods: mpsc::UnboundedReceiver<ObjectRef<Pod>>,
    /// GameServers that are claimed: for the prober, which looks at them at once.
    pub(super) claims: mpsc::UnboundedReceiver<Arc<GameServer>>,
}

impl Changes {
    pub(super) fn new() -> (Self, Queues) {
        let (sets, set_queue) = mpsc::unbounded();
        let (pods, pod_queue) = mpsc::unbounded();
        let (claims, claim_queue) = mpsc::unbounded();
        let changes = Self { sets, pods, claims, any: Arc::new(Notify::new()) };
        (changes, Queues { sets: set_queue, pods: pod_queue, claims: claim_queue })
    }

    /// Wakes whoever works on everything at once (the prober).
    #[must_use]
    pub fn any(&self) -> Arc<Notify> {
        Arc::clone(&self.any)
    }

    /// Hands a claimed GameServer over. A queue that is gone belongs to a prober that has shut down.
    pub(super) fn claim(&self, server: &GameServer) {
        let _ = self.claims.unbounded_send(Arc::new(server.clone()));
    }

    /// Queues servers by their pods.
    pub(super) fn servers(&self) -> mpsc::UnboundedSender<ObjectRef<Pod>> {
        self.pods.clone()
    }

    /// Queues a set. A queue that is gone belongs to a reconciler that has shut down.
    pub(super) fn set(&self, namespace: Option<String>, name: &str) {
        let reference = ObjectRef::new(name).within(&namespace.unwrap_or_default());
        let _ = self.sets.unbounded_send(reference);
    }

    /// Queues a server by its pod.
    pub(super) fn server(&self, namespace: Option<String>, name: &str) {
        let reference = ObjectRef::new(name).within(&namespace.unwrap_or_default());
        let _ = self.pods.unbounded_send(reference);
    }
}

/// Starts the watches. They end with `shutdown`.
pub(super) fn start(
    client: &Client,
    changes: &Changes,
    metrics: &Metrics,
    shutdown: &CancellationToken,
) -> Stores {
    let owned = watcher::Config::default().labels(names::OWNER_GSS);
    let all = watcher::Config::default;
    let (sets, set_writer) = reflector::store();
    let (pods, pod_writer) = reflector::store();
    let (servers, server_writer) = reflector::store();
    let (nodes, node_writer) = reflector::store();
    let (claims, claim_writer) = reflector::store();
    let (volumes, volume_writer) = reflector::store();
    let (budgets, budget_writer) = reflector::store();
    let by = Arc::new(Indexes::new());
    let stores = Stores { sets, pods, servers, nodes, claims, volumes, budgets, by };

    let feed = Feed {
        client: client.clone(),
        errors: metrics.watch_errors.clone(),
        hearing: Hearing::default(),
        shutdown: shutdown.clone(),
    };
    let seen = Arc::new(Seen::new(changes.clone(), stores.clone()));
    feed.spawn(all(), set_writer, identity, telling(&seen, Seen::set));
    feed.spawn(owned, pod_writer, identity, telling(&seen, Seen::pod));
    feed.spawn(all(), server_writer, identity, telling(&seen, Seen::server));
    feed.spawn(all(), node_writer, conditions::kept_of_node, telling(&seen, Seen::node));
    feed.spawn(all(), claim_writer, conditions::kept_of_claim, telling(&seen, Seen::claim));
    feed.spawn(all(), budget_writer, identity, telling(&seen, Seen::budget));
    feed.spawn(all(), volume_writer, conditions::kept_of_volume, telling(&seen, Seen::volume));
    stores
}

/// Tells whom a change concerns, and whoever works on everything at once.
fn telling<K>(seen: &Arc<Seen>, tell: fn(&Seen, Change<&K>)) -> impl Fn(Change<&K>) + Send + use<K> {
    let seen = Arc::clone(seen);
    move |change| {
        tell(&seen, change);
        seen.somebody();
    }
}
