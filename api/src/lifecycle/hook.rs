//! Hooks: labels and finalizers by which others hold a pod (the rules are OpenKruise's), the lifecycle state that
//! tells which hook it is, and the readiness gate that follows from it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};

use crate::{
    names,
    time::seconds,
    types::{Lifecycle, LifecycleHook},
};

/// The lifecycle state, as the label [`names::LIFECYCLE_STATE`] tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing holds the pod; also where the label is missing or says something else.
    Normal,
    /// It has not yet got all that preNormal asks for.
    PreparingNormal,
    /// inPlaceUpdate holds it before its update.
    PreparingUpdate,
    /// Its containers are being exchanged.
    Updating,
    /// It has been updated, and has not yet got back all that inPlaceUpdate asks for.
    Updated,
    /// preDelete holds it before its end.
    PreparingDelete,
}

impl State {
    pub(crate) fn of(pod: &ObjectMeta) -> Self {
        match label(pod, names::LIFECYCLE_STATE) {
            Some(names::LIFECYCLE_PREPARING_NORMAL) => Self::PreparingNormal,
            Some(names::LIFECYCLE_PREPARING_UPDATE) => Self::PreparingUpdate,
            Some(names::LIFECYCLE_UPDATING) => Self::Updating,
            Some(names::LIFECYCLE_UPDATED) => Self::Updated,
            Some(names::LIFECYCLE_PREPARING_DELETE) => Self::PreparingDelete,
            _ => Self::Normal,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Normal => names::LIFECYCLE_NORMAL,
            Self::PreparingNormal => names::LIFECYCLE_PREPARING_NORMAL,
            Self::PreparingUpdate => names::LIFECYCLE_PREPARING_UPDATE,
            Self::Updating => names::LIFECYCLE_UPDATING,
            Self::Updated => names::LIFECYCLE_UPDATED,
            Self::PreparingDelete => names::LIFECYCLE_PREPARING_DELETE,
        }
    }
}

pub(super) fn label<'a>(pod: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    pod.labels.as_ref()?.get(key).map(String::as_str)
}

/// Whether the hook holds the pod: any of its finalizers is on it, or any of its labels has the hook's value.
/// No hook holds nothing.
#[must_use]
pub fn hooked(hook: Option<&LifecycleHook>, pod: &ObjectMeta) -> bool {
    let Some(hook) = hook else { return false };
    hook.finalizers_handler.iter().any(|finalizer| has_finalizer(pod, finalizer))
        || hook.labels_handler.iter().any(|(key, value)| label(pod, key) == Some(value))
}

/// Whether all that the hook names is on the pod. So it is where there is no hook, or one that names nothing.
pub(super) fn all_hooked(hook: Option<&LifecycleHook>, pod: &ObjectMeta) -> bool {
    let Some(hook) = hook else { return true };
    hook.finalizers_handler.iter().all(|finalizer| has_finalizer(pod, finalizer))
        && hook.labels_handler.iter().all(|(key, value)| label(pod, key) == Some(value))
}

fn has_finalizer(pod: &ObjectMeta, finalizer: &str) -> bool {
    pod.finalizers.iter().flatten().any(|f| f == finalizer)
}

/// The lifecycle state that a new pod starts in, by its labels and finalizers: PreparingNormal until it has all
/// that preNormal names, as in OpenKruise.
#[must_use]
pub fn initial_state(
    lifecycle: Option<&Lifecycle>,
    labels: &BTreeMap<String, String>,
    finalizers: &[String],
) -> &'static str {
    let pod = ObjectMeta {
        labels: Some(labels.clone()),
        finalizers: Some(finalizers.to_vec()),
        ..ObjectMeta::default()
    };
    let hook = lifecycle.and_then(|l| l.pre_normal.as_ref());
    if all_hooked(hook, &pod) { State::Normal.as_str() } else { State::PreparingNormal.as_str() }
}

/// The lifecycle state of a pod whose label somebody took off: by what else is on it, else as a new pod starts.
#[must_use]
pub fn state_of_unlabelled(lifecycle: Option<&Lifecycle>, pod: &ObjectMeta) -> &'static str {
    let has = |key: &str| pod.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(key));
    if has(names::PRE_DELETE) {
        return State::PreparingDelete.as_str();
    }
    if has(names::IN_PLACE_UPDATE) {
        return State::Updating.as_str();
    }
    let (labels, finalizers) =
        (pod.labels.clone().unwrap_or_default(), pod.finalizers.clone().unwrap_or_default());
    initial_state(lifecycle, &labels, &finalizers)
}

/// Whether the readiness gate [`names::IN_PLACE_UPDATE_READY`] is to be open: not while containers are exchanged,
/// nor while a hook with markPodNotReady holds the pod. (OpenKruise knows markPodNotReady for preDelete and
/// inPlaceUpdate; here it holds for preNormal as well.)
#[must_use]
pub fn gate_open(lifecycle: Option<&Lifecycle>, pod: &ObjectMeta) -> bool {
    let marks = |hook: fn(&Lifecycle) -> Option<&LifecycleHook>| {
        lifecycle.and_then(hook).and_then(|hook| hook.mark_pod_not_ready).unwrap_or(false)
    };
    let exchanged = pod.annotations.as_ref().is_some_and(|a| a.contains_key(names::IN_PLACE_UPDATE));
    !exchanged
        && match State::of(pod) {
            State::Updating => false,
            State::PreparingUpdate => !marks(|l| l.in_place_update.as_ref()),
            State::PreparingDelete => !marks(|l| l.pre_delete.as_ref()),
            State::PreparingNormal => !marks(|l| l.pre_normal.as_ref()),
            State::Normal | State::Updated => true,
        }
}

