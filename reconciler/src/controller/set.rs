//! Reconciles one set: which pods and GameServers there are, and the set's status.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use gamewarden_api::{
    GameServer, GameServerSet,
    event::{Event, EventType, Involved},
    names,
    server::{new_pod, owner_set, volume_claims},
    set::{Plan, Removal, Snapshot, plan, revision, status},
    types::GameServerSetStatus,
};
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{ResourceExt, runtime::controller::Action};
use serde_json::json;

use super::{Context, metrics::Kind};
use crate::write::WriteError;

/// How many pods of a set are made at once.
const CREATE_CONCURRENCY: usize = 8;

/// How many are made before the set is looked at anew: it may have been scaled down meanwhile.
const CREATE_BATCH: usize = 64;

/// How soon it is looked at when more are to be made.
const NEXT_BATCH: Duration = Duration::from_millis(100);

/// A set could not be brought in line; it will be tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A write failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The server has changed since the plan was made; it is made again.
    #[error("server {0} has changed since the plan was made")]
    Changed(String),
    /// The watch does not show all servers of the set as they are; the plan is made again when it does.
    #[error("the watch is behind on the set's servers")]
    Behind,
    /// Somebody else's pod has the name.
    #[error("pod {0} exists and does not belong to the set")]
    Foreign(String),
}

impl Error {
    /// The plan was made on something that has changed: nothing is wrong, it is made again.
    fn is_stale(&self) -> bool {
        match self {
            Self::Write(error) => error.is_conflict(),
            Self::Changed(_) | Self::Behind => true,
            Self::Foreign(_) => false,
        }
    }
}

/// Brings one set in line with its spec.
pub(super) async fn reconcile(set: Arc<GameServerSet>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let set = context.fresh.newest(set);
    let result = observe_and_apply(&set, &context).await;
    let failed = result.as_ref().is_err_and(|error| !error.is_stale());
    context.metrics.reconciled(Kind::GameServerSet, started.elapsed(), failed);
    let requeue = result?;
    context.backoff.forget(set.metadata.uid.as_deref().unwrap_or_default());
    Ok(requeue.map_or_else(Action::await_change, Action::requeue))
}

/// When to try again.
pub(super) fn failed(set: Arc<GameServerSet>, error: &Error, context: Arc<Context>) -> Action {
    let wait = context.backoff.failed(set.metadata.uid.as_deref().unwrap_or_default(), Instant::now());
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    if error.is_stale() {
        tracing::debug!(%namespace, set = %name, %error, ?wait, "planning again");
    } else {
        tracing::warn!(%namespace, set = %name, %error, ?wait, "reconcile failed; trying again");
    }
    Action::requeue(wait)
}

async fn observe_and_apply(set: &Arc<GameServerSet>, context: &Context) -> Result<Option<Duration>, Error> {
    let observed = observe(set, context);
    let more = (observed.plan.create.len() > CREATE_BATCH).then_some(NEXT_BATCH);
    let requeue = [observed.plan.requeue_after, more].into_iter().flatten().min();
    let applied = apply(set, observed.plan, &observed.servers, context).await;
    // The status is told even where the plan could not be carried out: that is when people look.
    let status_wait = write_status(set, observed.status, context).await;
    if let (Err(error), Ok(Some(wait))) = (&applied, &status_wait) {
        // The turn of the status comes sooner than the next try after a failure might.
        if error.is_stale() {
            tracing::debug!(set = %set.name_any(), %error, "planning again");
        } else {
            tracing::warn!(set = %set.name_any(), %error, "reconcile failed; trying again for the status");
        }
        return Ok(Some(*wait));
    }
    applied?;
    Ok([requeue, status_wait?].into_iter().flatten().min())
}

/// What is to be done and told about a set, as the stores show it now.
struct Observed {
    plan: Plan,
    /// `None` where somebody else writes it.
    status: Option<GameServerSetStatus>,
    servers: Vec<Arc<GameServer>>,
}

fn observe(set: &GameServerSet, context: &Context) -> Observed {
    let (namespace, name) = (set.namespace(), set.name_any());
    let ours = |metadata: &ObjectMeta| {
        let owner = metadata.labels.as_ref().and_then(|labels| labels.get(names::OWNER_GSS));
        metadata.namespace == namespace && owner == Some(&name)
    };
    let pods = context.stores.pods.state_filter(|pod| ours(&pod.metadata));
    let servers = context.stores.servers.state_filter(|server| ours(&server.metadata));
    let snapshot = Snapshot {
        set,
        pods: &pods.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
        servers: &servers.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
        removed: &|uid| context.removed.contains(uid),
        now: Timestamp::now(),
    };
    Observed { plan: plan(&snapshot), status: status(&snapshot), servers }
}

