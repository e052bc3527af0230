//! Probing: asks game servers how they are, on schedule, and writes what follows.
//!
//! ```text
//!   stores (sets, pods) ─► targets ─► api::schedule ─► attempt ─► Prober (exec, http, tcp, grpc)
//!                            │           when            one probe,    how
//!                            │                           hung or not
//!                            ▼                              │ Outcome
//!                          notes                            ▼
//!                       (what people                     runner ─► quality::Counter ─► Verdict
//!                        are told)                                                       │
//!                            ▲                                                           ▼
//!                            └──────────────── verdict ◄─ quality::decide ◄─ GameServer (store)
//!                                                 │ merge patch, on change only
//!                                                 ▼
//!                                             GameServer
//! ```
//!
//! Memory holds counters and texts only. What has been said of a server is on its GameServer, and the verdict
//! that holds is compared with that: at every outcome, a moment after a write that failed, and as soon as a
//! GameServer is made (again).

mod attempt;
mod awake;
mod context;
mod cri;
mod direct;
mod exec;
mod exec_status;
mod exec_stream;
#[cfg(test)]
mod fixtures;
mod last_look;
mod lost_node;
mod metrics;
mod note;
mod on_nodes;
mod probers;
mod results;
mod retries;
mod runner;
#[cfg(test)]
mod runner_fixture;
mod sources;
mod targets;
mod verdict;
mod what;
mod writes;

use std::{future::Future, time::Duration};

use futures::stream::BoxStream;
use gamewarden_api::{quality::Outcome, schedule::Handler};

pub use context::{Context, DEFAULT_MAX_IN_FLIGHT};
pub use cri::{Cri, Error as CriError, Metrics as CriMetrics, OwnPod, Settings as CriSettings};
pub use exec::client;
pub use metrics::Metrics;
pub use note::Note;
pub(crate) use on_nodes::Changed as ChangedNodes;
pub use on_nodes::OnNodes;
pub use probers::Probers;
pub use results::Results;
pub use runner::{Error, run};

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// The run of it that is asked, as the pod's status names it: `containerd://<id>`.
    pub container_id: String,
    /// How it is asked.
    pub handler: Handler,
}

impl ProbeTarget {
    /// Whether the same container is asked the same way, apart from its restarts.
    fn asks_like(&self, other: &Self) -> bool {
        let Self { namespace, pod, container, container_id: _, handler } = self;
        (namespace, pod, container, handler)
            == (&other.namespace, &other.pod, &other.container, &other.handler)
    }
}

/// A probe that goes on after its timeout: says whether what it asks can still be reached, each time somebody has
/// looked, and ends when the probe does.
pub type Hanging = BoxStream<'static, bool>;

/// One of which nothing is known but its end.
#[cfg(test)]
fn until(end: impl Future<Output = ()> + Send + 'static) -> Hanging {
    use futures::{FutureExt, StreamExt, future::ready};
    end.into_stream().filter_map(|()| ready(None)).boxed()
}

/// What came of a probe.
pub struct Answer {
    /// The outcome, at the timeout at the latest.
    pub outcome: Outcome,
    /// The outcome is a failure only because nothing came within the timeout.
    pub timed_out: bool,
    /// Where the probe timed out and could not be stopped. Dropping it lets go of the probe, which may then run on
    /// unseen.
    pub hanging: Option<Hanging>,
    /// The runtime says that this run of the container has ended. The pod's status says so too, a moment later,
    /// and what that means for the server besides.
    pub gone: bool,
}

impl Answer {
    /// The answer of a probe that has ended.
    #[must_use]
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, timed_out: false, hanging: None, gone: false }
    }

    /// The answer of a probe from which nothing came within its timeout.
    #[must_use]
    pub fn none_within(timeout: Duration) -> Self {
        let result = format!("timed out after {}s", timeout.as_secs());
        Self { timed_out: true, ..Self::of(Outcome::Failure { result }) }
    }

    /// The answer of a probe that has not ended within its timeout, and nobody can say why: its node is out of reach.
    #[must_use]
    pub fn out_of_reach() -> Self {
        Self::of(Outcome::Unknown { reason: "its node does not answer while the command runs".to_owned() })
    }
}

/// A way to ask a container. Clones ask through the same connections.
pub trait Prober: Clone + Send + Sync + 'static {
    /// Asks. A container that does not answer within `timeout` has failed; one that could not be reached
    /// is Unknown.
    fn probe(&self, target: &ProbeTarget, timeout: Duration) -> impl Future<Output = Answer> + Send;
}
