//! What a plan is made from.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};

use super::Refusal;
use crate::{
    removal::Protection,
    types::{GameServer, GameServerSet, LifecycleHook},
};

/// A set as the caller sees it now.
///
/// The caller sees to two things. Its caches are filled: an empty one reads as "nothing is there" (which
/// removes no server, but makes ones that exist already). And `set` is at least as new as the caller's own
/// last write to it; else a Kill server that is gone already would be made again.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    /// The set.
    pub set: &'a GameServerSet,
    /// The pods that carry the set's owner label, foreign ones included.
    pub pods: &'a [&'a Pod],
    /// The GameServers that carry the set's owner label.
    pub servers: &'a [&'a GameServer],
    /// The disruption budgets of the set's namespace.
    pub budgets: &'a [&'a PodDisruptionBudget],
    /// Whether the pod of this uid has been deleted by the caller although the watch does not show it yet.
    pub removed: &'a dyn Fn(&str) -> bool,
    /// Whether the claim of this name has been committed by the caller.
    pub committed: &'a dyn Fn(&str) -> bool,
    /// What the API server has refused lately on the server whose pod has this uid.
    pub refused: &'a dyn Fn(&str) -> Option<Refusal>,
    /// The time.
    pub now: Timestamp,
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("set", &self.set.metadata.name)
            .field("pods", &self.pods.len())
            .field("servers", &self.servers.len())
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl<'a> Snapshot<'a> {
    /// Name of the set.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.set.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its uid.
    #[must_use]
    pub fn uid(&self) -> &'a str {
        self.set.metadata.uid.as_deref().unwrap_or_default()
    }

    /// An annotation of the set.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&'a str> {
        self.set.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether servers that people may use are never taken.
    pub(super) fn is_strict(&self) -> bool {
        Protection::of(self.set) == Protection::Strict
    }

    /// The hook that holds pods before they are deleted.
    pub(super) fn pre_delete(&self) -> Option<&'a LifecycleHook> {
        pre_delete(self.set)
    }

    /// Seconds that a server must be ready before it is available.
    #[must_use]
    pub fn min_ready_seconds(&self) -> i64 {
        let rolling = self.set.spec.update_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
        i64::from(rolling.and_then(|r| r.min_ready_seconds).unwrap_or(0).max(0))
    }
}

/// The hook that holds pods of the set before they are deleted.
pub(super) fn pre_delete(set: &GameServerSet) -> Option<&LifecycleHook> {
    set.spec.lifecycle.as_ref()?.pre_delete.as_ref()
}
