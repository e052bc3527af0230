//! What is wrong with pods that exist, in the words of the kubelet and of the scheduler.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::{
    super::{
        Snapshot,
        roster::{Member, Roster},
    },
    Kind, Trouble,
};
use crate::{names::reason, server::condition};

/// For how long a pull or a search for a node may fail before it is a trouble. The kubelet's second try comes after
/// ten seconds; a pull that works then was a hiccup of a registry, and need not alarm anybody.
const PATIENCE: Duration = Duration::from_secs(15);

/// A container that has ended again and again and now runs for this long is out of its loop. While it is in one it
/// runs for a moment between two waits, which ends nothing.
const STEADY: Duration = Duration::from_secs(60);

/// The troubles of the pods, and when to look again although nothing has changed.
pub(in super::super) fn pods(
    snapshot: &Snapshot<'_>,
    roster: &Roster<'_>,
) -> (Vec<Trouble>, Option<Duration>) {
    let mut found = Found::default();
    let said = |kind: Kind| {
        let mut conditions = snapshot.set.status.iter().flat_map(|s| &s.conditions);
        conditions.any(|c| c.type_ == kind.condition_type() && c.status == "True")
    };
    let (looping, pulling) = (said(Kind::CrashLoop), said(Kind::ImageError));
    for member in roster.members.values().filter(|m| !m.terminating && !m.dead) {
        unschedulable(snapshot, member, &mut found);
        for container in containers(member.pod) {
            waiting(snapshot, member, container, pulling, &mut found);
            crash_loop(snapshot, member, container, looping, &mut found);
        }
    }
    (found.troubles, found.again)
}

#[derive(Default)]
struct Found {
    troubles: Vec<Trouble>,
    again: Option<Duration>,
}

impl Found {
    /// One more server with this trouble. The first one's words stand for all.
    fn add(
        &mut self,
        member: &Member<'_>,
        kind: Kind,
        reason: &'static str,
        what: String,
        words: &str,
        advice: &'static str,
    ) {
        let server = member.pod.metadata.name.clone().unwrap_or_default();
        if let Some(trouble) = self.troubles.iter_mut().find(|t| t.kind == kind) {
            if trouble.servers.last() != Some(&server) {
                trouble.servers.push(server);
            }
        } else {
            let words = words.to_owned();
            self.troubles.push(Trouble { kind, reason, servers: vec![server], what, words, advice });
        }
    }

    fn look_again(&mut self, after: Duration) {
        self.again = Some(self.again.map_or(after, |again| again.min(after)));
    }

    /// Whether what has lasted for `lasted` has done so for `needed`; else it is looked at again when it will have.
    fn has_lasted(&mut self, lasted: Option<SignedDuration>, needed: Duration) -> bool {
        // What does not say since when it is so has been so for ever; what begins in the future (clocks differ)
        // begins now.
        let Some(lasted) = lasted else { return true };
        match needed.checked_sub(Duration::try_from(lasted).unwrap_or_default()) {
            Some(left) if !left.is_zero() => {
                self.look_again(left);
                false
            }
            _ => true,
        }
    }
}

fn unschedulable(snapshot: &Snapshot<'_>, member: &Member<'_>, found: &mut Found) {
    let Some(scheduled) = condition(member.pod, "PodScheduled") else { return };
    // Gated pods wait for somebody who has put the gate there on purpose.
    if scheduled.status != "False" || scheduled.reason.as_deref() != Some(reason::UNSCHEDULABLE) {
        return;
    }
    let since = scheduled.last_transition_time.as_ref().map(|t| snapshot.now.duration_since(t.0));
    if found.has_lasted(since, PATIENCE) {
        found.add(
            member,
            Kind::Unschedulable,
            reason::UNSCHEDULABLE,
            "no node takes the pod".into(),
            scheduled.message.as_deref().unwrap_or_default(),
            "add nodes, or lower what the template asks for (resources, nodeSelector, affinity, tolerations, volumes)",
        );
    }
}

