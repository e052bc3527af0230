//! Kruise's StatefulSet of a set (external mode). OpenKruiseGame's controller keeps it as the set says, and Kruise's deletes
//! the pods that it has no room for, by ordinal and without asking anybody. Somebody else who shrinks it, reserves ordinals
//! in it or deletes it takes servers past the set, so in Strict that is refused while one of them may be in use.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde_json::Value;

use super::{
    decide::{Verdict, View},
    kept::{KeptSet, metadata},
    replicas::replicas,
    request::{Asked, Target},
    say::Refusal,
};
use crate::{GameServerSet, server::controller};

impl View<'_> {
    pub(super) fn workload_changed(&self, asked: &Asked<'_>) -> Verdict {
        let (Some(old), Some(new)) = (asked.old, asked.new) else { return Verdict::pass() };
        let what = if replicas(new) < replicas(old) {
            "shrunk"
        } else if old["spec"]["reserveOrdinals"] != new["spec"]["reserveOrdinals"] {
            "given other reserveOrdinals"
        } else if asked.target == Target::Workload && of_set(old) != of_set(new) {
            // What is nobody's can be shrunk next.
            "taken from its set"
        } else {
            return Verdict::pass();
        };
        self.workload(asked, old, what)
    }

    pub(super) fn workload_deleted(&self, asked: &Asked<'_>) -> Verdict {
        match asked.old {
            Some(old) if !asked.orphans => self.workload(asked, old, "deleted"),
            _ => Verdict::pass(),
        }
    }

    fn workload(&self, asked: &Asked<'_>, old: &Value, what: &'static str) -> Verdict {
        let name = asked.name();
        let metadata = metadata(old);
        if !self.is_external() || metadata.deletion_timestamp.is_some() {
            return Verdict::pass();
        }
        let set = self.cache.sets.get(asked.namespace, name);
        // A Scale does not say whose it is. OpenKruiseGame goes by the name.
        if asked.target == Target::Workload && !is_of(&metadata, set) {
            return Verdict::pass();
        }
        let Some(set) = set else {
            // Most StatefulSets are no set's; of one that was never seen nobody knows what it asks for.
            return match asked.target {
                _ if self.is_clear() => Verdict::pass(),
                Target::WorkloadScale => Verdict::unguarded(),
                _ => self.blind(&format!("the servers of set {name}"), name, false),
            };
        };
        self.set(asked, name, set, |view, servers| {
            let namespace = view.namespace(asked);
            Refusal::Workload { servers, what, set: name.to_owned(), namespace }
        })
    }
}

/// The uid of the owner that keeps it.
fn of_set(workload: &Value) -> Option<String> {
    controller(&metadata(workload)).map(|owner| owner.uid.clone())
}

/// Whether a StatefulSet is a GameServerSet's: of this one, where it is known.
fn is_of(metadata: &ObjectMeta, set: Option<&KeptSet>) -> bool {
    controller(metadata).is_some_and(|owner| {
        owner.kind == GameServerSet::kind(&()) && set.is_none_or(|set| owner.uid == set.uid)
    })
}
