//! Finds out whom a change concerns.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use gamewarden_api::{
    GameServer, GameServerSet, names,
    removal::{Claim, Phase, Protection, is_guarded},
    server::owner_set,
};
use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod},
    policy::v1::PodDisruptionBudget,
};
use kube::ResourceExt;

use super::{
    Stores,
    index::{Index, Name},
    watch::Changes,
};
use crate::feed::Change;

/// Keeps the indexes in step with the stores and queues whom a change concerns.
pub(super) struct Seen {
    changes: Changes,
    stores: Stores,
    /// What of each set its servers have been told of, by its uid.
    told: Mutex<HashMap<String, Told>>,
    /// Nodes as their pods have been told of them, by name. A heartbeat changes nothing that is kept of one.
    nodes: Mutex<HashMap<String, Node>>,
    /// Uids of the GameServers that are there.
    servers: Mutex<HashSet<String>>,
}

impl Seen {
    pub(super) fn new(changes: Changes, stores: Stores) -> Self {
        Self { changes, stores, told: Mutex::default(), nodes: Mutex::default(), servers: Mutex::default() }
    }

    /// Wakes whoever works on everything at once.
    pub(super) fn somebody(&self) {
        self.changes.any().notify_waiters();
    }

    fn everything(&self) {
        for set in self.stores.sets.state() {
            self.changes.set(set.namespace(), &set.name_any());
        }
        for pod in self.stores.pods.state() {
            self.changes.server(pod.namespace(), &pod.name_any());
        }
    }

    /// The servers of the pods that the index has under a key.
    fn pods(&self, index: &Index<Pod>, key: &Name) {
        for pod in index.of(key) {
            self.changes.server(Some(pod.namespace), &pod.name);
        }
    }

    /// A set: itself, and where its spec has changed its servers, on which qualities and template metadata show.
    pub(super) fn set(&self, change: Change<&GameServerSet>) {
        let (set, gone) = match change {
            Change::Applied(set) => (set, false),
            Change::Deleted(set) => (set, true),
            Change::Listed => return self.everything(),
        };
        if self.spec_changed(set, gone) {
            self.pods(&self.stores.by.pods_by_set, &Name::of(set));
        }
        self.changes.set(set.namespace(), &set.name_any());
    }

    fn spec_changed(&self, set: &GameServerSet, gone: bool) -> bool {
        let uid = set.metadata.uid.clone().unwrap_or_default();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if gone {
            return told.remove(&uid).is_some();
        }
        let now =
            Told { generation: set.metadata.generation.unwrap_or_default(), guards: is_guarded(set, None) };
        told.insert(uid, now) != Some(now)
    }

    /// A disruption budget: the sets whose servers are guarded, of which it may be one, or cover the pods.
    pub(super) fn budget(&self, change: Change<&PodDisruptionBudget>) {
        let namespace = match change {
            Change::Applied(budget) | Change::Deleted(budget) => budget.namespace(),
            Change::Listed => return self.everything(),
        };
        let guarded = |set: &Arc<GameServerSet>| {
            set.namespace() == namespace && Protection::of(set) == Protection::Strict
        };
        for set in self.stores.sets.state().iter().filter(|set| guarded(set)) {
            self.changes.set(set.namespace(), &set.name_any());
        }
    }

    /// A pod: its server, the set it says it belongs to, and the set that controls it, should that be another.
    pub(super) fn pod(&self, change: Change<&Pod>) {
        let by = &self.stores.by;
        let indexes = [&by.pods_by_set, &by.pods_by_node, &by.pods_by_claim];
        let pod = match change {
            Change::Applied(pod) => {
                indexes.iter().for_each(|index| index.apply(pod));
                pod
            }
            Change::Deleted(pod) => {
                indexes.iter().for_each(|index| index.delete(pod));
                pod
            }
            Change::Listed => {
                let pods = self.stores.pods.state();
                indexes.iter().for_each(|index| index.rebuild(&pods));
                return self.everything();
            }
        };
        self.changes.server(pod.namespace(), &pod.name_any());
        let named = pod.labels().get(names::OWNER_GSS);
        if let Some(set) = named {
            self.changes.set(pod.namespace(), set);
        }
        if let Some(owner) = owner_set(pod).filter(|owner| Some(&owner.name) != named) {
            self.changes.set(pod.namespace(), &owner.name);
        }
    }

