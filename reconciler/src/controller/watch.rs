//! Watches, the stores they fill, and the queues they feed.

use std::{fmt::Debug, sync::Arc};

use futures::{StreamExt, channel::mpsc};
use gamewarden_api::{GameServer, GameServerSet, names};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef, Store},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Metrics;

/// What the watches have seen.
#[derive(Clone)]
pub struct Stores {
    /// All sets.
    pub sets: Store<GameServerSet>,
    /// All pods that carry our owner label.
    pub pods: Store<Pod>,
    /// All GameServers.
    pub servers: Store<GameServer>,
}

/// Told of everything that the watches see.
#[derive(Clone)]
pub struct Changes {
    sets: mpsc::UnboundedSender<ObjectRef<GameServerSet>>,
    pods: mpsc::UnboundedSender<ObjectRef<Pod>>,
    any: Arc<Notify>,
}

/// The receiving ends: one queue per reconciler. Both drop repeats, so unbounded means at most a few
/// references per object.
pub(super) struct Queues {
    pub(super) sets: mpsc::UnboundedReceiver<ObjectRef<GameServerSet>>,
    pub(super) pods: mpsc::UnboundedReceiver<ObjectRef<Pod>>,
}

impl Changes {
    pub(super) fn new() -> (Self, Queues) {
        let (sets, set_queue) = mpsc::unbounded();
        let (pods, pod_queue) = mpsc::unbounded();
        let changes = Self { sets, pods, any: Arc::new(Notify::new()) };
        (changes, Queues { sets: set_queue, pods: pod_queue })
    }

    /// Wakes whoever works on everything at once (the prober).
    #[must_use]
    pub fn any(&self) -> Arc<Notify> {
        Arc::clone(&self.any)
    }

    /// Queues servers by their pods.
    pub(super) fn servers(&self) -> mpsc::UnboundedSender<ObjectRef<Pod>> {
        self.pods.clone()
    }

    /// Queues a set. A queue that is gone belongs to a reconciler that has shut down.
    fn set(&self, namespace: Option<String>, name: &str) {
        let reference = ObjectRef::new(name).within(&namespace.unwrap_or_default());
        let _ = self.sets.unbounded_send(reference);
    }

    /// Queues a server by its pod.
    pub fn server(&self, namespace: Option<String>, name: &str) {
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
    let (sets, set_writer) = reflector::store();
    let (pods, pod_writer) = reflector::store();
    let (servers, server_writer) = reflector::store();
    let stores = Stores { sets, pods, servers };

    let watch = Watch {
        changes: changes.clone(),
        stores: stores.clone(),
        metrics: metrics.clone(),
        shutdown: shutdown.clone(),
    };
    watch.clone().spawn(
        Api::<GameServerSet>::all(client.clone()),
        watcher::Config::default(),
        set_writer,
        Watch::set,
    );
    watch.clone().spawn(Api::<Pod>::all(client.clone()), owned, pod_writer, Watch::pod);
    watch.spawn(
        Api::<GameServer>::all(client.clone()),
        watcher::Config::default(),
        server_writer,
        Watch::server,
    );
    stores
}

#[derive(Clone)]
struct Watch {
    changes: Changes,
    stores: Stores,
    metrics: Metrics,
    shutdown: CancellationToken,
}

impl Watch {
    fn spawn<K>(
        self,
        api: Api<K>,
        config: watcher::Config,
        writer: reflector::store::Writer<K>,
        seen: fn(&Self, &K),
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let stream = watcher(api, config).modify(drop_managed_fields).default_backoff().reflect(writer);
        tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream.take_until(self.shutdown.clone().cancelled_owned()));
            while let Some(event) = stream.next().await {
                match event {
                    Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) => {
                        seen(&self, &object)
                    }
                    // What vanished while the watch was broken is told by no event: look at every set.
                    Ok(Event::InitDone) => self.all_sets(),
                    Ok(Event::Init) => {}
                    Err(error) => {
                        self.metrics.watch_errors.inc();
                        tracing::warn!(kind = %K::kind(&()), %error, "watch failed; trying again");
                    }
                }
                self.changes.any.notify_waiters();
            }
        });
    }

    fn all_sets(&self) {
        for set in self.stores.sets.state() {
            self.changes.set(set.namespace(), &set.name_any());
        }
    }

    /// A set: itself, and its servers (its qualities and template metadata show on them).
    fn set(&self, set: &GameServerSet) {
        let (namespace, name) = (set.namespace(), set.name_any());
        for pod in self.stores.pods.state() {
            if pod.namespace() == namespace && pod.labels().get(names::OWNER_GSS) == Some(&name) {
                self.changes.server(namespace.clone(), &pod.name_any());
            }
        }
        self.changes.set(namespace, &name);
    }

    /// A pod: its server, and the set it says it belongs to.
    fn pod(&self, pod: &Pod) {
        self.changes.server(pod.namespace(), &pod.name_any());
        if let Some(set) = pod.labels().get(names::OWNER_GSS) {
            self.changes.set(pod.namespace(), set);
        }
    }

    /// A GameServer: the same.
    fn server(&self, server: &GameServer) {
        self.changes.server(server.namespace(), &server.name_any());
        if let Some(set) = server.labels().get(names::OWNER_GSS) {
            self.changes.set(server.namespace(), set);
        }
    }
}

/// Half of an object's size, and nothing here reads it.
fn drop_managed_fields<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}
