//! What to write for one server, from its pod and its GameServer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::{Map, Value, json};

use super::{
    conditions::{Around, conditions},
    controller,
    gameserver::{ServerRef, new_game_server, own_labels, owner, template_metadata_hash, without_ours},
    is_stale, pod_status, quality_conditions,
    state::{condition, current_state},
    transition::{Transitions, priority_text, transitions},
};
use crate::{
    event::Event,
    lifecycle::{Template, gate_open, state_of_unlabelled},
    merge_patch::merge_diff,
    names, quality,
    removal::is_guarded,
    time::truncated,
    types::{
        GameServer, GameServerCondition, GameServerSet, GameServerState, GameServerStatus, IntOrString,
        OpsState, ServiceQualityCondition,
    },
};

/// What is known of one server.
pub struct Snapshot<'a> {
    /// The set it belongs to.
    pub set: &'a GameServerSet,
    /// Its pod.
    pub pod: &'a Pod,
    /// The GameServer of the pod's name, if there is one.
    pub server: Option<&'a GameServer>,
    /// The pod's node, claims and volumes.
    pub around: &'a Around,
    /// What the probe of a quality last printed, as far as the prober remembers.
    pub results: &'a dyn Fn(&str) -> Option<String>,
    /// The prober of its node probes it, and tells its verdicts on the pod's conditions.
    pub on_node: bool,
    /// The time.
    pub now: Timestamp,
}

/// What to write, in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerPlan {
    /// The GameServer of an earlier pod: delete it by this uid and resourceVersion, and look again. One that has
    /// changed since may have become this pod's.
    pub delete_stale: Option<ServerRef>,
    /// Make this GameServer, and look again.
    pub create: Option<GameServer>,
    /// Merge patch of the GameServer's metadata and spec; it carries uid and resourceVersion.
    pub server_patch: Option<Value>,
    /// Events about the GameServer; to be written before the pod's labels and the GameServer's status change.
    pub events: Vec<Event>,
    /// Strategic merge patch of the pod; it carries the uid.
    pub pod_patch: Option<Value>,
    /// Strategic merge patch of the pod's status; it carries the uid.
    pub pod_status_patch: Option<Value>,
    /// Merge patch of the GameServer's status; it carries the uid.
    pub server_status_patch: Option<Value>,
}

impl ServerPlan {
    /// Whether `server_patch` makes the GameServer somebody's. Before that is written, the set is to be read from the
    /// API server itself: what a set that is being deleted let go of must not be tied to it again, for it would go
    /// with it.
    #[must_use]
    pub fn adopts(&self) -> bool {
        self.server_patch.as_ref().is_some_and(|patch| patch["metadata"].get("ownerReferences").is_some())
    }
}

/// Decides what to write for one server; an empty plan where all is as it should be.
#[must_use]
pub fn plan(snapshot: &Snapshot<'_>) -> ServerPlan {
    let Snapshot { set, pod, server, now, .. } = *snapshot;
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let Some(server) = server else {
        // A terminating pod takes its server along: making a new one would outlive nothing.
        return ServerPlan {
            // Neither does one that is made a set's which is going.
            create: (!terminating && !is_going(set)).then(|| new_game_server(set, pod)),
            pod_status_patch: pod_status_patch(snapshot, None),
            ..ServerPlan::default()
        };
    };
    let pod_uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let set_uid = set.metadata.uid.as_deref().unwrap_or_default();
    if is_stale(server, pod_uid, set_uid) {
        let stale = Some(ServerRef::of(&server.metadata));
        return ServerPlan { delete_stale: stale, ..ServerPlan::default() };
    }
    if server.metadata.deletion_timestamp.is_some() {
        return ServerPlan::default();
    }
    let state = current_state(pod);
    let none = BTreeMap::new();
    let labels = pod.metadata.labels.as_ref().unwrap_or(&none);
    let annotations = pod.metadata.annotations.as_ref().unwrap_or(&none);
    let mut changed = transitions(server, state, labels, annotations, now);
    let old = server.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let seen = conditions(pod, snapshot.around, old, now);
    changed.events.extend(seen.events);
    let pod_status_patch = if terminating { None } else { pod_status_patch(snapshot, Some(server)) };
    ServerPlan {
        delete_stale: None,
        create: None,
        server_patch: server_patch(set, pod, server),
        pod_patch: pod_patch(set, pod, server, &changed),
        events: changed.events,
        server_status_patch: server_status_patch(
            snapshot,
            server,
            state,
            seen.list,
            pod_status_patch.as_ref(),
        ),
        pod_status_patch,
    }
}

