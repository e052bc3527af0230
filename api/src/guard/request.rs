//! What is asked, by whom; and who is never refused.

use serde_json::Value;

use crate::admission::Mode;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A GameServerSet.
    Set,
    /// The Scale of a set.
    Scale,
    /// A GameServer.
    Server,
    /// A pod with the label of a set.
    Pod,
    /// The eviction of any pod.
    Eviction,
    /// Kruise's StatefulSet of a set (external mode).
    Workload,
    /// The Scale of such a StatefulSet.
    WorkloadScale,
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is removed.
    Delete,
}

/// A request, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What it is about.
    pub target: Target,
    /// What is done to it.
    pub operation: Operation,
    /// The namespace.
    pub namespace: &'a str,
    /// The name as the request has it: empty where a whole collection is deleted.
    pub name: &'a str,
    /// Who asks.
    pub user: &'a str,
    /// The groups of who asks.
    pub groups: &'a [&'a str],
    /// The object as it is. An Eviction has none.
    pub old: Option<&'a Value>,
    /// The object as it would be.
    pub new: Option<&'a Value>,
    /// Whether the request itself says that nothing is to happen.
    pub dry_run: bool,
    /// Whether what it owns is to stay (`kubectl delete --cascade=orphan`).
    pub orphans: bool,
}

impl<'a> Asked<'a> {
    /// The object's name.
    pub(super) fn name(&self) -> &'a str {
        // For each object of a collection the API server asks without a name.
        let old = || self.old.and_then(|old| old["metadata"]["name"].as_str());
        if self.name.is_empty() { old().unwrap_or_default() } else { self.name }
    }

    /// Whether nothing is to happen. `kubectl drain --dry-run=server` says so in the Eviction alone.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        let all =
            |new: &Value| new["deleteOptions"]["dryRun"].as_array().is_some_and(|list| !list.is_empty());
        self.dry_run || (self.target == Target::Eviction && self.new.is_some_and(all))
    }
}

/// What the guard has to know of the installation.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Who makes the pods.
    pub mode: Mode,
    /// Who is never refused, besides those that keep every cluster running: our own controller and prober; in external
    /// mode OpenKruiseGame's controller and Kruise's.
    pub exempt: Vec<String>,
}

/// They clean up after lost nodes, deleted owners and namespaces, or make room for more important pods.
/// `system:kube-controller-manager` is all of its controllers where they have no accounts of their own.
const KEEP_CLUSTERS_RUNNING: [&str; 7] = [
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:pod-garbage-collector",
    "system:serviceaccount:kube-system:node-controller",
    "system:serviceaccount:kube-system:taint-eviction-controller",
    "system:kube-controller-manager",
    "system:kube-scheduler",
];

/// Kubelets: the last DELETE of a pod that terminates is theirs.
const NODES: &str = "system:nodes";

impl Rules {
    /// Whether whatever they ask passes. (The chart leaves them out already; other configurations may not.)
    pub(super) fn is_exempt(&self, asked: &Asked<'_>) -> bool {
        KEEP_CLUSTERS_RUNNING.contains(&asked.user)
            || asked.groups.contains(&NODES)
            || self.exempt.iter().any(|user| user == asked.user)
    }
}
