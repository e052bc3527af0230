//! Which servers are protected: `gamewarden.dev/protection` on the set (design §4).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use crate::{GameServer, GameServerSet, names, types::OpsState};

/// What a set asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Idle servers go first; those in use go when there are no others.
    #[default]
    Prefer,
    /// Servers that are neither WaitToBeDeleted nor Kill do not go.
    Strict,
    /// Nothing but the order of removal.
    Off,
}

impl Protection {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 3] =
        [("Prefer", Self::Prefer), ("Strict", Self::Strict), ("Off", Self::Off)];

    /// That of the set. In any case of letters, as it protects; what is no protection at all counts as none said:
    /// admission refuses it.
    #[must_use]
    pub fn of(set: &GameServerSet) -> Self {
        Self::written(set.metadata.annotations.as_ref())
    }

    /// That of a set with these annotations.
    #[must_use]
    pub(crate) fn written(annotations: Option<&BTreeMap<String, String>>) -> Self {
        let text = annotations.and_then(|all| all.get(names::PROTECTION));
        text.and_then(|text| Self::parse(text)).unwrap_or_default()
    }

    /// What the text asks for.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        known.map(|(_, protection)| protection)
    }
}

/// Whether a server of a Strict set may go: nobody needs it, or somebody has said that it may.
#[must_use]
pub fn is_removable(set: &GameServerSet, server: Option<&GameServer>) -> bool {
    server.and_then(|server| server.spec.ops_state.as_ref()).is_some_and(is_free)
        || allows_removal(set.metadata.annotations.as_ref())
        || allows_removal(server.and_then(|server| server.metadata.annotations.as_ref()))
}

/// Whether the pod has ended for good: nobody can be on it.
#[must_use]
pub fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

/// Whether nobody needs a server of this state.
pub(crate) fn is_free(state: &OpsState) -> bool {
    matches!(state, OpsState::WaitToBeDeleted | OpsState::Kill)
}

/// Whether somebody has said that the server, or all of the set, may go.
pub(crate) fn allows_removal(annotations: Option<&BTreeMap<String, String>>) -> bool {
    annotations.and_then(|all| all.get(names::ALLOW_REMOVAL)).is_some_and(|text| text == "true")
}

/// Whether the server must not be evicted: its set is Strict, and it may be in use.
#[must_use]
pub fn is_guarded(set: &GameServerSet, server: Option<&GameServer>) -> bool {
    Protection::of(set) == Protection::Strict && !is_removable(set, server)
}
