//! Reconciles one server: its pod and its GameServer.

use std::{sync::Arc, time::Instant};

use gamewarden_api::{
    GameServer, GameServerSet,
    event::Involved,
    server::{ServerPlan, Snapshot, owner_set, plan},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use serde_json::json;

use super::{Context, adopt::lives, around, metrics::Kind};
use crate::write::WriteError;

/// A server could not be brought in line; it will be tried again.
#[derive(Debug, thiserror::Error)]
#[error("server {server}: {source}")]
pub(super) struct Error {
    server: String,
    source: WriteError,
}

/// Brings one server in line with its set.
pub(super) async fn reconcile(pod: Arc<Pod>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let result = match owner(&pod, &context) {
        Some(set) => observe_and_apply(&pod, &set, &context).await,
        None => Ok(()),
    };
    let failed = result.as_ref().is_err_and(|error| !error.is_conflict());
    context.metrics.reconciled(Kind::GameServer, started.elapsed(), failed);
    match result {
        Ok(()) => {
            context.backoff.forget(pod.metadata.uid.as_deref().unwrap_or_default());
            Ok(Action::await_change())
        }
        Err(source) => Err(Error {
            server: format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any()),
            source,
        }),
    }
}

/// When to try again.
pub(super) fn failed(pod: Arc<Pod>, error: &Error, context: Arc<Context>) -> Action {
    let wait = context.backoff.failed(pod.metadata.uid.as_deref().unwrap_or_default(), Instant::now());
    if error.source.is_conflict() {
        // The store is behind; it will have caught up by then.
        tracing::debug!(%error, ?wait, "the object has changed; looking again");
    } else {
        tracing::warn!(%error, ?wait, "reconcile failed; trying again");
    }
    Action::requeue(wait)
}

/// The set that owns the pod, by uid and not by label: labels are anybody's to write.
fn owner(pod: &Pod, context: &Context) -> Option<Arc<GameServerSet>> {
    let reference = owner_set(pod)?;
    let namespace = pod.namespace()?;
    let set = context.stores.sets.get(&ObjectRef::new(&reference.name).within(&namespace))?;
    (set.metadata.uid.as_ref() == Some(&reference.uid)).then_some(set)
}

async fn observe_and_apply(pod: &Pod, set: &GameServerSet, context: &Context) -> Result<(), WriteError> {
    let reference = ObjectRef::new(&pod.name_any()).within(&pod.namespace().unwrap_or_default());
    let server = context.stores.servers.get(&reference);
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let around = around::look(pod, context).await;
    let plan = plan(&Snapshot {
        set,
        pod,
        server: server.as_deref(),
        around: &around,
        results: &|quality| context.results.get(uid, quality),
        on_node: context.on_nodes.probe(pod),
        now: Timestamp::now(),
    });
    match apply(pod, set, server.as_deref(), plan, context).await {
        // A pod or GameServer that went away meanwhile needs nothing more; its own event comes.
        Err(error) if error.is_not_found() || error.is_namespace_gone() => Ok(()),
        other => other,
    }
}

/// Carries a plan out. Each write is tried whatever became of the others: a label that the API server refuses must
/// not keep the status from being told. The first failure is returned.
async fn apply(
    pod: &Pod,
    set: &GameServerSet,
    server: Option<&GameServer>,
    plan: ServerPlan,
    context: &Context,
) -> Result<(), WriteError> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let (namespace, name) = (namespace.as_str(), name.as_str());
    let writer = &context.writer;
    if let Some(stale) = plan.delete_stale {
        // Stale is what belongs to another pod than ours; where ours is the earlier one, it is we who are stale:
        // the watch of pods may be behind that of GameServers.
        let now = writer.get_pod(namespace, name).await?.and_then(|pod| pod.metadata.uid);
        if now.is_none() || now != pod.metadata.uid {
            return Ok(());
        }
        return writer.delete_server(namespace, &stale).await;
    }
    let adopts = plan.adopts();
    let mut results = Vec::new();
    if let Some(new) = plan.create {
        results.push(match writer.create_server(&new).await {
            // It is there and the store is behind.
            Err(error) if error.is_conflict() => Ok(()),
            other => other,
        });
    }
    if let Some(patch) = plan.pod_status_patch {
        results.push(writer.patch_pod_status(namespace, name, &patch).await.map(drop));
    }
    let Some(server) = server else { return results.into_iter().collect() };
    let mut resource_version = server.metadata.resource_version.clone();
    // Where the set is going, its own event comes, and the next plan sees it.
    let may_write = if adopts {
        lives(set, context).await.unwrap_or_else(|error| {
            results.push(Err(error));
            false
        })
    } else {
        true
    };
    if let Some(patch) = plan.server_patch.filter(|_| may_write) {
        results.push(writer.patch_server(namespace, name, &patch).await.map(|patched| {
            resource_version = patched.metadata.resource_version;
        }));
    }
    for event in &plan.events {
        context.say(event, &Involved::of(server)).await;
    }
    if let Some(patch) = plan.pod_patch {
        results.push(writer.patch_pod(namespace, name, &patch).await.map(drop));
    }
    if let Some(mut patch) = plan.server_status_patch {
        patch["metadata"]["resourceVersion"] = json!(resource_version);
        results.push(writer.patch_server_status(namespace, name, &patch).await);
    }
    results.into_iter().collect()
}