/// Containers that wait for what does not come.
///
/// `pulling`: whether it has been said, and not taken back, that an image cannot be had.
fn waiting(
    snapshot: &Snapshot<'_>,
    member: &Member<'_>,
    container: &ContainerStatus,
    pulling: bool,
    found: &mut Found,
) {
    let Some(waiting) = container.state.as_ref().and_then(|s| s.waiting.as_ref()) else { return };
    // The status names the image that ran last.
    let (name, image) = (&container.name, image_of(member.pod, container));
    let words = waiting.message.as_deref().unwrap_or_default();
    let why = match waiting.reason.as_deref().unwrap_or_default() {
        // While an update waits for its image, the kubelet speaks of the container that the update ended in between.
        reason::CRASH_LOOP_BACK_OFF if pulling && member.updating() => "ImagePullBackOff",
        other => other,
    };
    let (kind, reason, what, advice) = match why {
        // The kubelet turns from one to the other with every try; to people they are one.
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "SignatureValidationFailed" => (
            Kind::ImageError,
            reason::IMAGE_PULL_FAILED,
            format!("container {name}: the image {image:?} cannot be pulled"),
            PULL_ADVICE,
        ),
        "InvalidImageName" => (
            Kind::ImageError,
            reason::INVALID_IMAGE_NAME,
            format!("container {name}: {image:?} is no name of an image"),
            "correct it in spec.gameServerTemplate",
        ),
        "ErrImageNeverPull" => (
            Kind::ImageError,
            reason::ERR_IMAGE_NEVER_PULL,
            format!("container {name}: the image {image:?} is not on the node, and imagePullPolicy is Never"),
            "load it there, or change imagePullPolicy",
        ),
        "CreateContainerConfigError" => (
            Kind::ContainerError,
            reason::CREATE_CONTAINER_CONFIG_ERROR,
            format!("container {name} cannot be made"),
            "make the ConfigMap, Secret or key that it names, or correct the template",
        ),
        "CreateContainerError" => (
            Kind::ContainerError,
            reason::CREATE_CONTAINER_ERROR,
            format!("container {name} cannot be made"),
            "correct what the template says of it",
        ),
        _ => return,
    };
    let not_ready = condition(member.pod, "ContainersReady").filter(|c| c.status != "True");
    let since = not_ready.and_then(|c| c.last_transition_time.as_ref());
    let since = since.map(|t| snapshot.now.duration_since(t.0));
    if reason == reason::INVALID_IMAGE_NAME || found.has_lasted(since, PATIENCE) {
        found.add(member, kind, reason, what, words, advice);
    }
}

/// Containers that end again and again. `looping`: whether this has been said and not taken back.
fn crash_loop(
    snapshot: &Snapshot<'_>,
    member: &Member<'_>,
    container: &ContainerStatus,
    looping: bool,
    found: &mut Found,
) {
    let Some(state) = &container.state else { return };
    // It is the update that ended it.
    if member.updating() {
        return;
    }
    let in_loop = if let Some(waiting) = &state.waiting {
        waiting.reason.as_deref() == Some(reason::CRASH_LOOP_BACK_OFF)
    } else if !looping || container.restart_count < 2 {
        false
    } else if let Some(running) = &state.running {
        let since = running.started_at.as_ref().map(|t| snapshot.now.duration_since(t.0));
        !found.has_lasted(since, STEADY)
    } else {
        true
    };
    if !in_loop {
        return;
    }
    let last = container.last_state.as_ref().or(Some(state)).and_then(|s| s.terminated.as_ref());
    let words = last.map_or_else(String::new, |end| {
        let reason = end.reason.as_deref().unwrap_or("ended");
        let message = end.message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
        format!("{reason} with exit code {}{message}", end.exit_code)
    });
    found.add(
        member,
        Kind::CrashLoop,
        reason::CRASH_LOOP_BACK_OFF,
        format!("container {} ends again and again", container.name),
        &words,
        "see kubectl logs --previous",
    );
}

/// The image that the container is to run.
fn image_of<'a>(pod: &'a Pod, container: &'a ContainerStatus) -> &'a str {
    let spec = pod.spec.iter();
    let mut all = spec.flat_map(|s| s.containers.iter().chain(s.init_containers.iter().flatten()));
    let asked_for = all.find(|c| c.name == container.name).and_then(|c| c.image.as_deref());
    asked_for.unwrap_or(&container.image)
}

/// What to do about an image that cannot be pulled.
const PULL_ADVICE: &str =
    "correct the image's name, its registry or imagePullSecrets; the kubelet goes on trying";

/// Statuses of all containers, init containers first: they come first.
fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    let init = status.clone().flat_map(|s| s.init_container_statuses.iter().flatten());
    init.chain(status.flat_map(|s| s.container_statuses.iter().flatten()))
}
