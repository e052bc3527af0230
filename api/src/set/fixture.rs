//! A small cluster for tests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use serde_json::{Value, json};

use super::*;
use crate::{
    names,
    server::ServerRef,
    types::{GameServer, GameServerSet},
};

pub(super) const NOW: &str = "2026-01-01T01:00:00Z";

/// A set `game` with its pods and GameServers; the set remembers its ordinals unless told otherwise.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) set: Value,
    pub(super) pods: Vec<Value>,
    pub(super) servers: Vec<Value>,
    pub(super) budgets: Vec<Value>,
    pub(super) removed: BTreeSet<String>,
    pub(super) committed: BTreeSet<String>,
    pub(super) refused: BTreeMap<String, Refusal>,
    /// The time.
    pub(super) now: String,
}

impl Cluster {
    pub(super) fn new(replicas: i32, ordinals: &str) -> Self {
        Self {
            set: json!({
                "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
                "metadata": {
                    "name": "game", "namespace": "default", "uid": "set-uid", "resourceVersion": "7", "generation": 3,
                    "annotations": {names::ORDINALS: ordinals},
                },
                "spec": {"replicas": replicas, "gameServerTemplate": {"spec": {"containers": [{"name": "main", "image": "v1"}]}}},
            }),
            pods: Vec::new(),
            servers: Vec::new(),
            budgets: Vec::new(),
            removed: BTreeSet::new(),
            committed: BTreeSet::new(),
            refused: BTreeMap::new(),
            now: NOW.to_owned(),
        }
    }

    /// A ready pod of the current template with a GameServer that it owns (Cascade).
    pub(super) fn with(mut self, ordinal: u32, ops_state: &str) -> Self {
        let (name, uid) = (format!("game-{ordinal}"), format!("pod-uid-{ordinal}"));
        let set: GameServerSet = serde_json::from_value(self.set.clone()).unwrap();
        self.pods.push(json!({
            "metadata": {
                "name": name, "uid": uid, "resourceVersion": "100", "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {names::OWNER_GSS: "game", names::REVISION_HASH: revision(&set)},
                "ownerReferences": [owner("GameServerSet", "game", "set-uid")],
            },
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:59:50Z"}],
            },
        }));
        self.servers.push(json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer",
            "metadata": {
                "name": name, "uid": format!("gs-uid-{ordinal}"), "resourceVersion": "200",
                "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {},
                "ownerReferences": [owner("Pod", &name, &uid)],
            },
            "spec": {"opsState": ops_state},
        }));
        self
    }

    /// As [`Self::with`], but the set owns the GameServers (Delete).
    pub(super) fn outliving(mut self) -> Self {
        for server in &mut self.servers {
            server["metadata"]["ownerReferences"] = json!([owner("GameServerSet", "game", "set-uid")]);
        }
        self
    }

    pub(super) fn ask<T>(&self, question: impl Fn(&Snapshot<'_>) -> T) -> T {
        let set: GameServerSet = serde_json::from_value(self.set.clone()).unwrap();
        let pods: Vec<Pod> = self.pods.iter().map(|p| serde_json::from_value(p.clone()).unwrap()).collect();
        let servers: Vec<GameServer> =
            self.servers.iter().map(|s| serde_json::from_value(s.clone()).unwrap()).collect();
        let budgets: Vec<PodDisruptionBudget> =
            self.budgets.iter().map(|b| serde_json::from_value(b.clone()).unwrap()).collect();
        question(&Snapshot {
            set: &set,
            pods: &pods.iter().collect::<Vec<_>>(),
            servers: &servers.iter().collect::<Vec<_>>(),
            budgets: &budgets.iter().collect::<Vec<_>>(),
            removed: &|uid| self.removed.contains(uid),
            committed: &|claim| self.committed.contains(claim),
            refused: &|uid| self.refused.get(uid).cloned(),
            now: self.now.parse::<Timestamp>().unwrap(),
        })
    }

    pub(super) fn plan(&self) -> Plan {
        self.ask(plan)
    }

    /// Carries out what is planned of removals, until there is nothing left to do now; gives the pods that went, in order.
    /// The prober finds what it found before.
    pub(super) fn leave(&mut self) -> Vec<Removal> {
        let mut gone = Vec::new();
        for _ in 0..40 {
            let plan = self.plan();
            if plan.removals.is_empty() {
                return gone;
            }
            if let Some(patch) = &plan.set_patch {
                json_patch::merge(&mut self.set, patch);
            }
            self.turn(&plan.removals);
            for removal in plan.removals.delete {
                self.removed.insert(removal.uid.clone());
                gone.push(removal);
            }
        }
        panic!("no end: {:?}", self.plan().removals);
    }

    /// Writes the claims, commits and withdrawals.
    pub(super) fn turn(&mut self, removals: &Removals) {
        for Withdrawal { name, patch } in &removals.withdraw {
            let pod = self.pods.iter_mut().find(|pod| pod["metadata"]["name"] == **name).unwrap();
            write(pod, patch);
        }
        let commits = removals.commit.iter();
        for Turn { name, patch, .. } in
            removals.turns.iter().chain(commits.clone().map(|commit| &commit.turn))
        {
            let server = self.servers.iter_mut().find(|server| server["metadata"]["name"] == **name).unwrap();
            write(server, patch);
        }
        self.committed.extend(commits.map(|commit| commit.claim.clone()));
    }

    pub(super) fn old(&mut self, index: usize) {
        self.pods[index]["metadata"]["labels"][names::REVISION_HASH] = json!("game-old");
    }

    pub(super) fn not_ready(&mut self, index: usize) {
        self.pods[index]["status"]["conditions"][0]["status"] = json!("False");
    }
}

/// What the API server makes of a merge patch with a resourceVersion.
fn write(object: &mut Value, patch: &Value) {
    let version = object["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    assert_eq!(patch["metadata"]["resourceVersion"], *version, "a patch of something else");
    json_patch::merge(object, patch);
    object["metadata"]["resourceVersion"] = json!((version.parse::<u64>().unwrap() + 1).to_string());
}

pub(super) fn owner(kind: &str, name: &str, uid: &str) -> Value {
    let api_version = if kind == "GameServerSet" { "game.kruise.io/v1alpha1" } else { "v1" };
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true})
}

pub(super) fn names_of(removals: &[Removal]) -> Vec<&str> {
    removals.iter().map(|r| r.name.as_str()).collect()
}

pub(super) fn messages(plan: &Plan) -> Vec<&str> {
    plan.events.iter().map(|e| e.message.as_str()).collect()
}

pub(super) fn gs_names(servers: &[ServerRef]) -> Vec<&str> {
    servers.iter().map(|s| s.name.as_str()).collect()
}
