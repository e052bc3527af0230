//! What people are told when a verdict's effect is not all that was asked for.

/// A Warning event on the GameServer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// One of [`crate::names::reason`].
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Notice {
    pub(super) fn new(reason: &'static str, message: String) -> Self {
        Self { reason, message }
    }
}