    /// A GameServer: the same.
    pub(super) fn server(&self, change: Change<&GameServer>) {
        let index = &self.stores.by.servers_by_set;
        let server = match change {
            Change::Applied(server) => {
                index.apply(server);
                self.count([server], false);
                if Claim::any(server).is_some_and(|claim| claim.phase == Phase::Claimed) {
                    self.changes.claim(server);
                }
                server
            }
            Change::Deleted(server) => {
                index.delete(server);
                let uid = server.metadata.uid.as_deref().unwrap_or_default();
                self.servers.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
                server
            }
            Change::Listed => {
                let servers = self.stores.servers.state();
                index.rebuild(&servers);
                self.count(servers.iter().map(AsRef::as_ref), true);
                return self.everything();
            }
        };
        self.changes.server(server.namespace(), &server.name_any());
        if let Some(set) = server.labels().get(names::OWNER_GSS) {
            self.changes.set(server.namespace(), set);
        }
    }

    /// Counts the GameServers that have come; `all`: these are all there are.
    fn count<'a>(&self, servers: impl IntoIterator<Item = &'a GameServer>, all: bool) {
        let uids: HashSet<String> = servers.into_iter().filter_map(|server| server.uid()).collect();
        let mut known = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = uids.difference(&known).count();
        if all {
            *known = uids;
        } else {
            known.extend(uids);
        }
        self.stores.by.servers_seen.fetch_add(u64::try_from(new).unwrap_or_default(), Ordering::Relaxed);
    }

    /// A node: the servers on it, if it is not as they were told.
    pub(super) fn node(&self, change: Change<&Node>) {
        let by = &self.stores.by.pods_by_node;
        let mut told = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Applied(node) => {
                let name = node.name_any();
                if told.get(&name).and_then(conditions) != conditions(node) {
                    self.pods(by, &Name::new(None, &name));
                }
                told.insert(name, node.clone());
            }
            Change::Deleted(node) => {
                told.remove(&node.name_any());
                self.pods(by, &Name::new(None, node.name_any()));
            }
            Change::Listed => {
                let now: HashMap<_, _> =
                    self.stores.nodes.state().into_iter().map(|n| (n.name_any(), (*n).clone())).collect();
                let names: HashSet<&String> = told.keys().chain(now.keys()).collect();
                for name in names {
                    if told.get(name).and_then(conditions) != now.get(name).and_then(conditions)
                        || !now.contains_key(name)
                    {
                        self.pods(by, &Name::new(None, name));
                    }
                }
                *told = now;
            }
        }
    }

    /// A volume claim: the servers whose pods name it.
    pub(super) fn claim(&self, change: Change<&PersistentVolumeClaim>) {
        match change {
            Change::Applied(claim) | Change::Deleted(claim) => {
                self.pods(&self.stores.by.pods_by_claim, &Name::of(claim));
            }
            Change::Listed => self.everything(),
        }
    }

    /// A volume: the servers whose pods name the claim that it is bound to.
    pub(super) fn volume(&self, change: Change<&PersistentVolume>) {
        match change {
            Change::Applied(volume) | Change::Deleted(volume) => {
                let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
                if let Some(claim) = claim {
                    let key = Name::new(claim.namespace.clone(), claim.name.clone().unwrap_or_default());
                    self.pods(&self.stores.by.pods_by_claim, &key);
                }
            }
            Change::Listed => self.everything(),
        }
    }
}

/// What of a set shows on its servers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    generation: i64,
    guards: bool,
}

/// What NodeNormal looks at.
fn conditions(node: &Node) -> Option<&Vec<k8s_openapi::api::core::v1::NodeCondition>> {
    node.status.as_ref()?.conditions.as_ref()
}
