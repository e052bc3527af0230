//! The guard, between requests and what is known of the cluster: asks the rules of `gamewarden_api::guard`, counts what
//! gets by, and says it all in the answer.

use gamewarden_api::guard::{Asked, Operation as Done, Rules, Target, Verdict, judge};
use jiff::Timestamp;
use serde_json::{Value, value::RawValue};

use crate::answer::Answer;
use crate::cache::Known;
use crate::judge::{GROUP, Phase};
use crate::metrics::GuardMetrics;
use crate::review::{Operation, Request};

/// The group of the StatefulSets that make a set's pods in external mode.
const KRUISE: &str = "apps.kruise.io";

/// Guards servers that are in use.
#[derive(Debug, Clone)]
pub struct Guard {
    rules: Rules,
    known: Known,
    metrics: GuardMetrics,
}

impl Guard {
    /// A guard that decides by what is known of the cluster.
    pub(crate) fn new(rules: Rules, known: Known, metrics: GuardMetrics) -> Self {
        Self { rules, known, metrics }
    }

    /// What the rules say of a request; `None` where there is none about it. The object, where it was read already.
    pub(crate) fn judge(&self, request: &Request<'_>, object: Option<&Value>) -> Option<Verdict> {
        let (target, operation) = (target(request)?, done(request.operation)?);
        // One that is made takes nothing away.
        if target != Target::Eviction && operation == Done::Create {
            return None;
        }
        let raw = if object.is_none() { request.object.and_then(read) } else { None };
        let old = request.old_object.and_then(read);
        let options = request.options.filter(|_| operation == Done::Delete).and_then(read);
        let groups: Vec<&str> = request.user_info.groups.iter().flatten().map(AsRef::as_ref).collect();
        let asked = Asked {
            target,
            operation,
            namespace: &request.namespace,
            name: &request.name,
            user: &request.user_info.username,
            groups: &groups,
            old: old.as_ref(),
            new: object.or(raw.as_ref()),
            dry_run: request.dry_run.unwrap_or_default(),
            orphans: options.is_some_and(|options| orphans(&options)),
        };
        let now = Timestamp::now();
        let verdict = self.known.ask(|cache, sight| judge(&asked, cache, sight, &self.rules, now));
        if verdict.unguarded {
            self.metrics.unguarded(target);
            tracing::warn!(namespace = asked.namespace, name = asked.name, ?target, "let through unguarded");
        }
        Some(verdict)
    }

    /// The answer, with what the guard says of it. What is wrong with an object is said first.
    pub(crate) fn add(
        answer: Answer,
        request: &Request<'_>,
        verdict: Option<Verdict>,
        phase: Phase,
    ) -> Answer {
        let Some(verdict) = verdict.filter(|_| answer.is_allowed()) else { return answer };
        if let Some(refusal) = verdict.refusal {
            return Answer::guarded(request, &refusal);
        }
        // A set's size is judged by both webhooks, and told of once. A Scale is asked about by one alone.
        let is_told = phase == Phase::Mutate || !request.sub_resource.is_empty();
        answer.saying(if is_told { verdict.warnings } else { Vec::new() })
    }
}

fn target(request: &Request<'_>) -> Option<Target> {
    match (&*request.resource.group, &*request.resource.resource, &*request.sub_resource) {
        (GROUP, "gameserversets", "") => Some(Target::Set),
        (GROUP, "gameserversets", "scale") => Some(Target::Scale),
        (GROUP, "gameservers", "") => Some(Target::Server),
        ("", "pods", "") => Some(Target::Pod),
        ("", "pods", "eviction") => Some(Target::Eviction),
        (KRUISE, "statefulsets", "") => Some(Target::Workload),
        (KRUISE, "statefulsets", "scale") => Some(Target::WorkloadScale),
        _ => None,
    }
}

fn done(operation: Operation) -> Option<Done> {
    match operation {
        Operation::Create => Some(Done::Create),
        Operation::Update => Some(Done::Update),
        Operation::Delete => Some(Done::Delete),
        Operation::Other => None,
    }
}

/// Whether what the object owns is to stay, in DeleteOptions of any age.
fn orphans(options: &Value) -> bool {
    options["propagationPolicy"] == "Orphan" || options["orphanDependents"] == true
}

/// An object as it was sent. One that cannot be read says nothing; where that matters it is refused elsewhere.
fn read(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok().filter(|object: &Value| !object.is_null())
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
