//! What the prober is given to work with.

use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender};
use gamewarden_api::{GameServer, GameServerSet, schedule::Hosts};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::{Notify, mpsc};

use super::{Metrics, Note, OnNodes, Results};
use crate::write::Writer;

/// How many probes run at once unless said otherwise.
pub const DEFAULT_MAX_IN_FLIGHT: u16 = 32;

/// What the prober works with.
pub struct Context<P> {
    /// For reads and writes of GameServers.
    pub writer: Writer,
    /// How containers are asked.
    pub prober: P,
    /// All sets.
    pub sets: Store<GameServerSet>,
    /// All pods of sets.
    pub pods: Store<Pod>,
    /// All GameServers.
    pub servers: Store<GameServer>,
    /// All nodes, as far as `server::conditions` keeps them.
    pub nodes: Store<Node>,
    /// Nodes that others probe.
    pub others: OnNodes,
    /// Whether verdicts are told on the pods' conditions as well, right after they are written. (The controller does that
    /// when it sees the GameServer.)
    pub tells_pods: bool,
    /// Told (`notify_waiters`) of every change of these stores.
    pub changed: Arc<Notify>,
    /// GameServers that are claimed, as the watch shows them: what is to be looked at once more.
    pub claims: UnboundedReceiver<Arc<GameServer>>,
    /// Takes the pods of which `results` has news.
    pub news: UnboundedSender<ObjectRef<Pod>>,
    /// Takes what people are to be told.
    pub notes: mpsc::Sender<Note>,
    /// Takes the texts of verdicts.
    pub results: Results,
    /// Counts.
    pub metrics: Metrics,
    /// Whom probes may ask.
    pub hosts: Hosts,
    /// How many probes run at once.
    pub max_in_flight: usize,
}
