//! What people are told when a verdict's effect is not all that was asked for.

use super::outcome::cut_at;

/// A Warning event on the GameServer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// One of [`reason`].
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Notice {
    pub(super) fn new(reason: &'static str, message: String) -> Self {
        Self { reason, message }
    }
}

/// The reasons of notices.
pub mod reason {
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
    /// A quality could not be asked.
    pub const QUALITY_UNKNOWN: &str = "ServiceQualityUnknown";
}

/// Longest text of a probe in an event, in bytes (design §2, Events).
const MAX_QUOTED: usize = 256;

/// A probe's text as events quote it.
pub(super) fn cut(text: &str) -> &str {
    cut_at(text, MAX_QUOTED)
}
