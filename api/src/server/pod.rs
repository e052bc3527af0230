//! The pod of a server, and its volume claims.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::owner::owner_reference;
use crate::{
    lifecycle::{Record, initial_state, own_images},
    names,
    removal::is_guarded,
    types::{GameServerContainer, GameServerSet, RetentionPolicy},
};

/// The pod to make for one ordinal of a set.
///
/// It is JSON and not a typed Pod, so that fields of the template that are newer than this build reach the
/// API server. `overrides` are the containers of a GameServer that outlived its last pod.
#[must_use]
pub fn new_pod(
    set: &GameServerSet,
    ordinal: u32,
    revision: &str,
    overrides: &[GameServerContainer],
) -> Value {
    let set_name = set.metadata.name.as_deref().unwrap_or_default();
    let name = names::server_name(set_name, ordinal);
    let template = &set.spec.game_server_template;

    let mut labels = template.labels();
    labels.extend(
        [
            (names::OWNER_GSS, set_name),
            (names::POD_NAME, &name),
            (names::POD_INDEX, &ordinal.to_string()),
            (names::REVISION_HASH, revision),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    // On from the start: a new server has no opsState that would let it go.
    if is_guarded(set, None) {
        labels.insert(names::GUARDED.to_owned(), "true".to_owned());
    }
    let mut metadata = template.metadata.as_ref().map(|m| m.rest.clone()).unwrap_or_default();
    let finalizers = metadata.get("finalizers").and_then(Value::as_array).into_iter().flatten();
    let finalizers: Vec<String> = finalizers.filter_map(|f| f.as_str().map(str::to_owned)).collect();
    let state = initial_state(set.spec.lifecycle.as_ref(), &labels, &finalizers);
    labels.insert(names::LIFECYCLE_STATE.to_owned(), state.to_owned());
    let mut annotations = template.annotations();
    annotations.insert(names::TEMPLATE.to_owned(), Record::of_template(template).text());
    let mut own = own_images(overrides);
    let containers = template.spec.get("containers").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&Value> = containers.map(|c| &c["name"]).collect();
    own.retain(|name, _| names.iter().any(|n| *n == name));
    if !own.is_empty() {
        annotations.insert(names::OWN_IMAGES.to_owned(), json!(own).to_string());
    }
    metadata.remove("generateName");
    metadata.insert("name".into(), json!(name));
    metadata.insert("namespace".into(), json!(set.metadata.namespace));
    metadata.insert("labels".into(), json!(labels));
    metadata.insert("annotations".into(), json!(annotations));
    metadata.insert("ownerReferences".into(), json!([owner_reference(set)]));

    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": pod_spec(set, &name, overrides),
    })
}

fn pod_spec(set: &GameServerSet, name: &str, overrides: &[GameServerContainer]) -> Map<String, Value> {
    let mut spec = set.spec.game_server_template.spec.clone();
    let service = set.spec.service_name.clone().filter(|name| !name.is_empty());
    let service = service.or_else(|| set.metadata.name.clone());
    spec.insert("hostname".into(), json!(name));
    spec.insert("subdomain".into(), json!(service));
    add_readiness_gate(&mut spec);
    add_claims(&mut spec, set, name);
    override_containers(&mut spec, overrides);
    spec
}

/// The gate that an in-place update closes; a template that names it itself keeps one.
fn add_readiness_gate(spec: &mut Map<String, Value>) {
    let gate = json!({"conditionType": names::IN_PLACE_UPDATE_READY});
    let mut gates = take_list(spec, "readinessGates");
    if !gates.contains(&gate) {
        gates.push(gate);
    }
    spec.insert("readinessGates".into(), Value::Array(gates));
}

/// A claim's volume replaces a volume of the template of the same name, as in a StatefulSet.
fn add_claims(spec: &mut Map<String, Value>, set: &GameServerSet, server: &str) {
    let templates = &set.spec.game_server_template.volume_claim_templates;
    let claims: BTreeMap<&str, String> =
        templates.iter().filter_map(|claim| claim_name(claim, server)).collect();
    if claims.is_empty() {
        return;
    }
    let mut volumes = take_list(spec, "volumes");
    volumes.retain(|volume| volume["name"].as_str().is_none_or(|name| !claims.contains_key(name)));
    volumes.extend(
        claims
            .iter()
            .map(|(volume, claim)| json!({"name": volume, "persistentVolumeClaim": {"claimName": claim}})),
    );
    spec.insert("volumes".into(), Value::Array(volumes));
}

/// Images and resources that a GameServer has of its own.
fn override_containers(spec: &mut Map<String, Value>, overrides: &[GameServerContainer]) {
    let containers = spec.get_mut("containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        let Some(own) = overrides.iter().find(|o| container["name"] == *o.name) else {
            continue;
        };
        if let Some(image) = own.image.as_ref().filter(|image| !image.is_empty()) {
            container["image"] = json!(image);
        }
        if let Some(resources) = &own.resources {
            container["resources"] = json!(resources);
        }
    }
}

/// Takes the list out of a field; what is missing or no list is an empty one.
fn take_list(spec: &mut Map<String, Value>, field: &str) -> Vec<Value> {
    match spec.remove(field) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// The claim's name in the template, and that of the server's own claim.
fn claim_name<'a>(claim: &'a Value, server: &str) -> Option<(&'a str, String)> {
    let name = claim.get("metadata")?.get("name")?.as_str()?;
    Some((name, format!("{name}-{server}")))
}

