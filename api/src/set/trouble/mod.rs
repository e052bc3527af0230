//! Bad states of a set: what is seen → what people are shown.
//!
//! ```text
//!   pods        image errors, containers that cannot start or end again and again, pods that no node takes
//!   create      pods that could not be made, as the API server said it
//!   spec        what stands in the spec and cannot be done; pods in the set's way
//!   scale_down  servers that are to go and stay for now
//!   conditions  all of them → `status.conditions`, and one Warning event for each that begins
//! ```
//!
//! A trouble is shown as a condition of its type, with status True, while it lasts; when it is over the condition is
//! taken away, as ReplicaSets do it. Its message names the servers, says what is wrong in the words of whoever
//! found it, and what to do.

mod conditions;
mod create;
mod pods;
mod scale_down;
mod spec;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use conditions::{Beginning, beginnings, conditions, endings};
pub use create::{Failure, failed_creates};
pub(super) use pods::pods;
pub(super) use scale_down::scale_down;
pub(super) use spec::{conflicts, held_back, invalid, network};

use crate::{
    event::cut,
    names::{reason, set_condition},
};

/// Longest quotation of somebody else's words, in bytes.
const MAX_WORDS: usize = 512;

/// How many servers a message names before it counts the rest.
const NAMED: usize = 3;

/// What is wrong. The order is that of the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Pods cannot be made.
    ReplicaFailure,
    /// Pods stand in the set's way.
    NameConflict,
    /// No node takes pods.
    Unschedulable,
    /// Images cannot be had.
    ImageError,
    /// The kubelet cannot make containers.
    ContainerError,
    /// Containers end again and again.
    CrashLoop,
    /// Fields of the spec cannot be used as written.
    InvalidSpec,
    /// Pods keep an old template.
    UpdateHeldBack,
    /// Servers that are to go stay for now.
    ScaleDownPending,
    /// Evictions follow a budget of somebody's own.
    BudgetConflict,
    /// `spec.network` has no effect.
    NetworkUnsupported,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ReplicaFailure,
        Self::NameConflict,
        Self::Unschedulable,
        Self::ImageError,
        Self::ContainerError,
        Self::CrashLoop,
        Self::InvalidSpec,
        Self::UpdateHeldBack,
        Self::ScaleDownPending,
        Self::BudgetConflict,
        Self::NetworkUnsupported,
    ];

    /// Type of its condition.
    #[must_use]
    pub fn condition_type(self) -> &'static str {
        match self {
            Self::ReplicaFailure => set_condition::REPLICA_FAILURE,
            Self::NameConflict => set_condition::NAME_CONFLICT,
            Self::Unschedulable => set_condition::UNSCHEDULABLE,
            Self::ImageError => set_condition::IMAGE_ERROR,
            Self::ContainerError => set_condition::CONTAINER_ERROR,
            Self::CrashLoop => set_condition::CRASH_LOOP,
            Self::InvalidSpec => set_condition::INVALID_SPEC,
            Self::UpdateHeldBack => set_condition::UPDATE_HELD_BACK,
            Self::ScaleDownPending => set_condition::SCALE_DOWN_PENDING,
            Self::BudgetConflict => set_condition::BUDGET_CONFLICT,
            Self::NetworkUnsupported => set_condition::NETWORK_UNSUPPORTED,
        }
    }

    /// The kind whose condition has this type.
    #[must_use]
    pub fn of_type(type_: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.condition_type() == type_)
    }

    /// Reason of its event: the condition's type, but for FailedCreate, which is what ReplicaSets and StatefulSets
    /// say and people search for.
    #[must_use]
    pub fn event_reason(self) -> &'static str {
        match self {
            Self::ReplicaFailure => reason::FAILED_CREATE,
            other => other.condition_type(),
        }
    }
}

/// Something that is wrong with a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind.
    pub kind: Kind,
    /// One CamelCase word for the condition's reason.
    pub reason: &'static str,
    /// The servers that it is wrong with, by ordinal; empty where it is the whole set.
    pub servers: Vec<String>,
    /// What is wrong. Steady: as long as this and the servers stay the same, it is the same trouble.
    pub what: String,
    /// The same in the words of whoever found it, which may change from one try to the next; empty where there is
    /// nothing to quote.
    pub words: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl Trouble {
    /// The part of the message that stays while the trouble stays the same.
    fn headline(&self) -> String {
        if self.servers.is_empty() {
            self.what.clone()
        } else {
            format!("{}: {}", who(&self.servers), self.what)
        }
    }

    /// For people.
    #[must_use]
    pub fn message(&self) -> String {
        let words: Vec<&str> = self.words.split_whitespace().collect();
        let words = words.join(" ");
        let (headline, words, advice) = (self.headline(), cut(&words, MAX_WORDS), self.advice);
        if words.is_empty() {
            format!("{headline}; {advice}")
        } else {
            format!("{headline}: {words}; {advice}")
        }
    }
}

/// At most three names, then a count.
fn who(servers: &[String]) -> String {
    let named: Vec<&str> = servers.iter().take(NAMED).map(String::as_str).collect();
    match servers.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
