//! What a quality's probe finds before it asks anything: a container to probe, one that is not running, or
//! nothing to have an opinion on (§3.1).

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};

use crate::{names, types::ServiceQuality};

/// What to do about a quality of a pod now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Probe this container.
    Probe {
        /// Its name.
        container: String,
        /// When it started: the initial delay counts from here.
        started_at: Timestamp,
        /// The runtime's id of this run of the container; another one after a restart.
        container_id: String,
    },
    /// The container ran and has ended by itself: the quality is false at once.
    NotRunning {
        /// Its name.
        container: String,
    },
    /// Nothing to say: the container has not started yet, our update restarts it, or the pod terminates.
    NoOutcome,
    /// The quality names a container that the pod does not have.
    Misconfigured {
        /// What is wrong and what there is instead.
        message: String,
    },
}

/// What to do about `quality` of `pod` now.
#[must_use]
pub fn target(pod: &Pod, quality: &ServiceQuality) -> Target {
    if pod.metadata.deletion_timestamp.is_some() {
        return Target::NoOutcome;
    }
    let container = match container_of(pod, quality) {
        Ok(container) => container.name.clone(),
        Err(message) => return Target::Misconfigured { message },
    };
    if is_being_updated(pod, &container) {
        return Target::NoOutcome;
    }
    let Some(status) = status_of(pod, &container) else {
        return Target::NoOutcome;
    };
    let state = status.state.as_ref();
    if let Some(running) = state.and_then(|s| s.running.as_ref()) {
        // A running container without a start time or an id: the kubelet has not finished its report.
        return match (&running.started_at, &status.container_id) {
            (Some(started_at), Some(id)) => {
                Target::Probe { container, started_at: started_at.0, container_id: id.clone() }
            }
            _ => Target::NoOutcome,
        };
    }
    let ended = state.is_some_and(|s| s.terminated.is_some());
    // Waiting after a run is the kubelet's back-off (CrashLoopBackOff); waiting before any is the start.
    let ended_before = status.last_state.as_ref().is_some_and(|s| s.terminated.is_some());
    if ended || ended_before { Target::NotRunning { container } } else { Target::NoOutcome }
}

/// The container that the quality means: the one it names, else the pod's only one.
pub(super) fn container_of<'a>(pod: &'a Pod, quality: &ServiceQuality) -> Result<&'a Container, String> {
    let Some(spec) = &pod.spec else {
        return Err("the pod has no containers".to_owned());
    };
    // An init container that goes on running is a sidecar, which can be probed.
    let sidecars =
        spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let named = quality.container_name.as_deref().filter(|name| !name.is_empty());
    match (named, spec.containers.as_slice()) {
        (Some(name), containers) => containers
            .iter()
            .chain(sidecars)
            .find(|container| container.name == name)
            .ok_or_else(|| format!("the pod has no container {name:?}; it has {}", list(containers))),
        (None, [only]) => Ok(only),
        (None, containers) => {
            Err(format!("containerName is missing, and the pod has several containers: {}", list(containers)))
        }
    }
}

fn list(containers: &[Container]) -> String {
    let names: Vec<&str> = containers.iter().map(|c| c.name.as_str()).collect();
    names.join(", ")
}

/// Whether an in-place update may be restarting the container at this moment. It says which ones it
/// restarts in an annotation; without that, it may be any of them. While a hook holds the update
/// (PreUpdate), nothing has been touched and the annotation alone means nothing.
fn is_being_updated(pod: &Pod, container: &str) -> bool {
    let label = |key: &str| pod.metadata.labels.as_ref().and_then(|l| l.get(key));
    if label(names::LIFECYCLE_STATE).map(String::as_str) != Some(names::LIFECYCLE_UPDATING) {
        return false;
    }
    let annotation = pod.metadata.annotations.as_ref().and_then(|a| a.get(names::UPDATING_CONTAINERS));
    match annotation {
        Some(list) if !list.is_empty() => list.split(',').any(|name| name.trim() == container),
        _ => true,
    }
}

