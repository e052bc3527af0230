//! A pod to delete, with all that the deletion is to be conditioned on.

use super::{Snapshot, roster::Member};
use crate::{lifecycle::hooked, scale::Why};

/// A pod to delete. The DELETE carries uid and resourceVersion as preconditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Name of the pod and of its server.
    pub name: String,
    /// Ordinal of the server.
    pub ordinal: u32,
    /// The pod's uid.
    pub uid: String,
    /// The pod's resourceVersion.
    pub resource_version: String,
    /// The resourceVersion of the GameServer that the decision was made on; `None` where it has none.
    pub server_resource_version: Option<String>,
    /// Why it goes.
    pub reason: Reason,
    /// Its preDelete hook holds it: it is not to be deleted but to be marked for it
    /// ([`crate::lifecycle::prepare_delete`]).
    pub hooked: bool,
}

/// Why a pod goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its ordinal is reserved.
    Reserved,
    /// Its server's opsState is Kill.
    Kill,
    /// There are more servers than replicas.
    ScaleDown,
    /// It has ended (evicted, refused by its node); it is made again.
    Lost,
    /// It has an old template; it is made again.
    Update,
    /// It was to go for one of the other reasons, and its preDelete hook has let go of it.
    PreDelete,
}

impl Reason {
    /// One word, for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "Reserved",
            Self::Kill => "Kill",
            Self::ScaleDown => "ScaleDown",
            Self::Lost => "Lost",
            Self::Update => "Update",
            Self::PreDelete => "PreDelete",
        }
    }
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        match why {
            Why::Reserved => Self::Reserved,
            Why::Kill => Self::Kill,
            Why::Excess => Self::ScaleDown,
        }
    }
}

impl Removal {
    pub(super) fn of(snapshot: &Snapshot<'_>, member: &Member<'_>, reason: Reason) -> Self {
        let metadata = &member.pod.metadata;
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            ordinal: member.ordinal,
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            server_resource_version: member.server.and_then(|s| s.metadata.resource_version.clone()),
            reason,
            hooked: hooked(snapshot.pre_delete(), metadata),
        }
    }
}
