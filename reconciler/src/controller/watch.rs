//! Watches, the stores they fill, and the queues they feed.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, channel::mpsc};
use gamewarden_api::{GameServer, GameServerSet, names};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
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
    fn server(&self, namespace: Option<String>, name: &str) {
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
        seen: Arc::new(Seen {
            changes: changes.clone(),
            stores: stores.clone(),
            generations: Mutex::default(),
        }),
        client: client.clone(),
        metrics: metrics.clone(),
        shutdown: shutdown.clone(),
    };
    watch.spawn(watcher::Config::default(), set_writer, Seen::set);
    watch.spawn(owned, pod_writer, Seen::pod);
    watch.spawn(watcher::Config::default(), server_writer, Seen::server);
    stores
}

/// Starts watches.
struct Watch {
    seen: Arc<Seen>,
    client: Client,
    metrics: Metrics,
    shutdown: CancellationToken,
}

impl Watch {
    fn spawn<K>(
        &self,
        config: watcher::Config,
        writer: reflector::store::Writer<K>,
        tell: fn(&Seen, &K, Change),
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &ApiResource::erase::<K>(&()));
        let (metrics, seen) = (self.metrics.clone(), Arc::clone(&self.seen));
        let errors = metrics.clone();
        let stream = watcher(api, config)
            .default_backoff()
            .filter_map(move |event| {
                let event = event.map(|event| typed::<K>(event, &errors)).transpose();
                std::future::ready(event)
            })
            .reflect(writer)
            .take_until(self.shutdown.clone().cancelled_owned());
        tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(Event::Apply(object)) => tell(&seen, &object, Change::Applied),
                    Ok(Event::Delete(object)) => tell(&seen, &object, Change::Deleted),
                    // The store shows the objects of a new list only now, and what vanished while the watch was
                    // broken is told by no event: look at everything.
                    Ok(Event::InitDone) => seen.everything(),
                    Ok(Event::Init | Event::InitApply(_)) => {}
                    Err(error) => {
                        metrics.watch_errors.inc();
                        tracing::warn!(kind = %K::kind(&()), %error, "watch failed; trying again");
                    }
                }
                seen.changes.any.notify_waiters();
            }
        });
    }
}

/// The event with its object read as what it is. One object that cannot be read is left out and said so: it must
/// not stop the watch of all others.
fn typed<K: DeserializeOwned + Resource<DynamicType = ()>>(
    event: Event<DynamicObject>,
    metrics: &Metrics,
) -> Option<Event<K>> {
    let read = |mut object: DynamicObject| {
        // Half of an object's size, and nothing here reads it.
        object.metadata.managed_fields = None;
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        match object.try_parse::<K>() {
            Ok(object) => Some(object),
            Err(error) => {
                metrics.watch_errors.inc();
                tracing::error!(kind = %K::kind(&()), %namespace, %name, %error, "unreadable object left out");
                None
            }
        }
    };
    match event {
        Event::Apply(object) => read(object).map(Event::Apply),
        Event::Delete(object) => read(object).map(Event::Delete),
        Event::InitApply(object) => read(object).map(Event::InitApply),
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
    }
}

/// What became of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Applied,
    Deleted,
}

/// Finds out whom a change concerns.
struct Seen {
    changes: Changes,
    stores: Stores,
    /// The generation of each set as its servers have been told of it, by its uid.
    generations: Mutex<HashMap<String, i64>>,
}

impl Seen {
    fn everything(&self) {
        for set in self.stores.sets.state() {
            self.changes.set(set.namespace(), &set.name_any());
        }
        for pod in self.stores.pods.state() {
            self.changes.server(pod.namespace(), &pod.name_any());
        }
    }

    /// A set: itself, and where its spec has changed its servers, on which qualities and template metadata show.
    fn set(&self, set: &GameServerSet, change: Change) {
        let (namespace, name) = (set.namespace(), set.name_any());
        if self.spec_changed(set, change) {
            for pod in self.stores.pods.state() {
                if pod.namespace() == namespace && pod.labels().get(names::OWNER_GSS) == Some(&name) {
                    self.changes.server(namespace.clone(), &pod.name_any());
                }
            }
        }
        self.changes.set(namespace, &name);
    }

    fn spec_changed(&self, set: &GameServerSet, change: Change) -> bool {
        let uid = set.metadata.uid.clone().unwrap_or_default();
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Applied => {
                let generation = set.metadata.generation.unwrap_or_default();
                generations.insert(uid, generation) != Some(generation)
            }
            Change::Deleted => generations.remove(&uid).is_some(),
        }
    }

    /// A pod: its server, and the set it says it belongs to.
    fn pod(&self, pod: &Pod, _: Change) {
        self.changes.server(pod.namespace(), &pod.name_any());
        if let Some(set) = pod.labels().get(names::OWNER_GSS) {
            self.changes.set(pod.namespace(), set);
        }
    }

    /// A GameServer: the same.
    fn server(&self, server: &GameServer, _: Change) {
        self.changes.server(server.namespace(), &server.name_any());
        if let Some(set) = server.labels().get(names::OWNER_GSS) {
            self.changes.set(server.namespace(), set);
        }
    }
}
