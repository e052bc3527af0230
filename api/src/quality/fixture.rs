//! A GameServer behind a small API server, for the tests of this module.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Decision, Input, Verdict, decide, owed::settled};
use crate::{GameServer, types::ServiceQuality};

pub(super) const POD: &str = "pod-1";

/// The qualities in a YAML list, as people write them.
pub(super) fn qualities(yaml: &str) -> Vec<ServiceQuality> {
    serde_yaml_ng::from_str(yaml).unwrap()
}

pub(super) fn yes(result: &str) -> Verdict {
    Verdict::True { result: result.into() }
}

pub(super) fn no(result: &str) -> Verdict {
    Verdict::False { result: result.into() }
}

pub(super) fn unknown(reason: &str) -> Verdict {
    Verdict::Unknown { reason: reason.into() }
}

/// A server, what has been told about it, and a clock that ticks with every write.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) qualities: Vec<ServiceQuality>,
    pub(super) server: GameServer,
    pub(super) pod: String,
    pub(super) clock: i64,
    pub(super) notices: Vec<String>,
    /// A prober writes, which may not write containers.
    pub(super) owes: bool,
}

impl World {
    /// A server as the controller makes it.
    pub(super) fn new(qualities: Vec<ServiceQuality>) -> Self {
        let server = serde_json::from_value(json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer",
            "metadata": {"name": "game-0", "namespace": "default", "uid": "gs-1", "resourceVersion": "1"},
            "spec": {"opsState": "None", "updatePriority": 0, "deletionPriority": 0, "networkDisabled": false},
        }));
        Self {
            qualities,
            server: server.unwrap(),
            pod: POD.into(),
            clock: 0,
            notices: Vec::new(),
            owes: false,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + self.clock).unwrap()
    }

    /// What a verdict would do.
    pub(super) fn decide(&self, quality: &str, verdict: &Verdict) -> Option<Decision> {
        decide(&Input {
            qualities: &self.qualities,
            quality,
            verdict,
            server: &self.server,
            pod_uid: &self.pod,
            now: self.now(),
            owes_containers: self.owes,
        })
    }

    /// The controller writes the containers that are owed.
    pub(super) fn settle(&mut self) {
        if let Some((containers, record)) = settled(&self.qualities, &self.server, &self.pod) {
            self.patch(&json!({
                "metadata": {"annotations": {crate::names::VERDICTS: record}}, "spec": {"containers": containers},
            }));
        }
    }

    /// Decides and writes.
    pub(super) fn say(&mut self, quality: &str, verdict: &Verdict) -> Option<Decision> {
        self.clock += 1;
        let decision = self.decide(quality, verdict)?;
        self.patch(&decision.patch);
        self.notices.extend(decision.notices.iter().map(|n| format!("{}: {}", n.reason, n.message)));
        Some(decision)
    }

    /// Applies a merge patch as the API server does: uid and resourceVersion have to be those of the object.
    pub(super) fn patch(&mut self, patch: &Value) {
        let mut object = serde_json::to_value(&self.server).unwrap();
        for field in ["uid", "resourceVersion"] {
            let wanted = &patch["metadata"][field];
            assert!(wanted.is_null() || *wanted == object["metadata"][field], "conflict");
        }
        json_patch::merge(&mut object, patch);
        let version: u64 = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
        self.server = serde_json::from_value(object).unwrap();
    }

    /// `kubectl patch gs` by a person.
    pub(super) fn set_by_hand(&mut self, ops_state: &str) {
        self.patch(&json!({"spec": {"opsState": ops_state}}));
    }

    pub(super) fn ops_state(&self) -> String {
        self.server.spec.ops_state.clone().unwrap_or_default().into()
    }
}
