//! A small cluster for tests.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::{admission::Mode, names};

/// A set `game` in the namespace `games`, with its servers.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) set: Value,
    pub(super) servers: Vec<Value>,
    pub(super) sight: Sight,
    pub(super) mode: Mode,
    pub(super) user: &'static str,
    pub(super) groups: Vec<&'static str>,
    pub(super) dry_run: bool,
    pub(super) orphans: bool,
}

pub(super) const LOST: Sight = Sight::Lost(Duration::from_secs(12));

impl World {
    pub(super) fn new(protection: &str, replicas: i32, states: &[&str]) -> Self {
        let set = json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
            "metadata": {
                "name": "game", "namespace": "games", "uid": "set-uid",
                "annotations": {names::PROTECTION: protection},
            },
            "spec": {"replicas": replicas, "gameServerTemplate": {}},
        });
        let servers = states.iter().enumerate().map(|(ordinal, state)| server(ordinal, state)).collect();
        Self {
            set,
            servers,
            sight: Sight::Clear,
            mode: Mode::Managed,
            user: "alice",
            groups: vec!["system:authenticated"],
            dry_run: false,
            orphans: false,
        }
    }

    pub(super) fn cache(&self) -> Cache {
        let mut cache = Cache::default();
        if self.set.is_object() {
            cache.sets.put("games", "game", Some(KeptSet::read(&self.set)));
        }
        for server in &self.servers {
            let name = server["metadata"]["name"].as_str().unwrap();
            cache.servers.put("games", name, KeptServer::read(server));
        }
        cache
    }

    pub(super) fn ask(
        &self,
        target: Target,
        operation: Operation,
        name: &str,
        old: Option<&Value>,
        new: Option<&Value>,
    ) -> Verdict {
        let asked = Asked {
            target,
            operation,
            namespace: "games",
            name,
            user: self.user,
            groups: &self.groups,
            old,
            new,
            dry_run: self.dry_run,
            orphans: self.orphans,
        };
        let rules = Rules { mode: self.mode, exempt: vec!["system:serviceaccount:gw:controller".into()] };
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        judge(&asked, &self.cache(), self.sight, &rules, now)
    }

    /// `kubectl delete pod`.
    pub(super) fn delete_pod(&self, ordinal: usize) -> Verdict {
        self.ask(Target::Pod, Operation::Delete, &format!("game-{ordinal}"), Some(&pod(ordinal, true)), None)
    }

    /// `kubectl delete gs`.
    pub(super) fn delete_server(&self, ordinal: usize) -> Verdict {
        let old = &self.servers[ordinal];
        self.ask(Target::Server, Operation::Delete, &format!("game-{ordinal}"), Some(old), None)
    }

    /// `kubectl delete gss`.
    pub(super) fn delete_set(&self) -> Verdict {
        self.ask(Target::Set, Operation::Delete, "game", Some(&self.set), None)
    }

    /// `kubectl drain`.
    pub(super) fn evict(&self, ordinal: usize) -> Verdict {
        let eviction = json!({"kind": "Eviction", "metadata": {"name": format!("game-{ordinal}")}});
        self.ask(Target::Eviction, Operation::Create, &format!("game-{ordinal}"), None, Some(&eviction))
    }

    /// `kubectl label pod`, with what becomes of the pod.
    pub(super) fn label(&self, ordinal: usize, new: &Value) -> Verdict {
        let old = pod(ordinal, true);
        self.ask(Target::Pod, Operation::Update, &format!("game-{ordinal}"), Some(&old), Some(new))
    }

    /// `kubectl scale`.
    pub(super) fn scale(&self, replicas: i32) -> Verdict {
        let scale = |replicas: &Value| json!({"kind": "Scale", "spec": {"replicas": replicas}});
        let (old, new) = (scale(&self.set["spec"]["replicas"]), scale(&json!(replicas)));
        self.ask(Target::Scale, Operation::Update, "game", Some(&old), Some(&new))
    }

    /// `kubectl edit gss`: a merge patch.
    pub(super) fn edit(&self, patch: &Value) -> Verdict {
        let mut new = self.set.clone();
        json_patch::merge(&mut new, patch);
        self.ask(Target::Set, Operation::Update, "game", Some(&self.set), Some(&new))
    }
}

pub(super) fn server(ordinal: usize, state: &str) -> Value {
    json!({
        "kind": "GameServer",
        "metadata": {
            "name": format!("game-{ordinal}"), "namespace": "games", "labels": {names::OWNER_GSS: "game"},
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Pod", "name": format!("game-{ordinal}"), "uid": format!("pod-{ordinal}"),
                "controller": true,
            }],
        },
        "spec": {"opsState": state, "deletionPriority": 0},
        "status": {"currentState": "Ready"},
    })
}

/// A pod of the set; where `guarded`, with the label that says so.
pub(super) fn pod(ordinal: usize, guarded: bool) -> Value {
    let mut pod = json!({
        "kind": "Pod",
        "metadata": {
            "name": format!("game-{ordinal}"), "namespace": "games", "uid": format!("pod-{ordinal}"),
            "labels": {names::OWNER_GSS: "game"},
            "ownerReferences": [{
                "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet", "name": "game", "uid": "set-uid",
                "controller": true,
            }],
        },
        "status": {"phase": "Running"},
    });
    if guarded {
        pod["metadata"]["labels"][names::GUARDED] = json!("true");
    }
    pod
}

/// What is said to who is refused, with the code; empty where it passes.
pub(super) fn said(verdict: &Verdict) -> String {
    verdict.refusal.as_ref().map_or_else(String::new, |refusal| {
        let (reason, code) = refusal.status();
        format!("{code} {reason}: {refusal}")
    })
}
