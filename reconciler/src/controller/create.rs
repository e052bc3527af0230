//! Makes the pods that are missing, and remembers what could not be made.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use gamewarden_api::{
    GameServer, GameServerSet, names,
    server::{new_pod, owner_set, volume_claims},
    set::{claim_is_going, revision, trouble::Failure},
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use super::{
    Context,
    failures::{Tried, is_hopeless},
};
use crate::write::WriteError;

/// How many pods of a set are made at once.
const CREATE_CONCURRENCY: usize = 8;

/// How many are made before the set is looked at anew: it may have been scaled down meanwhile.
const CREATE_BATCH: usize = 64;

/// How soon it is looked at when more are to be made.
const NEXT_BATCH: Duration = Duration::from_millis(100);

/// How soon a server is tried again whose volume claim goes with the pod before: nobody tells when it is gone.
const CLAIM_GOES: Duration = Duration::from_secs(2);

/// Makes the pods of these ordinals; says when to go on where not all were made. What failed is no error: it is
/// remembered, told in the set's status, and tried again in time.
pub(super) async fn create(
    set: &GameServerSet,
    ordinals: &[u32],
    servers: &[Arc<GameServer>],
    context: &Context,
) -> Option<Duration> {
    let uid = set.metadata.uid.as_deref().unwrap_or_default();
    let generation = set.metadata.generation.unwrap_or_default();
    let turn = context.failures.turn(uid, generation, ordinals, Instant::now());
    if turn.now.is_empty() {
        return turn.wait;
    }
    let revision = revision(set);
    let batch = turn.now.get(..CREATE_BATCH).unwrap_or(&turn.now);
    let (mut round, mut going, mut stopped) = (Vec::new(), false, false);
    for some in batch.chunks(CREATE_CONCURRENCY) {
        if is_hopeless(&round) {
            stopped = true;
            break;
        }
        let tries = some.iter().copied().map(|ordinal| create_one(set, ordinal, &revision, servers, context));
        let made: Vec<(u32, Made)> = stream::iter(tries).buffer_unordered(CREATE_CONCURRENCY).collect().await;
        for (ordinal, made) in made {
            match made {
                Made::Tried(tried) => round.push((ordinal, tried)),
                Made::ClaimGoes => going = true,
            }
        }
    }
    let wait = context.failures.tried(uid, generation, &round, stopped, Instant::now());
    let more = (!stopped && turn.now.len() > CREATE_BATCH).then_some(NEXT_BATCH);
    [wait, more, going.then_some(CLAIM_GOES)].into_iter().flatten().min()
}

/// What became of a server that was to be made.
enum Made {
    Tried(Tried),
    /// It waits until the volume claim of its predecessor is gone.
    ClaimGoes,
}

async fn create_one(
    set: &GameServerSet,
    ordinal: u32,
    revision: &str,
    servers: &[Arc<GameServer>],
    context: &Context,
) -> (u32, Made) {
    let name = names::server_name(&set.name_any(), ordinal);
    let made = match try_create(set, ordinal, &name, revision, servers, context).await {
        Ok(made) => made,
        Err(error) => {
            let (namespace, gone) = (set.namespace().unwrap_or_default(), error.is_namespace_gone());
            if gone {
                tracing::debug!(%namespace, pod = %name, "not made: the namespace is being deleted");
            } else {
                context.metrics.create_errors.inc();
                tracing::warn!(%namespace, pod = %name, %error, "pod not made; trying again");
            }
            Made::Tried(Tried::Failed {
                failure: (!gone).then(|| Failure::of_answer(error.code(), &error.reason())),
                passing: error.is_passing(),
            })
        }
    };
    (ordinal, made)
}

async fn try_create(
    set: &GameServerSet,
    ordinal: u32,
    name: &str,
    revision: &str,
    servers: &[Arc<GameServer>],
    context: &Context,
) -> Result<Made, WriteError> {
    let namespace = set.namespace().unwrap_or_default();
    let writer = &context.writer;
    for claim in volume_claims(set, ordinal) {
        let found = writer.ensure_claim(&claim).await?;
        if found.is_some_and(|claim| claim_is_going(&claim, set, name)) {
            tracing::debug!(%namespace, pod = %name, "waiting until the earlier volume claim is gone");
            return Ok(Made::ClaimGoes);
        }
    }
    // One that its last pod owned goes with that pod, and its containers are not the next one's.
    let overrides = servers.iter().find(|s| {
        let outlives = s.owner_references().iter().any(|owner| Some(&owner.uid) == set.metadata.uid.as_ref());
        outlives && s.metadata.name.as_deref() == Some(name)
    });
    let overrides = overrides.map(|s| s.spec.containers.as_slice()).unwrap_or_default();
    match writer.create_pod(&new_pod(set, ordinal, revision, overrides)).await {
        Ok(()) => {
            context.metrics.pods_created.inc();
            tracing::info!(%namespace, pod = %name, "pod created");
        }
        // Ours, and the store is behind; or somebody else's, which has none of our labels.
        Err(error) if error.is_conflict() => match writer.get_pod(&namespace, name).await? {
            Some(pod) if !is_owned(&pod, set) && !names_us(&pod, set) => {
                let owner = pod.owner_references().iter().find(|o| o.controller == Some(true));
                let owner = owner.map_or("nobody".to_owned(), |o| format!("{} {}", o.kind, o.name));
                return Ok(Made::Tried(Tried::Failed {
                    failure: Some(Failure::NameTaken(owner)),
                    passing: false,
                }));
            }
            Some(pod) if !names_us(&pod, set) => {
                // Somebody took the label off or changed it, and with it the pod out of our sight.
                let labels = json!({names::OWNER_GSS: set.metadata.name});
                let patch = json!({"metadata": {"uid": pod.metadata.uid, "labels": labels}});
                writer.patch_pod(&namespace, name, &patch).await?;
            }
            // With our label the store shows it in a moment, whosever it is.
            Some(_) => {}
            // It has gone meanwhile, or it was a quota that two have counted on at once, which is a conflict too.
            None => return Err(error),
        },
        Err(error) => return Err(error),
    }
    Ok(Made::Tried(Tried::Made))
}

/// Whether the pod carries the set's owner label.
fn names_us(pod: &Pod, set: &GameServerSet) -> bool {
    pod.labels().get(names::OWNER_GSS) == set.metadata.name.as_ref()
}

fn is_owned(pod: &Pod, set: &GameServerSet) -> bool {
    owner_set(pod).is_some_and(|owner| Some(&owner.uid) == set.metadata.uid.as_ref())
}