/// Brings owner, labels, template metadata and empty fields of the GameServer in line, and carries out what a prober has
/// left to do.
fn server_patch(set: &GameServerSet, pod: &Pod, server: &GameServer) -> Option<Value> {
    let mut labels: BTreeMap<String, String> = own_labels(set, pod).into_iter().collect();
    let mut annotations = BTreeMap::new();
    let hash = template_metadata_hash(set);
    let merged_hash = annotation(server, names::TEMPLATE_METADATA_HASH);
    if merged_hash != Some(&hash) {
        let template = &set.spec.game_server_template;
        let own = std::mem::take(&mut labels);
        labels = without_ours(template.labels());
        labels.extend(own);
        annotations = without_ours(template.annotations());
        annotations.insert(names::TEMPLATE_METADATA_HASH.to_owned(), hash);
    }
    let has = |key: &str| server.metadata.labels.as_ref().and_then(|labels| labels.get(key));
    labels.retain(|key, value| has(key) != Some(value));
    let mut labels = json!(labels);
    // It outlived a pod whose successor is on no node yet.
    let on_a_node = pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    if !on_a_node && has(names::NODE_NAME).is_some() {
        labels[names::NODE_NAME] = Value::Null;
    }
    annotations.retain(|key, value| annotation(server, key) != Some(value));

    let mut metadata = Map::new();
    if labels != json!({}) {
        metadata.insert("labels".into(), labels);
    }
    // One that a pod or a set lets go of as it ends (--cascade=orphan) is the next one's.
    let ends = pod.metadata.deletion_timestamp.is_some() || is_going(set);
    let orphaned = ends && controller(&server.metadata).is_none();
    let ours = owner(set, pod);
    let others = server.metadata.owner_references.iter().flatten();
    let others = others.filter(|other| other.controller != Some(true) && other.uid != ours.uid).cloned();
    let owners: Vec<_> = std::iter::once(ours.clone()).chain(others).collect();
    let current: Vec<_> = server.metadata.owner_references.clone().unwrap_or_default();
    let same = current.len() == owners.len() && owners.iter().all(|owner| current.contains(owner));
    if !same && !orphaned {
        metadata.insert("ownerReferences".into(), json!(owners));
    }
    let mut spec = missing_fields(server);
    let pod_uid = pod.metadata.uid.as_deref().unwrap_or_default();
    if let Some((containers, record)) = quality::settled(&set.spec.service_qualities, server, pod_uid) {
        spec.insert("containers".to_owned(), json!(containers));
        annotations.insert(names::VERDICTS.to_owned(), record);
    }
    if !annotations.is_empty() {
        metadata.insert("annotations".into(), json!(annotations));
    }
    if metadata.is_empty() && spec.is_empty() {
        return None;
    }
    metadata.insert("uid".into(), json!(server.metadata.uid));
    metadata.insert("resourceVersion".into(), json!(server.metadata.resource_version));
    let mut patch = json!({"metadata": metadata});
    if !spec.is_empty() {
        patch["spec"] = Value::Object(spec);
    }
    Some(patch)
}

fn is_going(set: &GameServerSet) -> bool {
    set.metadata.deletion_timestamp.is_some()
}

fn annotation<'a>(server: &'a GameServer, key: &str) -> Option<&'a String> {
    server.metadata.annotations.as_ref()?.get(key)
}

