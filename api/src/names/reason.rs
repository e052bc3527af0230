//! Reasons of the events that we write: what alerts and scripts select by.

/// A field that a pod's label tells has turned (as in OpenKruiseGame).
pub const GS_STATE_CHANGED: &str = "GsStateChanged";
/// A value of a GameServer cannot stand in the pod's label.
pub const INVALID_LABEL_VALUE: &str = "InvalidLabelValue";

/// The number of a set's servers changes (as in OpenKruiseGame).
pub const SCALE: &str = "Scale";
/// A pod stands in the set's way.
pub const NAME_CONFLICT: &str = "NameConflict";
/// A field of the set's spec cannot be used as written.
pub const INVALID_SPEC: &str = "InvalidSpec";
/// Pods keep an old template because of podUpdatePolicy InPlaceOnly.
pub const UPDATE_HELD_BACK: &str = "UpdateHeldBack";
/// OpenKruise's own controller runs the set.
pub const MANAGED_ELSEWHERE: &str = "ManagedElsewhere";
/// A pod of the set could not be made.
pub const FAILED_CREATE: &str = "FailedCreate";
/// A ResourceQuota leaves no room for a pod of the set.
pub const EXCEEDED_QUOTA: &str = "ExceededQuota";
/// No node takes a pod (the scheduler's word).
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// An image cannot be pulled; the kubelet's words for it change between two tries.
pub const IMAGE_PULL_FAILED: &str = "ImagePullFailed";
/// An image's name is none (the kubelet's word).
pub const INVALID_IMAGE_NAME: &str = "InvalidImageName";
/// An image is not on the node and may not be pulled (the kubelet's word).
pub const ERR_IMAGE_NEVER_PULL: &str = "ErrImageNeverPull";
/// A container cannot be made, for something that it names is missing (the kubelet's word).
pub const CREATE_CONTAINER_CONFIG_ERROR: &str = "CreateContainerConfigError";
/// A container cannot be made (the kubelet's word).
pub const CREATE_CONTAINER_ERROR: &str = "CreateContainerError";
/// A container ends again and again (the kubelet's word).
pub const CRASH_LOOP_BACK_OFF: &str = "CrashLoopBackOff";
/// What the spec asks for does not exist in managed mode.
pub const MANAGED_MODE: &str = "ManagedMode";

/// A quality cannot be probed as it is written.
pub const PROBE_MISCONFIGURED: &str = "ProbeMisconfigured";
/// The probes of a set do not start in time.
pub const PROBES_LATE: &str = "ProbesLate";
/// They do again.
pub const PROBES_IN_TIME: &str = "ProbesInTime";

/// Reason of the pods' conditions that tell verdicts, by which they are known for ours.
pub const SERVICE_QUALITY: &str = "ServiceQuality";
/// A quality could not be asked.
pub const QUALITY_UNKNOWN: &str = "ServiceQualityUnknown";
/// An update priority did not come out as an integer (as in OpenKruiseGame).
pub const INVALID_UPDATE_PRIORITY: &str = "InvalidUpdatePriority";
/// A deletion priority did not come out as an integer (as in OpenKruiseGame).
pub const INVALID_DELETION_PRIORITY: &str = "InvalidDeletionPriority";
/// An opsState came out as what the pod's label cannot hold.
pub const INVALID_OPS_STATE: &str = "InvalidOpsState";
/// A label came out invalid.
pub const INVALID_LABEL: &str = "InvalidLabel";
/// An annotation came out invalid.
pub const INVALID_ANNOTATION: &str = "InvalidAnnotation";
/// An action names a key that actions may not touch.
pub const RESERVED_KEY: &str = "ReservedKey";
/// An orphan could not be adopted.
pub const FAILED_ADOPT: &str = "FailedAdopt";

/// A scale-down waits for servers that may be in use.
pub const PROTECTED: &str = "Protected";
/// A scale-down waits for servers that cannot be asked.
pub const NO_ANSWER: &str = "NoAnswer";
/// A scale-down waits for servers that the API server refuses to let go.
pub const REFUSED: &str = "Refused";
/// A scale-down that waited goes on.
pub const SCALE_DOWN_RESUMED: &str = "ScaleDownResumed";
/// A PodDisruptionBudget of somebody's own covers the pods.
pub const OTHER_BUDGET: &str = "OtherBudget";