/// Carries a plan out. Where the set itself cannot be written nothing else is done: the plan was made on
/// something old. After that each part is tried, whatever became of the others; the first failure is returned.
async fn apply(
    set: &Arc<GameServerSet>,
    plan: Plan,
    servers: &[Arc<GameServer>],
    context: &Context,
) -> Result<(), Error> {
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    let writer = &context.writer;
    let involved = Involved::of(&**set);
    // Said first: once the patch below has recorded the change, no later plan would see it. Should the patch
    // be refused, the next plan says it under the same name, which writes nothing.
    for event in &plan.events {
        context.say(event, &involved).await;
    }
    if !plan.remove.is_empty() {
        all_unchanged(set, servers, context).await?;
    }
    if let Some(patch) = &plan.set_patch {
        let written = writer.patch_set(&namespace, &name, patch).await?;
        context.fresh.wrote(set, Arc::new(written));
    }
    let results = [
        mark(&namespace, &plan, context).await,
        scale_down(&namespace, &plan.remove, context).await,
        replace(&namespace, &plan.replace, context).await,
        delete_servers(&namespace, &plan, context).await,
        create(set, &plan.create, servers, context).await,
    ];
    results.into_iter().collect()
}

/// Labels the GameServers that outlive their pods with whether they are to go.
async fn mark(namespace: &str, plan: &Plan, context: &Context) -> Result<(), Error> {
    let mark = plan.gs_mark_deleting.iter().map(|server| (server, json!("true")));
    let unmark = plan.gs_unmark_deleting.iter().map(|server| (server, json!(null)));
    for (server, value) in mark.chain(unmark) {
        let patch = json!({"metadata": {
            "uid": server.uid,
            "resourceVersion": server.resource_version,
            "labels": {names::GS_DELETING: value},
        }});
        context.writer.patch_server(namespace, &server.name, &patch).await?;
    }
    Ok(())
}

/// Removes in order, and stops at the first that cannot be removed: no server goes before one that should have
/// gone first (I1).
async fn scale_down(namespace: &str, removals: &[Removal], context: &Context) -> Result<(), Error> {
    for removal in removals {
        unchanged(namespace, removal, context).await?;
        remove(namespace, removal, context).await?;
    }
    Ok(())
}

/// Deletes pods that are to be made again; all are tried.
async fn replace(namespace: &str, removals: &[Removal], context: &Context) -> Result<(), Error> {
    let mut result = Ok(());
    for removal in removals {
        result = result.and(remove(namespace, removal, context).await);
    }
    result
}

async fn delete_servers(namespace: &str, plan: &Plan, context: &Context) -> Result<(), Error> {
    for server in &plan.gs_delete {
        // With its version: it may be wanted again by now, and hold what a person has set.
        let version = Some(server.resource_version.as_str());
        context.writer.delete_server(namespace, &server.name, &server.uid, version).await?;
    }
    Ok(())
}

/// Nothing is removed while the store is behind on any server of the set: the watches of sets, pods and servers
/// run at different speeds, and what one does not show yet may be the server that should go first (I1), or the
/// match that has just begun. Asked before the set is patched, because that may give a place up for good (a
/// reserved ordinal, lowered replicas).
async fn all_unchanged(
    set: &GameServerSet,
    seen: &[Arc<GameServer>],
    context: &Context,
) -> Result<(), Error> {
    let spec = |server: &GameServer| {
        let metadata = &server.metadata;
        (metadata.name.clone(), metadata.uid.clone(), metadata.generation)
    };
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    let mut now: Vec<_> = context.writer.list_servers(&namespace, &name).await?.iter().map(spec).collect();
    let mut seen: Vec<_> = seen.iter().map(|server| spec(server)).collect();
    now.sort();
    seen.sort();
    if now == seen { Ok(()) } else { Err(Error::Behind) }
}

/// A removal is not carried out on a server that has changed since the plan was made.
async fn unchanged(namespace: &str, removal: &Removal, context: &Context) -> Result<(), Error> {
    let server = context.writer.get_server(namespace, &removal.name).await?;
    let version = server.and_then(|s| s.metadata.resource_version);
    if version == removal.server_resource_version {
        Ok(())
    } else {
        Err(Error::Changed(removal.name.clone()))
    }
}