fn status_of<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    status
        .container_statuses
        .iter()
        .flatten()
        .chain(status.init_container_statuses.iter().flatten())
        .find(|s| s.name == container)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const STARTED: &str = "2026-04-01T10:00:00Z";

    fn pod(metadata: Value, state: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": metadata,
            "spec": {
                "containers": [{"name": "game"}, {"name": "log"}],
                "initContainers": [{"name": "setup"}, {"name": "mesh", "restartPolicy": "Always"}],
            },
            "status": {
                "containerStatuses": [status("game", state)],
                "initContainerStatuses": [status("mesh", json!({"state": running()}))],
            },
        }))
        .unwrap()
    }

    fn status(name: &str, state: Value) -> Value {
        let mut status = json!({
            "name": name, "image": "i", "imageID": "", "ready": true, "restartCount": 1,
            "containerID": "containerd://1",
        });
        status.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
        status
    }

    fn running() -> Value {
        json!({"running": {"startedAt": STARTED}})
    }

    fn terminated() -> Value {
        json!({"terminated": {"exitCode": 137}})
    }

    fn on(container: &str) -> ServiceQuality {
        ServiceQuality {
            name: "idle".to_owned(),
            container_name: Some(container.to_owned()),
            ..ServiceQuality::default()
        }
    }

    fn probe(container: &str) -> Target {
        Target::Probe {
            container: container.to_owned(),
            started_at: STARTED.parse().unwrap(),
            container_id: "containerd://1".to_owned(),
        }
    }

    fn not_running() -> Target {
        Target::NotRunning { container: "game".to_owned() }
    }

    #[test]
    fn the_states_of_a_container() {
        let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
        for (what, state, expected) in [
            ("runs", json!({"state": running()}), probe("game")),
            (
                "runs again after a crash",
                json!({"state": running(), "lastState": terminated()}),
                probe("game"),
            ),
            ("has ended", json!({"state": terminated()}), not_running()),
            (
                "waits for its next run",
                json!({"state": waiting("CrashLoopBackOff"), "lastState": terminated()}),
                not_running(),
            ),
            (
                "is being made",
                json!({"state": waiting("ContainerCreating"), "lastState": {}}),
                Target::NoOutcome,
            ),
            ("cannot pull its image", json!({"state": waiting("ImagePullBackOff")}), Target::NoOutcome),
            ("has no state", json!({}), Target::NoOutcome),
            ("has no id yet", json!({"state": running(), "containerID": null}), Target::NoOutcome),
            ("has no start time yet", json!({"state": {"running": {}}}), Target::NoOutcome),
        ] {
            assert_eq!(target(&pod(json!({}), state), &on("game")), expected, "{what}");
        }
    }

    #[test]
    fn an_end_that_is_not_the_containers_own_is_no_outcome() {
        let updating = |annotation: &str| {
            json!({
                "labels": {names::LIFECYCLE_STATE: "Updating"},
                "annotations": {names::UPDATING_CONTAINERS: annotation},
            })
        };
        for (what, metadata, expected) in [
            ("the pod terminates", json!({"deletionTimestamp": STARTED}), Target::NoOutcome),
            (
                "an update may restart it",
                json!({"labels": {names::LIFECYCLE_STATE: "Updating"}}),
                Target::NoOutcome,
            ),
            ("an update restarts it", updating("log, game"), Target::NoOutcome),
            ("an update restarts another one", updating("log"), not_running()),
            (
                "a hook holds the update",
                json!({
                    "labels": {names::LIFECYCLE_STATE: "PreUpdate"},
                    "annotations": {names::UPDATING_CONTAINERS: "game"},
                }),
                not_running(),
            ),
            ("no update", json!({"labels": {names::LIFECYCLE_STATE: "Normal"}}), not_running()),
        ] {
            let pod = pod(metadata, json!({"state": terminated()}));
            assert_eq!(target(&pod, &on("game")), expected, "{what}");
        }
    }

    #[test]
    fn a_terminating_pod_is_not_probed() {
        let pod = pod(json!({"deletionTimestamp": STARTED}), json!({"state": running()}));
        assert_eq!(target(&pod, &on("game")), Target::NoOutcome);
    }

    #[test]
    fn the_container_is_found_or_it_is_said_what_there_is() {
        let mut pod = pod(json!({}), json!({"state": running()}));
        let wrong = |message: &str| Target::Misconfigured { message: message.to_owned() };
        assert_eq!(target(&pod, &on("mesh")), probe("mesh"), "a sidecar");
        assert_eq!(target(&pod, &on("log")), Target::NoOutcome, "known, and nothing reported of it yet");
        assert_eq!(target(&pod, &on("gmae")), wrong("the pod has no container \"gmae\"; it has game, log"));
        assert_eq!(
            target(&pod, &on("setup")),
            wrong("the pod has no container \"setup\"; it has game, log"),
            "an init container ends before the others start"
        );
        for nameless in [ServiceQuality::default(), on("")] {
            assert_eq!(
                target(&pod, &nameless),
                wrong("containerName is missing, and the pod has several containers: game, log")
            );
        }
        pod.spec.as_mut().unwrap().containers.truncate(1);
        assert_eq!(target(&pod, &ServiceQuality::default()), probe("game"));
    }
}
