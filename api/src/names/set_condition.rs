//! Types of the conditions in a set's status. All of them say that something is wrong: they are there, with status
//! True, while it is, and gone when it is not.

/// Pods cannot be made (as on ReplicaSets).
pub const REPLICA_FAILURE: &str = "ReplicaFailure";
/// Images cannot be had.
pub const IMAGE_ERROR: &str = "ImageError";
/// The kubelet cannot make containers.
pub const CONTAINER_ERROR: &str = "ContainerError";
/// Containers end again and again.
pub const CRASH_LOOP: &str = "CrashLoop";
/// No node takes pods.
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// Pods stand in the set's way.
pub const NAME_CONFLICT: &str = "NameConflict";
/// Fields of the spec cannot be used as written.
pub const INVALID_SPEC: &str = "InvalidSpec";
/// Pods keep an old template.
pub const UPDATE_HELD_BACK: &str = "UpdateHeldBack";
/// Servers that are to go stay for now: they are protected, or do not answer.
pub const SCALE_DOWN_PENDING: &str = "ScaleDownPending";
/// Evictions follow a PodDisruptionBudget of somebody's own, and not the set's protection.
pub const BUDGET_CONFLICT: &str = "BudgetConflict";
/// `spec.network` has no effect.
pub const NETWORK_UNSUPPORTED: &str = "NetworkUnsupported";