async fn remove(namespace: &str, removal: &Removal, context: &Context) -> Result<(), Error> {
    let version = Some(removal.resource_version.as_str());
    context.writer.delete_pod(namespace, &removal.name, &removal.uid, version).await?;
    context.removed.insert(&removal.uid, Instant::now());
    context.metrics.pods_deleted.inc();
    tracing::info!(namespace, pod = %removal.name, reason = removal.reason.as_str(), "pod deleted");
    Ok(())
}

/// Makes the pods that are missing. All are tried; the first failure is returned.
async fn create(
    set: &GameServerSet,
    ordinals: &[u32],
    servers: &[Arc<GameServer>],
    context: &Context,
) -> Result<(), Error> {
    let revision = revision(set);
    let tries = ordinals
        .iter()
        .copied()
        .take(CREATE_BATCH)
        .map(|ordinal| create_one(set, ordinal, &revision, servers, context));
    let results: Vec<Result<(), Error>> =
        stream::iter(tries).buffer_unordered(CREATE_CONCURRENCY).collect().await;
    stream::iter(results).try_collect().await
}

async fn create_one(
    set: &GameServerSet,
    ordinal: u32,
    revision: &str,
    servers: &[Arc<GameServer>],
    context: &Context,
) -> Result<(), Error> {
    let result = try_create(set, ordinal, revision, servers, context).await;
    if let Err(error) = &result {
        let message = match error {
            Error::Write(error) if error.is_namespace_gone() => return Ok(()),
            Error::Write(error) => error.reason(),
            other => other.to_string(),
        };
        let name = names::server_name(&set.name_any(), ordinal);
        let event = Event {
            type_: EventType::Warning,
            reason: names::reason::FAILED_CREATE.to_owned(),
            message: format!("create pod {name}: {message}"),
            occurrence: set.metadata.generation.unwrap_or_default().to_string(),
        };
        context.say(&event, &Involved::of(set)).await;
    }
    result
}

async fn try_create(
    set: &GameServerSet,
    ordinal: u32,
    revision: &str,
    servers: &[Arc<GameServer>],
    context: &Context,
) -> Result<(), Error> {
    let namespace = set.namespace().unwrap_or_default();
    let name = names::server_name(&set.name_any(), ordinal);
    let writer = &context.writer;
    for claim in volume_claims(set, ordinal) {
        writer.ensure_claim(&claim).await?;
    }
    let overrides = servers.iter().find(|s| s.metadata.name.as_ref() == Some(&name));
    let overrides = overrides.map(|s| s.spec.containers.as_slice()).unwrap_or_default();
    match writer.create_pod(&new_pod(set, ordinal, revision, overrides)).await {
        Ok(()) => {
            context.metrics.pods_created.inc();
            tracing::info!(%namespace, pod = %name, "pod created");
            Ok(())
        }
        // Ours, and the store is behind; or somebody else's, which has none of our labels.
        Err(error) if error.is_conflict() => match writer.get_pod(&namespace, &name).await? {
            Some(pod) if !is_owned(&pod, set) => Err(Error::Foreign(name)),
            Some(pod) if !pod.labels().contains_key(names::OWNER_GSS) => {
                // Somebody took the label off, and with it the pod out of our sight.
                let labels = json!({names::OWNER_GSS: set.metadata.name});
                let patch = json!({"metadata": {"uid": pod.metadata.uid, "labels": labels}});
                Ok(writer.patch_pod(&namespace, &name, &patch).await?)
            }
            _ => Ok(()),
        },
        Err(error) => Err(error.into()),
    }
}

fn is_owned(pod: &Pod, set: &GameServerSet) -> bool {
    owner_set(pod).is_some_and(|owner| Some(&owner.uid) == set.metadata.uid.as_ref())
}

/// Writes the status where it differs, once a second at most; returns how long to wait for the next turn.
async fn write_status(
    set: &GameServerSet,
    new: Option<GameServerSetStatus>,
    context: &Context,
) -> Result<Option<Duration>, Error> {
    let Some(new) = new else { return Ok(None) };
    if set.metadata.deletion_timestamp.is_some() || set.status.as_ref() == Some(&new) {
        return Ok(None);
    }
    let uid = set.metadata.uid.as_deref().unwrap_or_default();
    if let Err(wait) = context.status_writes.turn(uid, Instant::now()) {
        return Ok(Some(wait));
    }
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    let patch = json!({"metadata": {"uid": uid}, "status": new});
    match context.writer.patch_set_status(&namespace, &name, &patch).await {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(None),
    }
}
