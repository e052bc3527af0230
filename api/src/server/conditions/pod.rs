//! PodNormal: whether the pod is scheduled and its containers run.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::{Finding, text::Trouble};
use crate::{names, server::condition};

/// Before the reason of a container that has ended.
const TERMINATED: &str = "ContainerTerminated:";

/// Reasons that every pod goes through while it starts.
const STARTING: [&str; 6] = [
    "ContainersNotReady",
    "ContainersNotInitialized",
    "ReadinessGatesNotReady",
    "ContainerCreating",
    "PodInitializing",
    "SchedulingGated",
];

/// What is wrong with the pod. One that terminates was told to end: how its containers end is no news.
pub(super) fn look(pod: &Pod) -> Finding {
    if pod.metadata.deletion_timestamp.is_some() {
        return Finding::Keep;
    }
    let mut trouble = Trouble::default();
    let Some(status) = &pod.status else { return Finding::Nothing };
    if let Some(reason) = status.reason.as_deref().filter(|reason| !reason.is_empty()) {
        trouble.add(reason, status.message.as_deref().unwrap_or_default());
    }
    let containers_ready = condition(pod, "ContainersReady").is_some_and(|c| c.status == "True");
    for condition in status.conditions.iter().flatten() {
        let bad = match condition.type_.as_str() {
            "PodScheduled" | "Initialized" | "ContainersReady" => condition.status != "True",
            // Where containers are not ready either, those say why.
            "Ready" => containers_ready && condition.status == "False",
            _ => false,
        };
        if bad {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            trouble.add(&text(&condition.reason), &text(&condition.message));
        }
    }
    // While an update exchanges containers, their end is part of it.
    let updating = is_updating(pod);
    for container in status.init_container_statuses.iter().flatten() {
        of_container(container, true, updating, &mut trouble);
    }
    for container in status.container_statuses.iter().flatten() {
        of_container(container, false, updating, &mut trouble);
    }
    // Normal it cannot be called before the kubelet has said a word of its containers: the first word is that they are
    // not ready, and that would pass for a turn to the worse.
    if trouble.is_none()
        && status.phase.as_deref() == Some("Pending")
        && condition(pod, "ContainersReady").is_none()
    {
        return Finding::Nothing;
    }
    Finding::Is(trouble)
}

fn of_container(status: &ContainerStatus, init: bool, updating: bool, trouble: &mut Trouble) {
    let state = status.state.as_ref();
    if let Some(waiting) = state.and_then(|state| state.waiting.as_ref())
        && let (Some(reason), Some(message)) = (&waiting.reason, &waiting.message)
        && !reason.is_empty()
        && !message.is_empty()
    {
        trouble.add(reason, message);
    }
    let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let running = state.is_some_and(|state| state.running.is_some());
    let ended = state.and_then(|state| state.terminated.as_ref()).or(last.filter(|_| !running));
    let Some(ended) = ended else { return };
    // An init container that has done its work is as it should be.
    if !(updating || init && ended.exit_code == 0) {
        of_end(ended, trouble);
    }
}

fn of_end(ended: &ContainerStateTerminated, trouble: &mut Trouble) {
    let Some(reason) = ended.reason.as_deref().filter(|reason| !reason.is_empty()) else { return };
    let said = ended.message.as_deref().unwrap_or_default().trim();
    // The exit code must not be what is cut off.
    let said = crate::event::cut(said, 200);
    let message = format!("{said} ExitCode: {}", ended.exit_code);
    trouble.add(&format!("{TERMINATED}{reason}"), &message);
}

/// Our in-place update has the pod's containers exchanged.
pub(super) fn is_updating(pod: &Pod) -> bool {
    let state = pod.metadata.labels.as_ref().and_then(|labels| labels.get(names::LIFECYCLE_STATE));
    state.is_some_and(|state| state == names::LIFECYCLE_UPDATING)
}

/// Whether the reason (of a condition) names nothing but what a starting pod goes through.
pub(super) fn is_starting(reason: &str) -> bool {
    reason.split("; ").all(|part| STARTING.contains(&part))
}
