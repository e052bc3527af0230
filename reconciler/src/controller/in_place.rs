//! Carries out what hooks and updates in place ask for on pods.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use gamewarden_api::{
    lifecycle::{Write, prepare_delete},
    set::{PodStep, Removal},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::Context;
use crate::write::WriteError;

/// How many pods of a set are written at once.
const CONCURRENCY: usize = 8;

/// Carries the steps out. All are tried; the first failure is returned. `pods` are those that they were planned on.
pub(super) async fn steps(
    namespace: &str,
    steps: &[PodStep],
    pods: &[Arc<Pod>],
    context: &Context,
) -> Result<(), WriteError> {
    let tries = steps.iter().cloned().map(|step| one(namespace, step, pods, context));
    let results: Vec<Result<(), WriteError>> =
        stream::iter(tries).buffer_unordered(CONCURRENCY).collect().await;
    stream::iter(results).try_collect().await
}

async fn one(namespace: &str, step: PodStep, pods: &[Arc<Pod>], context: &Context) -> Result<(), WriteError> {
    let written = match &step.write {
        Write::Pod(patch) => context.writer.patch_pod(namespace, &step.name, patch).await,
        Write::Status(patch) => context.writer.patch_pod_status(namespace, &step.name, patch).await,
    };
    note(written, pods, context)
}

/// Marks a pod whose preDelete hook holds it for deletion; the DELETE follows when the hook has let go.
pub(super) async fn prepare(
    namespace: &str,
    removal: &Removal,
    pods: &[Arc<Pod>],
    context: &Context,
) -> Result<(), WriteError> {
    let reason = removal.reason.as_str();
    let patch = prepare_delete(&removal.uid, &removal.resource_version, reason, Timestamp::now());
    let written = context.writer.patch_pod(namespace, &removal.name, &patch).await;
    if written.is_ok() {
        tracing::info!(namespace, pod = %removal.name, reason, "pod to be deleted when its preDelete hook lets go");
    }
    note(written, pods, context)
}

/// Remembers what came of a write. A pod that has gone needs nothing more.
fn note(written: Result<Pod, WriteError>, pods: &[Arc<Pod>], context: &Context) -> Result<(), WriteError> {
    match written {
        Ok(written) => {
            context.note_pod(pods, written);
            Ok(())
        }
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}