/// A GameServer that somebody made by hand gets what a new one has, where it says nothing.
fn missing_fields(server: &GameServer) -> Map<String, Value> {
    let spec = &server.spec;
    [
        ("opsState", spec.ops_state.is_none(), json!(OpsState::None)),
        ("updatePriority", spec.update_priority.is_none(), json!(0)),
        ("deletionPriority", spec.deletion_priority.is_none(), json!(0)),
        ("networkDisabled", spec.network_disabled.is_none(), json!(false)),
    ]
    .into_iter()
    .filter(|(_, missing, _)| *missing)
    .map(|(field, _, value)| (field.to_owned(), value))
    .collect()
}

/// Labels and `gs-sync/` keys that the GameServer gives its pod.
fn pod_patch(set: &GameServerSet, pod: &Pod, server: &GameServer, changed: &Transitions) -> Option<Value> {
    let mut set_labels = changed.labels.clone();
    set_labels.extend(missing_labels(set, pod));
    set_labels.extend(synced(server.metadata.labels.as_ref(), pod.metadata.labels.as_ref()));
    let mut labels: Map<String, Value> =
        set_labels.into_iter().map(|(key, value)| (key, json!(value))).collect();
    labels.extend(changed.gone.iter().map(|key| ((*key).to_owned(), Value::Null)));
    labels.extend(guarded(set, pod, server));
    let mut annotations = changed.annotations.clone();
    annotations.extend(synced(server.metadata.annotations.as_ref(), pod.metadata.annotations.as_ref()));
    if labels.is_empty() && annotations.is_empty() {
        return None;
    }
    let mut metadata = Map::from_iter([("uid".to_owned(), json!(pod.metadata.uid))]);
    if !labels.is_empty() {
        metadata.insert("labels".into(), labels.into());
    }
    if !annotations.is_empty() {
        metadata.insert("annotations".into(), json!(annotations));
    }
    Some(json!({"metadata": metadata}))
}

/// The label that keeps the pod from being evicted, where it is to change.
fn guarded(set: &GameServerSet, pod: &Pod, server: &GameServer) -> Option<(String, Value)> {
    let is = pod.metadata.labels.as_ref().and_then(|labels| labels.get(names::GUARDED));
    let wanted = is_guarded(set, Some(server));
    let change = match (is.map(String::as_str), wanted) {
        (Some("true"), true) | (None, false) => return None,
        (_, true) => json!("true"),
        (Some(_), false) => Value::Null,
    };
    Some((names::GUARDED.to_owned(), change))
}

/// Labels that every pod of a set is made with, where somebody took them off: Services select by them.
fn missing_labels(set: &GameServerSet, pod: &Pod) -> Vec<(String, String)> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let ordinal = names::ordinal_of(set.metadata.name.as_deref().unwrap_or_default(), &name);
    let state = || state_of_unlabelled(set.spec.lifecycle.as_ref(), &pod.metadata).to_owned();
    let wanted: [(&str, &dyn Fn() -> Option<String>); 3] = [
        (names::POD_INDEX, &|| ordinal.map(|ordinal| ordinal.to_string())),
        (names::POD_NAME, &|| Some(name.clone())),
        (names::LIFECYCLE_STATE, &|| Some(state())),
    ];
    let has = |key: &str| pod.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(key));
    let missing = wanted.into_iter().filter(|(key, _)| !has(key));
    let mut labels: Vec<_> = missing.filter_map(|(key, value)| Some((key.to_owned(), value()?))).collect();
    // A pod of another template whose revision somebody changed has lost it for good, and gets the new template.
    let template = Template::of(set);
    let revision = pod.metadata.labels.as_ref().and_then(|labels| labels.get(names::REVISION_HASH));
    if revision != Some(&template.revision) && template.is_on(&pod.metadata) {
        labels.push((names::REVISION_HASH.to_owned(), template.revision));
    }
    labels
}

/// Keys under `gs-sync/` whose value the pod does not have yet.
fn synced(
    server: Option<&BTreeMap<String, String>>,
    pod: Option<&BTreeMap<String, String>>,
) -> impl Iterator<Item = (String, String)> {
    server
        .into_iter()
        .flatten()
        .filter(move |(key, value)| {
            key.starts_with(names::GS_SYNC) && pod.and_then(|map| map.get(*key)) != Some(value)
        })
        .map(|(key, value)| (key.clone(), value.clone()))
}

