//! The GameServer of a pod.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use sha2::{Digest, Sha256};

use super::owner::owner_reference;
use crate::{
    names,
    quality::is_reserved,
    types::{GameServer, GameServerSet, GameServerSpec, IntOrString, OpsState, ReclaimPolicy},
};

/// A GameServer, as the plan saw it. Writes and deletions of it carry both as preconditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRef {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
}

impl ServerRef {
    /// What identifies the object that has this metadata.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
        }
    }
}

/// The GameServer to make for a pod of the set: state None, priorities 0, with the template's labels and
/// annotations.
pub(super) fn new_game_server(set: &GameServerSet, pod: &Pod) -> GameServer {
    let template = &set.spec.game_server_template;
    let mut labels = without_ours(template.labels());
    labels.extend(own_labels(set, pod));
    let mut annotations = without_ours(template.annotations());
    annotations.insert(names::TEMPLATE_METADATA_HASH.to_owned(), template_metadata_hash(set));
    GameServer {
        metadata: ObjectMeta {
            name: pod.metadata.name.clone(),
            namespace: pod.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![owner(set, pod)]),
            ..ObjectMeta::default()
        },
        spec: GameServerSpec {
            ops_state: Some(OpsState::None),
            update_priority: Some(IntOrString::Int(0)),
            deletion_priority: Some(IntOrString::Int(0)),
            network_disabled: Some(false),
            containers: Vec::new(),
        },
        status: None,
    }
}

/// Labels or annotations of the template without those that are ours to write: on a GameServer they would contradict
/// its pod, or pass for what we have noted.
pub(super) fn without_ours(mut map: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let of_the_pod = [names::LIFECYCLE_STATE, names::POD_NAME, names::POD_INDEX, names::REVISION_HASH];
    map.retain(|key, _| !is_reserved(key) && !of_the_pod.contains(&key.as_str()));
    map
}

/// Labels that are ours on every GameServer.
pub(super) fn own_labels(set: &GameServerSet, pod: &Pod) -> Vec<(String, String)> {
    let mut labels = vec![(names::OWNER_GSS.to_owned(), set.metadata.name.clone().unwrap_or_default())];
    if let Some(node) = pod.spec.as_ref().and_then(|s| s.node_name.clone()) {
        labels.push((names::NODE_NAME.to_owned(), node));
    }
    labels
}

/// Who takes the GameServer along when it goes: the pod (Cascade) or the set (Delete).
pub(super) fn owner(set: &GameServerSet, pod: &Pod) -> OwnerReference {
    match set.spec.game_server_template.reclaim_policy.unwrap_or_default() {
        ReclaimPolicy::Cascade => owner_reference(pod),
        ReclaimPolicy::Delete => owner_reference(set),
    }
}

/// Hash of the template's labels and annotations: when it differs from the one on a GameServer, they are
/// merged into it again.
pub(super) fn template_metadata_hash(set: &GameServerSet) -> String {
    let template = &set.spec.game_server_template;
    let mut hash = Sha256::new();
    for map in [template.labels(), template.annotations()] {
        for (key, value) in map {
            for text in [key, value] {
                hash.update(text);
                hash.update([0]);
            }
        }
        hash.update([1]);
    }
    hash.finalize().iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}
