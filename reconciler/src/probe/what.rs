//! What a quality's turn does on a pod: which question it asks, or why it cannot ask one.

use gamewarden_api::{
    names::reason,
    schedule::{Hosts, Target, handler, target},
    types::ServiceQuality,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::ProbeTarget;

/// What its turn does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Asks this run of the container.
    Probe { target: ProbeTarget },
    /// Says that the container is not running.
    NotRunning { container: String },
}

impl What {
    /// Whether the same container is asked the same way, apart from its restarts. At another address it is
    /// another question.
    pub(super) fn asks_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Probe { target: a }, Self::Probe { target: b }) => a.asks_like(b),
            (Self::Probe { target }, Self::NotRunning { container })
            | (Self::NotRunning { container }, Self::Probe { target }) => target.container == *container,
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
    hosts: Hosts,
) -> Result<Option<(What, Option<Timestamp>)>, Problem> {
    let handler = handler(pod, quality, hosts).map_err(misconfigured)?;
    match target(pod, quality) {
        Target::Probe { container, started_at, container_id } => {
            // A container that runs in a pod whose address is not told yet.
            let Some(handler) = handler else {
                return Ok(None);
            };
            let target = ProbeTarget {
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                pod: pod.name_any(),
                container,
                container_id,
                handler,
            };
            Ok(Some((What::Probe { target }, Some(started_at))))
        }
        Target::NotRunning { container } => Ok(Some((What::NotRunning { container }, None))),
        Target::NoOutcome => Ok(None),
        Target::Misconfigured { message } => Err(misconfigured(message)),
    }
}

fn misconfigured(message: String) -> Problem {
    Problem { reason: reason::PROBE_MISCONFIGURED, message }
}
