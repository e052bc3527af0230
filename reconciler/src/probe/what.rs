//! What a quality's turn does on a pod: which question it asks, or why it cannot ask one.

use gamewarden_api::{
    names::reason,
    schedule::{Target, target},
    types::ServiceQuality,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{Handler, ProbeTarget};

/// What its turn does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Asks this run of the container.
    Probe { target: ProbeTarget, container_id: String },
    /// Says that the container is not running.
    NotRunning { container: String },
}

impl What {
    /// Whether the same container is asked the same way, apart from its restarts.
    pub(super) fn asks_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Probe { target: a, .. }, Self::Probe { target: b, .. }) => a == b,
            (Self::Probe { target, .. }, Self::NotRunning { container })
            | (Self::NotRunning { container }, Self::Probe { target, .. }) => target.container == *container,
            (Self::NotRunning { container: a }, Self::NotRunning { container: b }) => a == b,
        }
    }
}

/// Why a quality cannot be probed as it is written.
pub(super) struct Problem {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What the quality's turn does on this pod and when its container started; `None` where it has no turns now.
pub(super) fn what(
    pod: &Pod,
    quality: &ServiceQuality,
) -> Result<Option<(What, Option<Timestamp>)>, Problem> {
    let handler = handler(quality)?;
    match target(pod, quality) {
        Target::Probe { container, started_at, container_id } => {
            let target = ProbeTarget {
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                pod: pod.name_any(),
                container,
                handler,
            };
            Ok(Some((What::Probe { target, container_id }, Some(started_at))))
        }
        Target::NotRunning { container } => Ok(Some((What::NotRunning { container }, None))),
        Target::NoOutcome => Ok(None),
        Target::Misconfigured { message } => Err(misconfigured(message)),
    }
}

fn handler(quality: &ServiceQuality) -> Result<Handler, Problem> {
    if let Some(exec) = &quality.exec {
        return match exec.command.as_deref() {
            Some(command) if !command.is_empty() => Ok(Handler::Exec(command.to_vec())),
            _ => Err(misconfigured("exec has no command".to_owned())),
        };
    }
    let other = [
        ("httpGet", quality.http_get.is_some()),
        ("tcpSocket", quality.tcp_socket.is_some()),
        ("grpc", quality.grpc.is_some()),
    ];
    match other.iter().find(|(_, there)| *there) {
        Some((name, _)) => Err(Problem {
            reason: reason::PROBE_NOT_SUPPORTED,
            message: format!("{name} probes come with a later version; only exec runs today"),
        }),
        None => Err(misconfigured("there is no probe: say exec".to_owned())),
    }
}

fn misconfigured(message: String) -> Problem {
    Problem { reason: reason::PROBE_MISCONFIGURED, message }
}
