//! Who owns what: the set its pods, the pod or the set a GameServer.
//!
//! Ownership is read off owner references and by uid. Labels and names are anybody's to write, and a name
//! outlives its object.

use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::Resource;

use crate::types::{GameServer, GameServerSet};

/// The owner reference that makes `owner` the controller of another object.
pub(crate) fn owner_reference<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    let metadata = owner.meta();
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The reference to the object's controller, whatever that is.
pub(crate) fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// The reference to the GameServerSet that controls the pod; `None` where nothing does, or something else.
///
/// The set of that name may be a later one: compare the uid.
#[must_use]
pub fn owner_set(pod: &Pod) -> Option<&OwnerReference> {
    controller(&pod.metadata).filter(|owner| {
        owner.kind == GameServerSet::kind(&()) && owner.api_version == GameServerSet::api_version(&())
    })
}

/// Whether a GameServer is that of another pod, or of another set, of the same name: its controller is
/// neither this pod nor this set. What it says is not true of this pod, and it goes.
///
/// One without a controller was made by hand and is taken over.
#[must_use]
pub fn is_stale(server: &GameServer, pod_uid: &str, set_uid: &str) -> bool {
    controller(&server.metadata).is_some_and(|owner| owner.uid != pod_uid && owner.uid != set_uid)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reference(kind: &str, uid: &str, controller: bool) -> Value {
        let api_version = if kind == "GameServerSet" { "game.kruise.io/v1alpha1" } else { "v1" };
        json!({"apiVersion": api_version, "kind": kind, "name": "game", "uid": uid, "controller": controller})
    }

    #[test]
    fn a_server_is_stale_when_its_controller_is_neither_this_pod_nor_this_set() {
        for (owners, stale) in [
            (json!([]), false),
            (json!([reference("Pod", "pod", true)]), false),
            (json!([reference("GameServerSet", "set", true)]), false),
            (json!([reference("Pod", "earlier", true)]), true),
            (json!([reference("GameServerSet", "earlier", true)]), true),
            (json!([reference("Job", "job", true)]), true),
            (json!([reference("Job", "job", false)]), false),
            (json!([reference("Job", "job", false), reference("Pod", "earlier", true)]), true),
        ] {
            let mut server = GameServer::new("game-0", Default::default());
            server.metadata.owner_references = serde_json::from_value(owners.clone()).unwrap();
            assert_eq!(is_stale(&server, "pod", "set"), stale, "{owners}");
        }
    }

    #[test]
    fn the_set_of_a_pod_is_the_game_server_set_that_controls_it() {
        let mut foreign = reference("GameServerSet", "set", true);
        foreign["apiVersion"] = json!("apps.kruise.io/v1beta1");
        for (owners, uid) in [
            (json!([]), None),
            (json!([reference("GameServerSet", "set", true)]), Some("set")),
            (json!([reference("Job", "job", false), reference("GameServerSet", "set", true)]), Some("set")),
            (json!([reference("GameServerSet", "set", false)]), None),
            (json!([reference("StatefulSet", "set", true)]), None),
            (json!([foreign]), None),
        ] {
            let pod: Pod = serde_json::from_value(json!({"metadata": {"ownerReferences": owners}})).unwrap();
            assert_eq!(owner_set(&pod).map(|owner| owner.uid.as_str()), uid, "{owners}");
        }
    }

    #[test]
    fn a_set_is_the_owner_of_what_it_makes() {
        let mut set = GameServerSet::new("game", Default::default());
        set.metadata.uid = Some("set".into());
        let mut expected = reference("GameServerSet", "set", true);
        expected["blockOwnerDeletion"] = json!(true);
        assert_eq!(serde_json::to_value(owner_reference(&set)).unwrap(), expected);
    }
}
