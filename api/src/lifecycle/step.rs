//! The next write on one pod, as far as hooks and updates in place go.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use serde_json::{Map, Value, json};

use super::{
    arrived::{Arrival, arrival, elapsed},
    flight::Flight,
    hook::{State, all_hooked, gate_open, hooked, label, put_back},
    template::{Record, Template, exchangeable, own_images},
};
use crate::{
    names,
    server::condition,
    time::{seconds, truncated},
    types::{GameServerContainer, Lifecycle, LifecycleHook},
};

/// What the set's update means for one pod now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// The pod keeps the template it has. An update that a hook still holds is called off.
    Stay,
    /// The pod is to get the new template, but not now: what a hook holds goes on waiting.
    Wait,
    /// The pod gets the new template now. It must [fit](Template::fits).
    Go,
}

/// What the step is decided on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The pod. Of one that terminates nothing is changed any more.
    pub pod: &'a Pod,
    /// The containers of its GameServer; `None` where it is not known, which changes nothing.
    pub own: Option<&'a [GameServerContainer]>,
    /// The set's template.
    pub template: &'a Template,
    /// Whether the pod is to get it now.
    pub rollout: Rollout,
    /// The set's hooks.
    pub lifecycle: Option<&'a Lifecycle>,
    /// How long the pod is out of service before its images change.
    pub grace: Duration,
    /// The time.
    pub now: Timestamp,
}

/// A write on a pod. It carries uid and resourceVersion: on a pod that has changed since it fails.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Strategic merge patch of the pod.
    Pod(Value),
    /// Strategic merge patch of its status.
    Status(Value),
}

/// What to do about the pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// The write; after it the pod is to be looked at again.
    pub write: Option<Write>,
    /// When to look again although nothing has changed.
    pub again: Option<Duration>,
}

impl From<Write> for Step {
    fn from(write: Write) -> Self {
        Self { write: Some(write), again: None }
    }
}

/// Decides the next write on the pod; none where all is as it should be, or somebody else has to act first.
#[must_use]
pub fn step(input: &Input<'_>) -> Step {
    let pod = &input.pod.metadata;
    let state = State::of(pod);
    if pod.deletion_timestamp.is_some() {
        return Step::default();
    }
    if state == State::PreparingDelete {
        return gate(input);
    }
    let change = Change::of(input);
    if let Some(flight) = Flight::of(pod) {
        return fly(input, &change, flight);
    }
    let hook = input.lifecycle.and_then(|l| l.in_place_update.as_ref());
    if change.is_empty() {
        return settle(input, state);
    }
    if change.images.is_empty() {
        // Nothing restarts: nobody needs to be asked, and the pod stays in service.
        return Write::Pod(change.patch(input, None)).into();
    }
    match state {
        State::PreparingUpdate if hooked(hook, pod) => gate(input),
        // The hook has let go once, for the update that has just been. It is asked again for this one.
        State::Updated if hook.is_some() => relabel(input, State::PreparingUpdate, Some(&change)).into(),
        State::Normal if hooked(hook, pod) => relabel(input, State::PreparingUpdate, Some(&change)).into(),
        _ => begin(input, state, &change).into(),
    }
}

/// An update in place is under way.
fn fly(input: &Input<'_>, change: &Change<'_>, flight: Flight) -> Step {
    if change.is_empty() {
        let images = |name: &str| {
            exchangeable(input.pod).find(|(_, c)| c.name == name).and_then(|(_, c)| c.image.as_deref())
        };
        return match arrival(&flight, input.pod, images, input.now) {
            Arrival::Done => finish(input, &flight).into(),
            Arrival::Awaited => gate(input),
            Arrival::Unsure(left) => Step { again: Some(left), ..gate(input) },
        };
    }
    let closed = condition(input.pod, names::IN_PLACE_UPDATE_READY).filter(|c| c.status == "False");
    let Some(closed) = closed else { return gate(input) };
    let since = closed.last_transition_time.as_ref().map(|t| t.0);
    let left = since.and_then(|since| input.grace.checked_sub(elapsed(since, input.now)));
    if let Some(left) = left.filter(|left| !left.is_zero()) {
        return Step { write: None, again: Some(left) };
    }
    Write::Pod(change.patch(input, Some(flight))).into()
}

/// Nothing is to be changed: a state that nothing holds any more ends, and the gate follows the state.
fn settle(input: &Input<'_>, state: State) -> Step {
    let pod = &input.pod.metadata;
    let hook = |which: fn(&Lifecycle) -> Option<&LifecycleHook>| input.lifecycle.and_then(which);
    let in_place = hook(|l| l.in_place_update.as_ref());
    let next = match state {
        State::PreparingNormal if all_hooked(hook(|l| l.pre_normal.as_ref()), pod) => State::Normal,
        State::PreparingUpdate if input.rollout == Rollout::Wait => return gate(input),
        // Called off.
        State::PreparingUpdate | State::Updated if all_hooked(in_place, pod) => State::Normal,
        State::PreparingUpdate => State::Updated,
        _ => return gate(input),
    };
    relabel(input, next, None).into()
}

