//! What of the template a pod has, and whether it can get another template in place.
//!
//! No old template is kept. A pod remembers in an annotation what it takes to tell: a hash of all that cannot
//! change in place, the images, and a hash of each label and annotation. What admission has made of the pod does
//! not matter: templates are compared with templates.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::hook::label;
use crate::{
    names,
    set::{canonical, digest, revision},
    types::{GameServerContainer, GameServerSet, GameServerTemplate},
};

/// The annotation [`names::TEMPLATE`]: what of a template is on a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Hash of the template without its images, labels and annotations.
    spec: String,
    /// Images of the containers that can be exchanged, by container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) images: BTreeMap<String, String>,
    /// Hashes of the values of the labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// Hashes of the values of the annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Record {
    /// What a pod has that is made from this template.
    #[must_use]
    pub fn of_template(template: &GameServerTemplate) -> Self {
        let mut spec = template.spec.clone();
        let mut images = BTreeMap::new();
        take_images(&mut spec, "containers", |_| true, &mut images);
        // Other init containers have done their work: a new image of theirs asks for a new pod.
        take_images(&mut spec, "initContainers", |c| c["restartPolicy"] == "Always", &mut images);
        let rest = template.metadata.as_ref().map(|m| m.rest.clone()).unwrap_or_default();
        let hashes = |map: BTreeMap<String, String>| map.into_iter().map(|(k, v)| (k, digest(&v))).collect();
        Self {
            spec: digest(&canonical(&json!({"metadata": rest, "spec": spec}))),
            images,
            labels: hashes(template.labels()),
            annotations: hashes(template.annotations()),
        }
    }

    /// What the pod says; `None` where it says nothing that can be read.
    pub(crate) fn of_pod(pod: &ObjectMeta) -> Option<Self> {
        serde_json::from_str(pod.annotations.as_ref()?.get(names::TEMPLATE)?).ok()
    }

    /// What can be said of a pod that says nothing itself: the images that it runs. No template fits it.
    pub(super) fn of_images(images: BTreeMap<String, String>) -> Self {
        Self { images, ..Self::default() }
    }

    /// The annotation's value.
    #[must_use]
    pub fn text(&self) -> String {
        json!(self).to_string()
    }
}

/// Takes the images of containers out of a pod spec.
fn take_images(
    spec: &mut Map<String, Value>,
    list: &str,
    which: fn(&Value) -> bool,
    images: &mut BTreeMap<String, String>,
) {
    for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
        let (true, Some(name)) = (which(container), container["name"].as_str().map(str::to_owned)) else {
            continue;
        };
        if let Some(Value::String(image)) = container.as_object_mut().and_then(|c| c.remove("image")) {
            images.insert(name, image);
        }
    }
}

