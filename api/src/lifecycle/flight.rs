//! What is remembered on a pod while its containers are exchanged.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::hook::State;
use crate::names;

/// The annotation [`names::IN_PLACE_UPDATE`]. It is there from when a pod turns Updating until it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Flight {
    /// The revision that the pod is to have in the end.
    pub(crate) revision: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Timestamp>,
    /// When images were last changed; `None`: not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exchanged_at: Option<Timestamp>,
    /// The containers whose image was changed, as they were before.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) containers: BTreeMap<String, Before>,
    /// The pod was PreparingNormal when it began, and is to be so again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) preparing_normal: bool,
}

/// A container before its image was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Before {
    /// The image that the pod asked for.
    pub(super) image: String,
    /// The image that it ran, as the runtime calls it; empty where it had not started.
    #[serde(rename = "imageID", skip_serializing_if = "String::is_empty")]
    pub(super) image_id: String,
    /// That run of the container; empty where it had not started.
    #[serde(rename = "containerID", skip_serializing_if = "String::is_empty")]
    pub(super) container_id: String,
    /// The image was changed again before the kubelet had brought the first change about: what starts next may be
    /// any of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) again: bool,
}

impl Flight {
    /// That of the pod. One that cannot be read, or is missing although the pod is Updating, counts as just begun:
    /// what is still to be changed is seen from the pod anyhow.
    pub(crate) fn of(pod: &ObjectMeta) -> Option<Self> {
        let text = pod.annotations.as_ref().and_then(|a| a.get(names::IN_PLACE_UPDATE));
        match text {
            Some(text) => Some(serde_json::from_str(text).unwrap_or_default()),
            None => (State::of(pod) == State::Updating).then(Self::default),
        }
    }

    pub(super) fn text(&self) -> String {
        json!(self).to_string()
    }

    /// Notes that images of these containers of the pod are changed now; given with what the pod asked for so far.
    pub(super) fn exchange<'a>(
        &mut self,
        pod: &Pod,
        containers: impl Iterator<Item = (&'a str, &'a str)>,
        now: Timestamp,
    ) {
        for (name, image) in containers {
            let status = status_of(pod, name);
            let image_id = status.map(|s| s.image_id.clone()).unwrap_or_default();
            let container_id = status.and_then(|s| s.container_id.clone()).unwrap_or_default();
            let first = self.containers.get(name);
            let image = match first {
                // The run that we know has gone, but what runs is the same image: it was restarted for another
                // reason, and the kubelet has not got to our first change.
                Some(first) if !image_id.is_empty() && first.image_id == image_id => first.image.clone(),
                // Nothing has happened to it yet.
                Some(first) if first.container_id == container_id => first.image.clone(),
                _ => image.to_owned(),
            };
            let before = Before { image, image_id, container_id, again: first.is_some() };
            self.containers.insert(name.to_owned(), before);
            self.exchanged_at = Some(now);
        }
        self.exchanged_at.get_or_insert(now);
    }
}

pub(super) fn status_of<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let sidecars = status.init_container_statuses.iter().flatten();
    status.container_statuses.iter().flatten().chain(sidecars).find(|s| s.name == container)
}
