//! The nodes whose own prober probes their servers: what runs there is not ours to probe.
//!
//! ```text
//!   node's prober holds its Lease ──► controller sees it change ──► [`OnNodes`] has the node:
//!                                                                   its keys leave the schedule, counters and all,
//!                                                                   what runs is not heard, nothing is said any more
//!   the Lease is given back, or is unchanged for as long as it was promised ──► the controller probes it from scratch
//! ```
//!
//! *One at a time.* A prober says nothing before it holds the Lease and for [`SETTLE`](crate::prober::SETTLE) after, in which the
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
#[derive(Clone, Debug)]
pub struct OnNodes(Arc<RwLock<Known>>);

/// What is known of them.
#[derive(Debug)]
enum Known {
    /// Nothing: each may be one.
    Nothing,
    /// These are all.
    All(BTreeSet<String>),
}

/// What [`OnNodes::replace`] has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Nothing was known before: whatever runs anywhere is to be looked at.
    pub(crate) first: bool,
    /// Those that are new.
    pub(crate) came: Vec<String>,
    /// Those that are none any more.
    pub(crate) went: Vec<String>,
}

impl Default for OnNodes {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Known::All(BTreeSet::new()))))
    }
}

impl OnNodes {
    /// Before it is known which they are: until then no node is ours.
    #[must_use]
    pub fn unknown() -> Self {
        Self(Arc::new(RwLock::new(Known::Nothing)))
    }

    /// Whether the pod runs on one of them, or may.
    #[must_use]
    pub fn probe(&self, pod: &Pod) -> bool {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        node.is_some_and(|node| match &*known {
            Known::Nothing => true,
            Known::All(nodes) => nodes.contains(node),
        })
    }

    /// Takes these for all there are.
    pub(crate) fn replace(&self, nodes: BTreeSet<String>) -> Changed {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *known, Known::All(nodes.clone()));
        let (first, before) = match before {
            Known::Nothing => (true, BTreeSet::new()),
            Known::All(before) => (false, before),
        };
        let came = nodes.difference(&before).cloned().collect();
        let went = before.difference(&nodes).cloned().collect();
        Changed { first, came, went }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn before_anything_is_known_every_node_may_be_somebody_elses() {
        let on = |node: &str| serde_json::from_value::<Pod>(json!({"spec": {"nodeName": node}})).unwrap();
        let nodes = OnNodes::unknown();
        assert!(nodes.probe(&on("a")) && nodes.probe(&on("b")) && !nodes.probe(&Pod::default()));
        let changed = nodes.replace(BTreeSet::from(["a".to_owned()]));
        assert_eq!(changed, Changed { first: true, came: vec!["a".to_owned()], went: vec![] });
        assert!(nodes.probe(&on("a")) && !nodes.probe(&on("b")));
        let changed = nodes.replace(BTreeSet::new());
        assert_eq!(changed, Changed { first: false, came: vec![], went: vec!["a".to_owned()] });
        assert!(!nodes.probe(&on("a")) && !OnNodes::default().probe(&on("a")));
    }
}