/// The template of a set, ready to be compared with pods.
#[derive(Clone, Debug)]
pub struct Template {
    pub(super) record: Record,
    /// Its [`revision`].
    pub(crate) revision: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Template {
    /// That of the set.
    #[must_use]
    pub fn of(set: &GameServerSet) -> Self {
        let template = &set.spec.game_server_template;
        Self {
            record: Record::of_template(template),
            revision: revision(set),
            labels: template.labels(),
            annotations: template.annotations(),
        }
    }

    /// Whether the pod has this template: its revision says so, or its record, for the label is anybody's to change.
    #[must_use]
    pub fn is_on(&self, pod: &ObjectMeta) -> bool {
        label(pod, names::REVISION_HASH) == Some(&self.revision)
            || Record::of_pod(pod).as_ref() == Some(&self.record)
    }

    /// What of a template the pod has. One that says nothing, but is of this revision, has this template.
    pub(super) fn record_of(&self, pod: &ObjectMeta) -> Option<Record> {
        let same = label(pod, names::REVISION_HASH) == Some(&self.revision);
        Record::of_pod(pod).or_else(|| same.then(|| self.record.clone()))
    }

    /// Whether the pod can get this template in place; an error says why not.
    pub(crate) fn fits(&self, pod: &ObjectMeta) -> Result<(), &'static str> {
        match self.record_of(pod) {
            None => Err("was made before updates in place were known"),
            Some(record) if record.spec != self.record.spec => {
                Err("differs from the template in more than images, labels and annotations")
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether all containers of the pod keep their image under this template, so that nothing restarts.
    pub(crate) fn keeps_images(&self, pod: &ObjectMeta) -> bool {
        self.record_of(pod).is_some_and(|record| record.images == self.record.images)
    }

    /// Labels and annotations that bring the pod from `record` to this template: what the template has changed
    /// or added, and null for what it no longer has. What somebody else has changed since is left as it is, and
    /// so is what a controller of ours writes.
    pub(super) fn metadata(
        &self,
        pod: &ObjectMeta,
        record: &Record,
    ) -> (Map<String, Value>, Map<String, Value>) {
        let changes = |new: &BTreeMap<String, String>,
                       old: &BTreeMap<String, String>,
                       on: Option<&BTreeMap<String, String>>| {
            let set = new.iter().filter(|(key, value)| old.get(*key) != Some(&digest(value)));
            let set = set.map(|(key, value)| (key.clone(), json!(value)));
            let gone = old.iter().filter(|(key, hash)| {
                let value = on.and_then(|map| map.get(*key));
                !new.contains_key(*key) && value.is_some_and(|value| digest(value) == **hash)
            });
            let gone = gone.map(|(key, _)| (key.clone(), Value::Null));
            set.chain(gone).filter(|(key, _)| !is_ours(key)).collect()
        };
        (
            changes(&self.labels, &record.labels, pod.labels.as_ref()),
            changes(&self.annotations, &record.annotations, pod.annotations.as_ref()),
        )
    }
}

/// Keys that we write on pods ourselves. `gs-sync/` ones come by way of the GameServer.
fn is_ours(key: &str) -> bool {
    const OURS: [&str; 14] = [
        names::OWNER_GSS,
        names::GS_STATE,
        names::GS_OPS_STATE,
        names::GS_UPDATE_PRIORITY,
        names::GS_DELETE_PRIORITY,
        names::NETWORK_DISABLED,
        names::OPS_STATE_LAST_CHANGED,
        names::STATE_LAST_CHANGED,
        names::UPDATING_CONTAINERS,
        names::LIFECYCLE_STATE,
        names::LIFECYCLE_TIMESTAMP,
        names::POD_NAME,
        names::POD_INDEX,
        names::REVISION_HASH,
    ];
    OURS.contains(&key) || key.starts_with(names::OURS) || key.starts_with(names::GS_SYNC)
}

/// Images that a GameServer gives containers of its own, by container.
#[must_use]
pub(crate) fn own_images(containers: &[GameServerContainer]) -> BTreeMap<String, String> {
    let images = containers.iter().filter_map(|c| Some((c.name.clone(), c.image.clone()?)));
    images.filter(|(_, image)| !image.is_empty()).collect()
}

/// The containers of a pod whose image can be exchanged: `(is a sidecar, container)`.
pub(super) fn exchangeable(pod: &Pod) -> impl Iterator<Item = (bool, &Container)> {
    let spec = pod.spec.iter();
    let sidecars = spec.clone().flat_map(|s| s.init_containers.iter().flatten());
    let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
    spec.flat_map(|s| &s.containers).map(|c| (false, c)).chain(sidecars.map(|c| (true, c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(change: Value) -> GameServerTemplate {
        let mut template = json!({
            "metadata": {"labels": {"app": "x"}, "annotations": {"note": "1"}},
            "spec": {
                "containers": [{"name": "main", "image": "main:1"}, {"name": "log", "image": "log:1"}],
                "initContainers": [
                    {"name": "setup", "image": "setup:1"},
                    {"name": "mesh", "image": "mesh:1", "restartPolicy": "Always"},
                ],
            },
        });
        json_patch::merge(&mut template, &change);
        serde_json::from_value(template).unwrap()
    }

    #[test]
    fn images_labels_and_annotations_can_change_in_place_and_the_rest_cannot() {
        let before = Record::of_template(&template(json!({})));
        assert_eq!(before.images.keys().collect::<Vec<_>>(), ["log", "main", "mesh"]);
        let init = |setup: &str, mesh: &str| {
            json!({"spec": {"initContainers": [
                {"name": "setup", "image": setup}, {"name": "mesh", "image": mesh, "restartPolicy": "Always"},
            ]}})
        };
        let containers =
            |main: Value| json!({"spec": {"containers": [main, {"name": "log", "image": "log:1"}]}});
        for (change, same) in [
            (containers(json!({"name": "main", "image": "main:2"})), true),
            (json!({"metadata": {"labels": {"new": "y"}, "annotations": {"note": null}}}), true),
            (init("setup:1", "mesh:2"), true),
            (init("setup:2", "mesh:1"), false),
            (containers(json!({"name": "main", "image": "main:1", "env": [{"name": "A"}]})), false),
            (json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}), false),
            (json!({"spec": {"containers": [{"name": "main", "image": "main:1"}]}}), false),
            (json!({"metadata": {"finalizers": ["a/b"]}}), false),
        ] {
            let after = Record::of_template(&template(change.clone()));
            assert_eq!(after.spec == before.spec, same, "{change}");
        }
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let record = Record::of_template(&template(json!({})));
        let pod = |text: &str| ObjectMeta {
            annotations: Some([(names::TEMPLATE.to_owned(), text.to_owned())].into()),
            ..ObjectMeta::default()
        };
        assert_eq!(Record::of_pod(&pod(&record.text())), Some(record));
        assert_eq!(Record::of_pod(&pod("{")), None);
        assert_eq!(Record::of_pod(&ObjectMeta::default()), None);
    }

    #[test]
    fn metadata_follows_the_template_and_leaves_what_is_not_the_templates() {
        let before = template(
            json!({"metadata": {"labels": {"mine": "1", "gone": "1"}, "annotations": {"note": "1"}}}),
        );
        let after = template(json!({"metadata": {
            "labels": {"app": "y", names::OWNER_GSS: "forged", "gs-sync/a": "b"}, "annotations": {"note": "2"},
        }}));
        let pod: ObjectMeta = serde_json::from_value(json!({
            "labels": {"app": "x", "mine": "changed", "gone": "1", "other": "1"}, "annotations": {"note": "1"},
        }))
        .unwrap();
        let set = GameServerSet::new(
            "game",
            crate::types::GameServerSetSpec { game_server_template: after, ..Default::default() },
        );
        let (labels, annotations) = Template::of(&set).metadata(&pod, &Record::of_template(&before));
        assert_eq!(Value::Object(labels), json!({"app": "y", "gone": null}));
        assert_eq!(Value::Object(annotations), json!({"note": "2"}));
    }
}