/// The write that makes the readiness gate follow the pod's state, where it does not. Only a gate that is there is
/// turned: a new pod gets it with its first conditions.
fn gate(input: &Input<'_>) -> Step {
    let open = gate_open(input.lifecycle, &input.pod.metadata);
    let wanted = if open { "True" } else { "False" };
    match condition(input.pod, names::IN_PLACE_UPDATE_READY) {
        Some(current) if current.status == wanted => return Step::default(),
        None if open => return Step::default(),
        _ => {}
    }
    let reason = (!open).then(|| match State::of(&input.pod.metadata) {
        State::PreparingNormal | State::PreparingUpdate | State::PreparingDelete => "HeldByHook",
        _ => "StartInPlaceUpdate",
    });
    Write::Status(json!({
        "metadata": preconditions(input),
        "status": {"conditions": [{
            "type": names::IN_PLACE_UPDATE_READY,
            "status": wanted,
            "reason": reason,
            "lastTransitionTime": Time(truncated(input.now)),
        }]},
    }))
    .into()
}

/// Marks the pod as being updated. The gate closes next, and the images change when it is.
fn begin(input: &Input<'_>, state: State, change: &Change<'_>) -> Write {
    let flight = Flight {
        revision: change
            .revision
            .or(label(&input.pod.metadata, names::REVISION_HASH))
            .unwrap_or_default()
            .to_owned(),
        since: Some(truncated(input.now)),
        preparing_normal: state == State::PreparingNormal,
        ..Flight::default()
    };
    let mut annotations = Map::new();
    annotations.insert(names::IN_PLACE_UPDATE.into(), flight.text().into());
    annotations.insert(names::UPDATING_CONTAINERS.into(), change.containers().into());
    state_patch(input, State::Updating, Map::new(), annotations, preconditions(input))
}

/// Ends the update; the gate opens next.
fn finish(input: &Input<'_>, flight: &Flight) -> Write {
    let pod = &input.pod.metadata;
    let hook = input.lifecycle.and_then(|l| l.in_place_update.as_ref());
    let pre_normal = input.lifecycle.and_then(|l| l.pre_normal.as_ref());
    let next = if flight.preparing_normal && !all_hooked(pre_normal, pod) {
        State::PreparingNormal
    } else if all_hooked(hook, pod) {
        State::Normal
    } else {
        State::Updated
    };
    let mut annotations = Map::new();
    annotations.insert(names::IN_PLACE_UPDATE.into(), Value::Null);
    annotations.insert(names::UPDATING_CONTAINERS.into(), Value::Null);
    state_patch(input, next, Map::new(), annotations, preconditions(input))
}

/// Only changes the state. With a change to come, the containers are named, so that a hook can see which they are,
/// and the hook is put on where it has let go before.
fn relabel(input: &Input<'_>, next: State, change: Option<&Change<'_>>) -> Write {
    let (mut labels, mut annotations, mut metadata) = (Map::new(), Map::new(), preconditions(input));
    if let Some(change) = change {
        annotations.insert(names::UPDATING_CONTAINERS.into(), change.containers().into());
        if let Some(hook) = input.lifecycle.and_then(|l| l.in_place_update.as_ref()) {
            put_back(hook, &mut labels, &mut metadata);
        }
    } else if input
        .pod
        .metadata
        .annotations
        .as_ref()
        .is_some_and(|a| a.contains_key(names::UPDATING_CONTAINERS))
    {
        annotations.insert(names::UPDATING_CONTAINERS.into(), Value::Null);
    }
    state_patch(input, next, labels, annotations, metadata)
}

fn state_patch(
    input: &Input<'_>,
    next: State,
    mut labels: Map<String, Value>,
    mut annotations: Map<String, Value>,
    mut metadata: Map<String, Value>,
) -> Write {
    labels.insert(names::LIFECYCLE_STATE.into(), next.as_str().into());
    annotations.insert(names::LIFECYCLE_TIMESTAMP.into(), seconds(input.now).into());
    metadata.insert("labels".into(), labels.into());
    metadata.insert("annotations".into(), annotations.into());
    Write::Pod(json!({"metadata": metadata}))
}