/// The strategic merge patch that marks a pod for deletion as soon as its preDelete hook is off. `reason` is
/// remembered with it, so that a pod that somebody labels by hand is not taken for one of ours.
#[must_use]
pub fn prepare_delete(uid: &str, resource_version: &str, reason: &str, now: Timestamp) -> Value {
    json!({"metadata": {
        "uid": uid,
        "resourceVersion": resource_version,
        "labels": {names::LIFECYCLE_STATE: State::PreparingDelete.as_str()},
        "annotations": {names::PRE_DELETE: reason, names::LIFECYCLE_TIMESTAMP: seconds(now)},
    }})
}

/// Labels and finalizers that put the hook back on a pod, into a metadata patch.
pub(super) fn put_back(
    hook: &LifecycleHook,
    labels: &mut Map<String, Value>,
    metadata: &mut Map<String, Value>,
) {
    for (key, value) in &hook.labels_handler {
        labels.insert(key.clone(), json!(value));
    }
    if !hook.finalizers_handler.is_empty() {
        // Strategic merge adds those that are missing.
        metadata.insert("finalizers".into(), json!(hook.finalizers_handler));
    }
}

#[cfg(test)]
mod unlabelled_tests {
    use super::*;

    #[test]
    fn a_pod_whose_state_somebody_took_off_gets_it_back_from_what_else_is_on_it() {
        let lifecycle: Lifecycle =
            serde_json::from_value(json!({"preNormal": {"labelsHandler": {"checked": "yes"}}})).unwrap();
        for (what, metadata, state) in [
            ("a new pod that preNormal waits for", json!({}), "PreparingNormal"),
            ("one that has all it asks for", json!({"labels": {"checked": "yes"}}), "Normal"),
            (
                "one that a hook holds",
                json!({"annotations": {names::PRE_DELETE: "ScaleDown"}}),
                "PreparingDelete",
            ),
            ("one that is being updated", json!({"annotations": {names::IN_PLACE_UPDATE: "{}"}}), "Updating"),
        ] {
            let pod: ObjectMeta = serde_json::from_value(metadata).unwrap();
            assert_eq!(state_of_unlabelled(Some(&lifecycle), &pod), state, "{what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(value: Value) -> LifecycleHook {
        serde_json::from_value(value).unwrap()
    }

    fn pod(value: Value) -> ObjectMeta {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn any_label_or_finalizer_holds_and_all_of_them_release() {
        let both = json!({"labelsHandler": {"a/b": "true", "c": "x"}, "finalizersHandler": ["f/g"]});
        for (handlers, metadata, any, all) in [
            (both.clone(), json!({}), false, false),
            (both.clone(), json!({"labels": {"a/b": "false"}}), false, false),
            (both.clone(), json!({"labels": {"a/b": "true"}}), true, false),
            (both.clone(), json!({"finalizers": ["f/g", "other"]}), true, false),
            (both, json!({"labels": {"a/b": "true", "c": "x"}, "finalizers": ["f/g"]}), true, true),
            (json!({}), json!({"finalizers": ["f/g"]}), false, true),
        ] {
            let hook = hook(handlers);
            let pod = pod(metadata.clone());
            assert_eq!((hooked(Some(&hook), &pod), all_hooked(Some(&hook), &pod)), (any, all), "{metadata}");
        }
        assert!(!hooked(None, &pod(json!({}))));
        assert!(all_hooked(None, &pod(json!({}))));
    }

    #[test]
    fn the_gate_follows_state_and_hook() {
        let lifecycle: Lifecycle = serde_json::from_value(json!({
            "preDelete": {"markPodNotReady": true},
            "inPlaceUpdate": {"markPodNotReady": true},
            "preNormal": {"markPodNotReady": true},
        }))
        .unwrap();
        for (state, unmarked, marked) in [
            ("Normal", true, true),
            ("Updated", true, true),
            ("SomethingElse", true, true),
            ("Updating", false, false),
            ("PreparingUpdate", true, false),
            ("PreparingDelete", true, false),
            ("PreparingNormal", true, false),
        ] {
            let mut pod = pod(json!({"labels": {names::LIFECYCLE_STATE: state}}));
            assert_eq!(gate_open(None, &pod), unmarked, "{state}");
            assert_eq!(gate_open(Some(&Lifecycle::default()), &pod), unmarked, "{state}");
            assert_eq!(gate_open(Some(&lifecycle), &pod), marked, "{state}, marked");
            pod.annotations = Some([(names::IN_PLACE_UPDATE.to_owned(), String::new())].into());
            assert!(!gate_open(None, &pod), "{state}, containers are exchanged");
        }
    }

    #[test]
    fn a_new_pod_waits_for_all_that_pre_normal_names() {
        let lifecycle: Lifecycle =
            serde_json::from_value(json!({"preNormal": {"labelsHandler": {"a": "b"}}})).unwrap();
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!(initial_state(Some(&lifecycle), &BTreeMap::new(), &[]), "PreparingNormal");
        assert_eq!(initial_state(Some(&lifecycle), &labels, &[]), "Normal");
        assert_eq!(initial_state(None, &BTreeMap::new(), &[]), "Normal");
    }
}
