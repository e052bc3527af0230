//! What the watches have seen.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use gamewarden_api::{GameServer, GameServerSet, names, server::conditions::claim_names};
use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod},
    policy::v1::PodDisruptionBudget,
};
use kube::{Resource, ResourceExt, runtime::reflector::Store};

use super::index::{Index, Name};

/// What the watches have seen.
#[derive(Clone, Debug)]
pub struct Stores {
    /// All sets.
    pub sets: Store<GameServerSet>,
    /// All pods that carry our owner label.
    pub pods: Store<Pod>,
    /// All GameServers.
    pub servers: Store<GameServer>,
    /// All nodes, as far as `server::conditions` keeps them.
    pub nodes: Store<Node>,
    /// All volume claims, likewise. A claim that a template names has no label of ours.
    pub claims: Store<PersistentVolumeClaim>,
    /// All volumes, likewise.
    pub volumes: Store<PersistentVolume>,
    /// All disruption budgets. People's own carry no label of ours.
    pub budgets: Store<PodDisruptionBudget>,
    /// The same by what they have to do with.
    pub(super) by: Arc<Indexes>,
}

/// Pods and GameServers by what they have to do with.
#[derive(Debug)]
pub(super) struct Indexes {
    pub(super) pods_by_set: Index<Pod>,
    pub(super) pods_by_node: Index<Pod>,
    pub(super) pods_by_claim: Index<Pod>,
    pub(super) servers_by_set: Index<GameServer>,
    /// How many GameServers have been seen to come.
    pub(super) servers_seen: AtomicU64,
}

impl Indexes {
    pub(super) fn new() -> Self {
        Self {
            pods_by_set: Index::new(set_of),
            pods_by_node: Index::new(|pod| {
                let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
                node.map(|node| Name::new(None, node)).into_iter().collect()
            }),
            pods_by_claim: Index::new(|pod| {
                claim_names(pod).map(|claim| Name::new(pod.namespace(), claim)).collect()
            }),
            servers_by_set: Index::new(set_of),
            servers_seen: AtomicU64::default(),
        }
    }

    /// GameServers that have come since the process has watched.
    pub(super) fn servers_seen(&self) -> u64 {
        self.servers_seen.load(Ordering::Relaxed)
    }
}

/// The set that the object's label names.
fn set_of<K: ResourceExt>(object: &K) -> Vec<Name> {
    let set = object.labels().get(names::OWNER_GSS);
    set.map(|set| Name::new(object.namespace(), set)).into_iter().collect()
}

impl Stores {
    /// The pods that carry the set's owner label, foreign ones included.
    pub(super) fn pods_of(&self, set: &GameServerSet) -> Vec<Arc<Pod>> {
        members(&self.pods, &self.by.pods_by_set, set)
    }

    /// The disruption budgets of the set's namespace.
    pub(super) fn budgets_near(&self, set: &GameServerSet) -> Vec<Arc<PodDisruptionBudget>> {
        let namespace = set.namespace();
        self.budgets.state().into_iter().filter(|budget| budget.namespace() == namespace).collect()
    }

    /// The GameServers that carry the set's owner label.
    pub(super) fn servers_of(&self, set: &GameServerSet) -> Vec<Arc<GameServer>> {
        members(&self.servers, &self.by.servers_by_set, set)
    }
}

/// What the index names and the store has, if its label still says so.
fn members<K>(store: &Store<K>, index: &Index<K>, set: &GameServerSet) -> Vec<Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let key = Name::of(set);
    let found = index.of(&key).into_iter().filter_map(|name| store.get(&name.reference()));
    found.filter(|object| set_of(&**object).contains(&key)).collect()
}