/// The volume claims of one server, to be made before its pod where they are missing.
///
/// By default they have no owner, and outlive server and set (`Retain`), as in a StatefulSet; where
/// `whenDeleted` is Delete they go with the set.
#[must_use]
pub fn volume_claims(set: &GameServerSet, ordinal: u32) -> Vec<Value> {
    let set_name = set.metadata.name.as_deref().unwrap_or_default();
    let server = names::server_name(set_name, ordinal);
    let template = &set.spec.game_server_template;
    let policy = set.spec.persistent_volume_claim_retention_policy.clone().unwrap_or_default();
    let owned = policy.when_deleted == Some(RetentionPolicy::Delete);
    template
        .volume_claim_templates
        .iter()
        .filter_map(|claim| {
            let (_, name) = claim_name(claim, &server)?;
            let mut object = claim.as_object()?.clone();
            object.remove("status");
            object.insert("apiVersion".into(), json!("v1"));
            object.insert("kind".into(), json!("PersistentVolumeClaim"));
            let metadata = object.entry("metadata").or_insert_with(|| json!({})).as_object_mut()?;
            metadata.insert("name".into(), json!(name));
            metadata.insert("namespace".into(), json!(set.metadata.namespace));
            let labels = metadata.entry("labels").or_insert_with(|| json!({})).as_object_mut()?;
            labels.insert(names::OWNER_GSS.into(), json!(set_name));
            if owned {
                metadata.insert("ownerReferences".into(), json!([owner_reference(set)]));
            }
            Some(Value::Object(object))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(spec: Value) -> GameServerSet {
        let mut set: GameServerSet = serde_json::from_value(json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
            "metadata": {"name": "minecraft", "namespace": "games", "uid": "set-uid"},
            "spec": {"replicas": 1, "gameServerTemplate": {"spec": {}}},
        }))
        .unwrap();
        set.spec.game_server_template = serde_json::from_value(spec).unwrap();
        set
    }

    #[test]
    fn a_pod_carries_its_name_owner_labels_and_gate() {
        let set = set(json!({
            "metadata": {"labels": {"app": "x", "game.kruise.io/owner-gss": "forged"}, "finalizers": ["a/b"]},
            "spec": {"containers": [{"name": "minecraft", "image": "i"}], "newField": {"kept": true}},
        }));
        let pod = new_pod(&set, 2, "minecraft-abc", &[]);
        assert_eq!(
            pod["metadata"]["labels"],
            json!({
                "app": "x",
                "apps.kubernetes.io/pod-index": "2",
                "controller-revision-hash": "minecraft-abc",
                "game.kruise.io/owner-gss": "minecraft",
                "lifecycle.apps.kruise.io/state": "Normal",
                "statefulset.kubernetes.io/pod-name": "minecraft-2",
            })
        );
        assert_eq!(pod["metadata"]["finalizers"], json!(["a/b"]));
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "set-uid");
        assert_eq!(pod["spec"]["hostname"], "minecraft-2");
        assert_eq!(pod["spec"]["subdomain"], "minecraft");
        assert_eq!(pod["spec"]["readinessGates"], json!([{"conditionType": "InPlaceUpdateReady"}]));
        assert_eq!(pod["spec"]["newField"]["kept"], true);
    }

    #[test]
    fn a_claim_takes_the_place_of_a_volume_of_its_name() {
        let set = set(json!({
            "spec": {"volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
        }));
        let pod = new_pod(&set, 0, "r", &[]);
        assert_eq!(
            pod["spec"]["volumes"],
            json!([
                {"name": "tmp", "emptyDir": {}},
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-minecraft-0"}},
            ])
        );
        let claims = volume_claims(&set, 0);
        assert_eq!(claims[0]["metadata"]["name"], "data-minecraft-0");
        assert_eq!(claims[0]["metadata"]["namespace"], "games");
    }

    #[test]
    fn a_server_that_outlived_its_pod_keeps_its_own_image() {
        let set = set(
            json!({"spec": {"containers": [{"name": "a", "image": "old"}, {"name": "b", "image": "b"}]}}),
        );
        let own = GameServerContainer { name: "a".into(), image: Some("new".into()), resources: None };
        let pod = new_pod(&set, 0, "r", &[own]);
        assert_eq!(
            pod["spec"]["containers"],
            json!([{"name": "a", "image": "new"}, {"name": "b", "image": "b"}])
        );
    }

    #[test]
    fn a_pod_remembers_what_of_the_template_and_of_its_server_it_has() {
        let mut set = set(json!({"spec": {"containers": [{"name": "a", "image": "old"}]}}));
        set.spec.lifecycle =
            serde_json::from_value(json!({"preNormal": {"labelsHandler": {"go": "yes"}}})).unwrap();
        let own = [("a", "new"), ("b", "other")].map(|(name, image)| GameServerContainer {
            name: name.into(),
            image: Some(image.into()),
            resources: None,
        });
        let metadata = &new_pod(&set, 0, "r", &own)["metadata"];
        let annotations = &metadata["annotations"];
        assert_eq!(annotations[names::OWN_IMAGES], r#"{"a":"new"}"#);
        assert!(annotations[names::TEMPLATE].as_str().unwrap().contains(r#""images":{"a":"old"}"#));
        assert_eq!(metadata["labels"][names::LIFECYCLE_STATE], "PreparingNormal");
    }
}
