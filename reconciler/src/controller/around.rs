//! What a server stands on: its node, its claims and their volumes, from the stores.

use std::sync::Arc;

use gamewarden_api::server::conditions::{Around, Claim, Found, claim_names};
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::{ResourceExt, runtime::reflector::ObjectRef};

use super::Context;
use crate::write::WriteError;

/// Looks at everything that the pod names. What a store does not have is asked for: a watch may be behind,
/// and "it is not there" is an alert to somebody.
pub(super) async fn look(pod: &Pod, context: &Context) -> Around {
    let spec = pod.spec.as_ref();
    let node = match spec.and_then(|spec| spec.node_name.as_deref()) {
        Some(name) => Some(node(name, context).await),
        None => None,
    };
    let namespace = pod.namespace().unwrap_or_default();
    let mut claims = Vec::new();
    for name in claim_names(pod) {
        let claim = claim(&namespace, name, context).await;
        let volume = match volume_name(&claim) {
            Some(name) => Some(volume(name, context).await),
            None => None,
        };
        claims.push(Claim { name: name.to_owned(), claim, volume });
    }
    Around { node, claims }
}

fn volume_name(claim: &Found<Arc<PersistentVolumeClaim>>) -> Option<&str> {
    let Found::Here(claim) = claim else { return None };
    claim.spec.as_ref()?.volume_name.as_deref().filter(|name| !name.is_empty())
}

async fn node(name: &str, context: &Context) -> Found<Arc<Node>> {
    match context.stores.nodes.get(&ObjectRef::new(name)) {
        Some(node) => Found::Here(node),
        None => asked(context.writer.get_node(name).await, context),
    }
}

async fn claim(namespace: &str, name: &str, context: &Context) -> Found<Arc<PersistentVolumeClaim>> {
    match context.stores.claims.get(&ObjectRef::new(name).within(namespace)) {
        Some(claim) => Found::Here(claim),
        None => asked(context.writer.get_claim(namespace, name).await, context),
    }
}

async fn volume(name: &str, context: &Context) -> Found<Arc<PersistentVolume>> {
    match context.stores.volumes.get(&ObjectRef::new(name)) {
        Some(volume) => Found::Here(volume),
        None => asked(context.writer.get_volume(name).await, context),
    }
}

/// A question that got no answer leaves the condition as it is; it stops nothing else.
fn asked<T>(answer: Result<Option<T>, WriteError>, context: &Context) -> Found<Arc<T>> {
    match answer {
        Ok(Some(object)) => Found::Here(Arc::new(object)),
        Ok(None) => Found::Missing,
        Err(error) => {
            context.metrics.watch_errors.inc();
            tracing::warn!(%error, "cannot be looked for; the condition stays as it is");
            Found::Unknown
        }
    }
}
