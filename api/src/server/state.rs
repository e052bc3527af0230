//! How a server is, read off its pod.
//!
//! The rule is OpenKruiseGame's, but for one thing: a terminating pod whose processes have ended is still
//! Deleting. (There it turns Unknown or, where a process ended with an error as most do on SIGTERM, Crash: an
//! alert for every server that scale-down takes.)

use k8s_openapi::api::core::v1::{Pod, PodCondition};

use crate::{names, types::GameServerState};

/// The server's state.
pub(super) fn current_state(pod: &Pod) -> GameServerState {
    let terminating = pod.metadata.deletion_timestamp.is_some();
    match pod.status.as_ref().and_then(|s| s.phase.as_deref()) {
        Some("Running" | "Succeeded" | "Failed") if terminating => GameServerState::Deleting,
        Some("Running") => running(pod),
        Some("Pending") => GameServerState::Creating,
        Some("Failed") => GameServerState::Crash,
        _ => GameServerState::Unknown,
    }
}

fn running(pod: &Pod) -> GameServerState {
    let lifecycle = pod.metadata.labels.as_ref().and_then(|l| l.get(names::LIFECYCLE_STATE));
    match lifecycle.map(String::as_str) {
        Some(names::LIFECYCLE_UPDATING) => GameServerState::Updating,
        Some(names::LIFECYCLE_PREPARING_UPDATE) => GameServerState::PreUpdate,
        Some(names::LIFECYCLE_PREPARING_DELETE) => GameServerState::PreDelete,
        _ => match condition(pod, "Ready").map(|c| c.status == "True") {
            Some(true) => GameServerState::Ready,
            Some(false) => GameServerState::NotReady,
            None => GameServerState::Unknown,
        },
    }
}

/// The pod's condition of this type.
pub(crate) fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|c| c.type_ == type_)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_state_follows_phase_lifecycle_and_readiness() {
        use GameServerState::{
            Crash, Creating, Deleting, NotReady, PreDelete, PreUpdate, Ready, Unknown, Updating,
        };
        let ready = |s: &str| json!([{"type": "Ready", "status": s}]);
        for (phase, lifecycle, deleting, conditions, expected) in [
            ("Pending", "Normal", false, json!([]), Creating),
            ("Running", "Normal", false, ready("True"), Ready),
            ("Running", "Normal", false, ready("False"), NotReady),
            ("Running", "Normal", false, json!([]), Unknown),
            ("Running", "Normal", true, ready("True"), Deleting),
            ("Running", "Updating", false, ready("False"), Updating),
            ("Running", "PreparingUpdate", false, ready("True"), PreUpdate),
            ("Running", "PreparingDelete", false, ready("True"), PreDelete),
            ("Failed", "Normal", false, ready("False"), Crash),
            ("Failed", "Normal", true, ready("False"), Deleting),
            ("Succeeded", "Normal", true, ready("False"), Deleting),
            ("Pending", "Normal", true, json!([]), Creating),
            ("Succeeded", "Normal", false, ready("False"), Unknown),
        ] {
            let mut pod = json!({
                "metadata": {"labels": {"lifecycle.apps.kruise.io/state": lifecycle}},
                "status": {"phase": phase, "conditions": conditions},
            });
            if deleting {
                pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            let pod: Pod = serde_json::from_value(pod).unwrap();
            assert_eq!(current_state(&pod), expected, "{phase} {lifecycle} {deleting}");
        }
    }
}