fn preconditions(input: &Input<'_>) -> Map<String, Value> {
    let pod = &input.pod.metadata;
    [("uid", &pod.uid), ("resourceVersion", &pod.resource_version)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect()
}

/// What is to be changed on the pod.
#[derive(Debug, Default)]
struct Change<'a> {
    /// `(is a sidecar, container, image that the pod asks for now, image that it is to ask for)`.
    images: Vec<(bool, &'a str, &'a str, String)>,
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    revision: Option<&'a str>,
}

impl<'a> Change<'a> {
    /// Images are compared as they were asked for, not as they are in the pod: admission may have put a mirror of
    /// the registry there, and would do so again.
    fn of(input: &Input<'a>) -> Self {
        let pod = &input.pod.metadata;
        let known = input.template.record_of(pod);
        // A pod that says nothing of its template runs what it runs.
        let record = known.clone().unwrap_or_else(|| Record::of_images(running_images(input.pod)));
        let had_own = own_of(pod);
        let own = input.own.map_or_else(|| had_own.clone(), |own| own_of_pod(input.pod, own));

        let mut change = Self::default();
        let mut images = &record.images;
        if input.rollout == Rollout::Go {
            images = &input.template.record.images;
            (change.labels, change.annotations) = input.template.metadata(pod, &record);
            if known.as_ref() != Some(&input.template.record) {
                change.annotations.insert(names::TEMPLATE.into(), input.template.record.text().into());
            }
            if label(pod, names::REVISION_HASH) != Some(&input.template.revision) {
                change.revision = Some(&input.template.revision);
            }
        }
        if own != had_own {
            let own = if own.is_empty() { Value::Null } else { json!(own).to_string().into() };
            change.annotations.insert(names::OWN_IMAGES.into(), own);
        }
        for (sidecar, container) in exchangeable(input.pod) {
            let name = container.name.as_str();
            let had = had_own.get(name).or_else(|| record.images.get(name));
            let Some(wanted) = own.get(name).or_else(|| images.get(name)) else { continue };
            if had != Some(wanted) {
                let present = container.image.as_deref().unwrap_or_default();
                change.images.push((sidecar, name, present, wanted.clone()));
            }
        }
        change
    }

    fn is_empty(&self) -> bool {
        self.images.is_empty()
            && self.labels.is_empty()
            && self.annotations.is_empty()
            && self.revision.is_none()
    }

    /// Names of the containers that restart.
    fn containers(&self) -> String {
        let names: Vec<&str> = self.images.iter().map(|(_, name, ..)| *name).collect();
        names.join(",")
    }

    /// The patch that makes the change, with what is to be remembered of it.
    fn patch(&self, input: &Input<'_>, flight: Option<Flight>) -> Value {
        let (mut labels, mut annotations) = (self.labels.clone(), self.annotations.clone());
        if let Some(revision) = self.revision {
            labels.insert(names::REVISION_HASH.into(), revision.into());
        }
        if let Some(mut flight) = flight {
            if let Some(revision) = self.revision {
                revision.clone_into(&mut flight.revision);
            }
            let containers = self.images.iter().map(|(_, name, present, _)| (*name, *present));
            flight.exchange(input.pod, containers, truncated(input.now));
            let names: Vec<&str> = flight.containers.keys().map(String::as_str).collect();
            annotations.insert(names::UPDATING_CONTAINERS.into(), names.join(",").into());
            annotations.insert(names::IN_PLACE_UPDATE.into(), flight.text().into());
        }
        let mut metadata = preconditions(input);
        for (field, map) in [("labels", labels), ("annotations", annotations)] {
            if !map.is_empty() {
                metadata.insert(field.into(), map.into());
            }
        }
        let mut patch = json!({"metadata": metadata});
        for (sidecar, name, _, image) in &self.images {
            let list = if *sidecar { "initContainers" } else { "containers" };
            let entry = json!({"name": name, "image": image});
            match patch["spec"][list].as_array_mut() {
                Some(containers) => containers.push(entry),
                None => patch["spec"][list] = json!([entry]),
            }
        }
        patch
    }
}

fn running_images(pod: &Pod) -> BTreeMap<String, String> {
    exchangeable(pod).filter_map(|(_, c)| Some((c.name.clone(), c.image.clone()?))).collect()
}

/// The images of its own that the pod has been given.
fn own_of(pod: &ObjectMeta) -> BTreeMap<String, String> {
    let text = pod.annotations.as_ref().and_then(|a| a.get(names::OWN_IMAGES));
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The images of its own that the pod is to have: a GameServer may name containers that it has not.
fn own_of_pod(pod: &Pod, own: &[GameServerContainer]) -> BTreeMap<String, String> {
    let mut images = own_images(own);
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let names: Vec<&str> = containers.map(|c| c.name.as_str()).collect();
    images.retain(|name, _| names.contains(&name.as_str()));
    images
}
