//! The nodes whose own prober probes their servers: what runs there is not ours to probe.
//!
//! ```text
//!   node's prober holds its Lease ──► controller sees it change ──► [`OnNodes`] has the node:
//!                                                                   its keys leave the schedule, counters and all,
//!                                                                   what runs is not heard, nothing is said any more
//!   the Lease is given back, or is unchanged for as long as it was promised ──► the controller probes it from scratch
//! ```
//!
//! *One at a time.* A prober says nothing before it holds the Lease and for [`SETTLE`](crate::prober) after, in which the
//! controller's watch has shown it; and nothing after its own deadline, which is sooner than anybody may hold the Lease
//! for expired (`lease`). So both say something of the same server only while the controller's watch of Leases lags by more
//! than that, or one of the clocks runs wild.
//!
//! *Then nothing is lost or done twice.* What has been said is on the GameServer and not in anybody's memory: who takes
//! over starts with empty counters, and its first verdict is written only where the record says something else. A write
//! that was on its way when the node changed hands carries the resourceVersion it was decided on: either the new one reads
//! it, or it fails. Two that probe at once with counters of their own write the same verdicts from the same answers, each
//! once. Where they get different answers (one cannot reach the server, say), the verdict follows both until the lag is
//! over: that is why it is kept rare, and why counters are dropped and not handed over.
//!
//! *Claims* (design §4, I3) are answered by who probes the server. One that falls into a hand-over is found by the one who
//! takes over, if its time is not up; else nobody has answered, which removes nothing, and it is made again.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

use k8s_openapi::api::core::v1::Pod;

/// Nodes that others probe. Clones are one and the same; a new one is empty.
#[derive(Clone, Debug, Default)]
pub struct OnNodes(Arc<RwLock<BTreeSet<String>>>);

impl OnNodes {
    /// Whether the pod runs on one of them.
    #[must_use]
    pub fn probe(&self, pod: &Pod) -> bool {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        node.is_some_and(|node| self.0.read().unwrap_or_else(PoisonError::into_inner).contains(node))
    }

    /// Takes these for all there are; gives those that came and those that went.
    pub(crate) fn replace(&self, nodes: BTreeSet<String>) -> (Vec<String>, Vec<String>) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let came = nodes.difference(&held).cloned().collect();
        let went = held.difference(&nodes).cloned().collect();
        *held = nodes;
        (came, went)
    }
}
