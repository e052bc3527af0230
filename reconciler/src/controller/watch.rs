//! Watches, the stores they fill, and the queues they feed.

use std::{convert::identity, fmt::Debug, sync::Arc};

use futures::{StreamExt, channel::mpsc};
use gamewarden_api::{GameServer, GameServerSet, names, server::conditions};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    Metrics, Stores,
    seen::{Change, Seen},
    stores::Indexes,
};

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

    let watch = Watch {
        seen: Arc::new(Seen::new(changes.clone(), stores.clone())),
        client: client.clone(),
        metrics: metrics.clone(),
        shutdown: shutdown.clone(),
    };
    watch.spawn(all(), set_writer, identity, Seen::set);
    watch.spawn(owned, pod_writer, identity, Seen::pod);
    watch.spawn(all(), server_writer, identity, Seen::server);
    watch.spawn(all(), node_writer, conditions::kept_of_node, Seen::node);
    watch.spawn(all(), claim_writer, conditions::kept_of_claim, Seen::claim);
    watch.spawn(all(), budget_writer, identity, Seen::budget);
    watch.spawn(all(), volume_writer, conditions::kept_of_volume, Seen::volume);
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
        kept: fn(K) -> K,
        tell: fn(&Seen, Change<&K>),
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &ApiResource::erase::<K>(&()));
        let (metrics, seen) = (self.metrics.clone(), Arc::clone(&self.seen));
        let errors = metrics.clone();
        let stream = watcher(api, config)
            .default_backoff()
            .filter_map(move |event| {
                let event = event.map(|event| typed::<K>(event, kept, &errors)).transpose();
                std::future::ready(event)
            })
            .reflect(writer)
            .take_until(self.shutdown.clone().cancelled_owned());
        tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(Event::Apply(object)) => tell(&seen, Change::Applied(&object)),
                    Ok(Event::Delete(object)) => tell(&seen, Change::Deleted(&object)),
                    // The store shows the objects of a new list only now, and what vanished while the watch was
                    // broken is told by no event: look at everything.
                    Ok(Event::InitDone) => tell(&seen, Change::Listed),
                    Ok(Event::Init | Event::InitApply(_)) => {}
                    Err(error) => {
                        metrics.watch_errors.inc();
                        tracing::warn!(kind = %K::kind(&()), %error, "watch failed; trying again");
                    }
                }
                seen.somebody();
            }
        });
    }
}

/// The event with its object read as what it is. One object that cannot be read is left out and said so: it must
/// not stop the watch of all others.
fn typed<K: DeserializeOwned + Resource<DynamicType = ()>>(
    event: Event<DynamicObject>,
    kept: fn(K) -> K,
    metrics: &Metrics,
) -> Option<Event<K>> {
    let read = |mut object: DynamicObject| {
        // Half of an object's size, and nothing here reads it.
        object.metadata.managed_fields = None;
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        match object.try_parse::<K>() {
            Ok(object) => Some(kept(object)),
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
