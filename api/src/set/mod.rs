//! One set: which pods and GameServers to make, update and remove; its status.
//!
//! ```text
//!   snapshot  the set, its pods and GameServers, as the caller sees them now
//!   adopt     pods and GameServers of ours that have lost their owner
//!   budget    the PodDisruptionBudget of a Strict set
//!   claims    whose the servers' volume claims are
//!   trouble   bad states, as conditions and events
//!   roster    whose pod is whose: servers by ordinal, foreign pods, stale GameServers
//!   revision  the template → its revision
//!   update    which pods get the new template now, and how
//!   in_place  the next write on each pod: hooks, updates in place
//!   gs        which GameServers to mark, to unmark and to delete
//!   patch     what to write on the set before anything else
//!   removal   a pod to delete, and what that is conditioned on
//!   refusal   what the API server refuses on a server that is to go
//!   lowered   Kill servers that have lowered replicas and are still there
//!   events    what to say about the set
//!   plan      all of it
//!   status    what to show in the set's status
//! ```

mod adopt;
mod budget;
mod claims;
mod events;
mod gs;
mod in_place;
mod lowered;
mod patch;
mod plan;
mod refusal;
mod removal;
mod revision;
mod roster;
mod snapshot;
mod status;
pub mod trouble;
mod update;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod in_place_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod preview_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod removal_properties;
#[cfg(test)]
mod removal_tests;
#[cfg(test)]
mod update_tests;

pub use adopt::{Adoption, Orphan};
pub use budget::Budget;
pub use claims::{ClaimPatch, Retention, claim_is_going, claim_patches};
pub use in_place::PodStep;
pub use plan::{Plan, plan};
pub use refusal::{Refusal, Refused};
pub use removal::{Commit, Reason, Removal, Removals, Turn, Withdrawal};
pub use revision::revision;
pub(crate) use revision::{canonical, digest};
pub use snapshot::Snapshot;
pub use status::status;
