//! What the prober of a node watches: the node's pods and GameServers, and all sets, as far as it looks at them.

use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc;
use gamewarden_api::{
    GameServer, GameServerSet, names,
    removal::{Claim, Phase},
};
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::runtime::{
    reflector::{self, Store},
    watcher,
};
use tokio::sync::Notify;

use crate::feed::{Change, Feed};

/// How many objects a list has at once. A page is held whole, as JSON, until it is read; there is a prober on every node.
const PAGE: u32 = 50;

/// What the watches have seen.
#[derive(Debug)]
pub(super) struct Stores {
    /// All sets.
    pub(super) sets: Store<GameServerSet>,
    /// The node's pods of sets.
    pub(super) pods: Store<Pod>,
    /// The node's GameServers, by the label that the controller gives them.
    pub(super) servers: Store<GameServer>,
    /// Told of every change.
    pub(super) changed: Arc<Notify>,
    /// GameServers that are claimed.
    pub(super) claims: Claims,
}

/// Hands claimed GameServers over to whoever listens. Those that come while nobody does are found in the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims(Arc<Mutex<Option<mpsc::UnboundedSender<Arc<GameServer>>>>>);

impl Claims {
    /// What comes from now on; who has listened before hears nothing more.
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<Arc<GameServer>> {
        let (queue, claims) = mpsc::unbounded();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue);
        claims
    }

    fn tell(&self, server: &GameServer) {
        if let Some(queue) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // A queue that is gone belongs to a prober that has shut down.
            let _ = queue.unbounded_send(Arc::new(server.clone()));
        }
    }
}

/// Starts the watches. They end with the feed.
pub(super) fn start(feed: &Feed, node: &str) -> Stores {
    let (sets, set_writer) = reflector::store();
    let (pods, pod_writer) = reflector::store();
    let (servers, server_writer) = reflector::store();
    let changed = Arc::new(Notify::new());
    let claims = Claims::default();
    let all = watcher::Config::default().page_size(PAGE);
    let here = all.clone().labels(names::OWNER_GSS).fields(&format!("spec.nodeName={node}"));
    let of_here = all.clone().labels(&format!("{}={node}", names::NODE_NAME));
    let tell = Arc::clone(&changed);
    feed.spawn(all, set_writer, kept_of_set, move |_| tell.notify_waiters());
    let tell = Arc::clone(&changed);
    feed.spawn(here, pod_writer, kept_of_pod, move |_| tell.notify_waiters());
    let (tell, claimed) = (Arc::clone(&changed), claims.clone());
    feed.spawn(of_here, server_writer, kept_of_server, move |change| {
        if let Change::Applied(server) = change
            && Claim::any(server).is_some_and(|claim| claim.phase == Phase::Claimed)
        {
            claimed.tell(server);
        }
        tell.notify_waiters();
    });
    Stores { sets, pods, servers, changed, claims }
}

/// A set's qualities, and what it is known by. Its template may be large, and every prober holds every set.
fn kept_of_set(mut set: GameServerSet) -> GameServerSet {
    set.spec.game_server_template = Default::default();
    set.metadata.annotations = None;
    set.status = None;
    set
}

/// A GameServer without the copy of its pod's status, which is the larger part of it and the controller's alone.
fn kept_of_server(mut server: GameServer) -> GameServer {
    if let Some(status) = &mut server.status {
        status.pod_status = Default::default();
    }
    server
}

/// A pod without what is large in it and says nothing about probes.
fn kept_of_pod(mut pod: Pod) -> Pod {
    let status = pod.status.iter_mut();
    let statuses = status.flat_map(|s| [&mut s.container_statuses, &mut s.init_container_statuses]);
    for container in statuses.flat_map(|statuses| statuses.iter_mut().flatten()) {
        container.allocated_resources = None;
        container.resources = None;
        container.volume_mounts = None;
    }
    if let Some(spec) = &mut pod.spec {
        spec.volumes = None;
        spec.affinity = None;
        spec.tolerations = None;
        let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
        for container in containers {
            *container = Container {
                name: std::mem::take(&mut container.name),
                ports: container.ports.take(),
                restart_policy: container.restart_policy.take(),
                ..Container::default()
            };
        }
    }
    pod
}