/// Pod conditions that are ours: the readiness gate, and those of the qualities.
fn pod_status_patch(snapshot: &Snapshot<'_>, server: Option<&GameServer>) -> Option<Value> {
    let pod = snapshot.pod;
    let mut conditions = Vec::new();
    // Set once; from then on it belongs to hooks and updates in place.
    if condition(pod, names::IN_PLACE_UPDATE_READY).is_none() {
        let now = Time(truncated(snapshot.now));
        let status =
            if gate_open(snapshot.set.spec.lifecycle.as_ref(), &pod.metadata) { "True" } else { "False" };
        let type_ = names::IN_PLACE_UPDATE_READY;
        conditions.push(json!({"type": type_, "status": status, "lastTransitionTime": now}));
    }
    if let Some(server) = server {
        let qualities = &snapshot.set.spec.service_qualities;
        if !snapshot.on_node {
            let wanted = quality_conditions::wanted(pod, server, qualities, snapshot.results);
            conditions.extend(quality_conditions::changes(pod, &wanted, snapshot.now));
        }
        conditions.extend(quality_conditions::removals(pod, qualities));
    }
    (!conditions.is_empty()).then(|| quality_conditions::patch(pod, &conditions))
}

/// `status.serviceQualitiesConditions`. Where a prober tells the pod's conditions, those that it has not told yet stay as
/// they are: what it is about to tell has the text, and one write is enough.
fn service_qualities_conditions(
    snapshot: &Snapshot<'_>,
    server: &GameServer,
    old: &[ServiceQualityCondition],
) -> Vec<ServiceQualityCondition> {
    let (pod, qualities) = (snapshot.pod, &snapshot.set.spec.service_qualities);
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let texts = |quality: &str| quality_conditions::texts(pod, quality, snapshot.results);
    let mut conditions = quality::conditions(qualities, server, uid, &texts);
    if snapshot.on_node {
        let wanted = quality_conditions::wanted(pod, server, qualities, snapshot.results);
        let behind = wanted.iter().filter(|wanted| quality_conditions::is_behind(pod, wanted));
        for wanted in behind {
            if let Some(condition) = conditions.iter_mut().find(|c| c.name == wanted.quality) {
                *condition = old.iter().find(|c| c.name == wanted.quality).cloned().unwrap_or_else(|| {
                    ServiceQualityCondition { name: wanted.quality.clone(), ..Default::default() }
                });
            }
        }
    }
    conditions
}

fn server_status_patch(
    snapshot: &Snapshot<'_>,
    server: &GameServer,
    state: GameServerState,
    conditions: Vec<GameServerCondition>,
    pod_status_patch: Option<&Value>,
) -> Option<Value> {
    let pod = snapshot.pod;
    let old = server.status.clone().unwrap_or_default();
    let text = |priority: Option<&IntOrString>| Some(IntOrString::String(priority_text(priority)));
    let new = GameServerStatus {
        desired_state: Some(GameServerState::Ready),
        current_state: Some(state),
        pod_status: pod_status::mirrored(as_object(&pod.status), pod_status_patch, &old.pod_status),
        service_qualities_conditions: service_qualities_conditions(
            snapshot,
            server,
            &old.service_qualities_conditions,
        ),
        update_priority: text(server.spec.update_priority.as_ref()),
        deletion_priority: text(server.spec.deletion_priority.as_ref()),
        last_transition_time: if old.current_state == Some(state) {
            old.last_transition_time.clone()
        } else {
            Some(Time(truncated(snapshot.now)))
        },
        conditions,
        ..old.clone()
    };
    let change = merge_diff(&as_value(&old), &as_value(&new))?;
    Some(json!({"metadata": {"uid": server.metadata.uid}, "status": change}))
}

fn as_object(value: &impl serde::Serialize) -> Map<String, Value> {
    match as_value(value) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Our own types and Kubernetes' always turn into JSON; were one not to, nothing of it would be written.
fn as_value(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
