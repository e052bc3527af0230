//! Whether the kubelet runs the images that a pod asks for.
//!
//! Kubernetes does not say which spec a container was started from. Another container id tells that it was
//! started anew, but it may have been for another reason, just before the kubelet saw our change; then it is
//! about to be started once more. So the image is looked at, too:
//!
//! - the runtime's name of the image is the one asked for: it has arrived;
//! - the id of the image is another than before: it has arrived, if we have changed the image once;
//! - neither (two tags of one image, or changed several times): it has arrived when that has lasted for longer
//!   than the kubelet may take to restart a container.
//!
//! An image that is changed back before the kubelet saw the first change restarts nothing at all: the same wait
//! tells.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::flight::{Before, Flight, status_of};

/// How long the kubelet takes at most to see a change of a pod and to act on it, killing apart.
const KUBELET: Duration = Duration::from_secs(10);

/// What Kubernetes assumes where a pod does not say how long its containers may take to stop.
const GRACE: i64 = 30;

/// How far the kubelet is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// All that was changed runs, or has run.
    Done,
    /// The kubelet will say more.
    Awaited,
    /// Nothing more may come; to be looked at again after this time.
    Unsure(Duration),
}

/// `images`: what the pod asks for, by container.
pub(super) fn arrival<'a>(
    flight: &Flight,
    pod: &'a Pod,
    image_of: impl Fn(&str) -> Option<&'a str>,
    now: Timestamp,
) -> Arrival {
    let mut unsure = None;
    for (name, before) in &flight.containers {
        // A container that the pod does not have has nothing to run.
        let Some(image) = image_of(name) else { continue };
        let Some(status) = status_of(pod, name) else { return Arrival::Awaited };
        match container(before, status, image) {
            Found::Here => {}
            Found::NotYet => return Arrival::Awaited,
            Found::Perhaps { killing } => {
                let started = status.state.as_ref().and_then(|s| s.running.as_ref()?.started_at.as_ref());
                let since = started.map(|t| t.0).max(flight.exchanged_at).unwrap_or(now);
                let left = patience(pod, killing).checked_sub(elapsed(since, now));
                unsure = unsure.max(left.filter(|left| !left.is_zero()));
            }
        }
    }
    unsure.map_or(Arrival::Done, Arrival::Unsure)
}

enum Found {
    Here,
    NotYet,
    /// Here, unless the kubelet is about to start it anew; `killing`: for which it may first have to end it.
    Perhaps {
        killing: bool,
    },
}

fn container(before: &Before, status: &ContainerStatus, image: &str) -> Found {
    let id = status.container_id.as_deref().unwrap_or_default();
    let changed_back = before.image == image;
    if id.is_empty() {
        return Found::NotYet;
    }
    if id == before.container_id {
        let runs = status.state.as_ref().is_some_and(|state| state.running.is_some());
        return if changed_back && runs { Found::Perhaps { killing: true } } else { Found::NotYet };
    }
    if is_called(status, image) {
        return Found::Here;
    }
    let another = !before.image_id.is_empty() && status.image_id != before.image_id;
    match (another, before.again) {
        (true, false) => Found::Here,
        (_, killing) => Found::Perhaps { killing: killing || changed_back },
    }
}

fn patience(pod: &Pod, killing: bool) -> Duration {
    let grace = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds).unwrap_or(GRACE);
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
    KUBELET + if killing { grace } else { Duration::ZERO }
}

pub(super) fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    // A time from the future (clocks differ) is now.
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// Whether the runtime calls what it runs by the name that the pod asks for.
fn is_called(status: &ContainerStatus, image: &str) -> bool {
    match image.split_once('@') {
        Some((_, digest)) => status.image_id.ends_with(digest) || status.image.ends_with(digest),
        None => full_name(&status.image) == full_name(image),
    }
}

/// The image's name with registry and tag, as runtimes give it.
fn full_name(image: &str) -> String {
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let registry = first.contains(['.', ':']) || first == "localhost";
    let name = match (first, registry) {
        ("", _) => format!("docker.io/library/{rest}"),
        (_, false) => format!("docker.io/{image}"),
        (_, true) => image.to_owned(),
    };
    let tagged = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    if tagged { name } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn names_of_images_are_compared_in_full() {
        for (short, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1", "docker.io/library/nginx:1"),
            ("games/mc:1", "docker.io/games/mc:1"),
            ("localhost:5000/mc", "localhost:5000/mc:latest"),
            ("r.example.com/a/b:c", "r.example.com/a/b:c"),
        ] {
            assert_eq!(full_name(short), full);
        }
    }

    #[test]
    fn a_container_has_arrived_when_it_can_be_nothing_else() {
        let before = |again: bool| json!({"image": "r.io/g:1", "imageID": "sha:1", "containerID": "c1", "again": again});
        let status = |container: &str, image: &str, id: &str| json!({"containerID": container, "image": image, "imageID": id, "state": {"running": {}}});
        let wait = |seconds| Arrival::Unsure(Duration::from_secs(seconds));
        for (what, before, status, image, expected) in [
            ("the old run", before(false), status("c1", "r.io/g:1", "sha:1"), "r.io/g:2", Arrival::Awaited),
            ("no run", before(false), json!({"containerID": null}), "r.io/g:2", Arrival::Awaited),
            ("a new run of it", before(false), status("c2", "r.io/g:2", "sha:2"), "r.io/g:2", Arrival::Done),
            (
                "under another name",
                before(false),
                status("c2", "r.io/x:9", "sha:2"),
                "r.io/g:2",
                Arrival::Done,
            ),
            ("of the old image", before(false), status("c2", "r.io/g:1", "sha:1"), "r.io/g:2", wait(6)),
            ("of one in between", before(true), status("c2", "r.io/g:2", "sha:2"), "r.io/g:3", wait(11)),
            ("of the last one", before(true), status("c2", "r.io/g:3", "sha:3"), "r.io/g:3", Arrival::Done),
            ("changed back unseen", before(true), status("c1", "r.io/g:1", "sha:1"), "r.io/g:1", wait(11)),
            ("changed back", before(true), status("c3", "r.io/g:1", "sha:1"), "r.io/g:1", Arrival::Done),
            (
                "by digest",
                before(false),
                status("c2", "r.io/g", "r.io/g@sha256:1"),
                "r.io/g@sha256:1",
                Arrival::Done,
            ),
        ] {
            let flight: Flight = serde_json::from_value(json!({
                "exchangedAt": "2026-01-01T00:00:00Z", "containers": {"main": before},
            }))
            .unwrap();
            let mut full =
                json!({"name": "main", "ready": true, "restartCount": 0, "image": "", "imageID": ""});
            json_patch::merge(&mut full, &status);
            let pod: Pod = serde_json::from_value(json!({
                "spec": {"containers": [], "terminationGracePeriodSeconds": 5},
                "status": {"containerStatuses": [Value::clone(&full)]},
            }))
            .unwrap();
            let at = |time: &str| arrival(&flight, &pod, |_| Some(image), time.parse().unwrap());
            assert_eq!(at("2026-01-01T00:00:04Z"), expected, "{what}");
            if let Arrival::Unsure(_) = expected {
                assert_eq!(at("2026-01-01T00:00:15Z"), Arrival::Done, "{what}, later");
            }
        }
    }
}
