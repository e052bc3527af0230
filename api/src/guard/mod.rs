//! Which requests would take a server that people may use, and what is said about a scale-down before it happens
//! (design §4: Protection, "Never stand in Kubernetes' way").
//!
//! The reconciler removes servers by claim, look and commit. This is about every other way to lose one: somebody deletes
//! its pod, its GameServer or the set, evicts the pod, or takes off the label by which the pod is known.
//!
//! ```text
//!   request     what is asked, by whom; who is never refused
//!   kept        what is kept of a set and of a GameServer
//!   cache       sets and GameServers as the watches last showed them, and whether that is so now
//!   decide      a request, the cache → whether it passes
//!   replicas    a change of a set's size → who goes and who stays, told
//!   external    the same where OpenKruiseGame's controller takes servers: refused where it would take one in use
//!   workload    Kruise's StatefulSet of a set, which nobody else changes
//!   preview     a plan as warnings
//!   say         refusals in words
//! ```
//!
//! What the cache shows may be a moment old, and while it has lost sight of the cluster, older. Then Strict refuses, and
//! Prefer lets pass: nothing is known that would be worth standing in somebody's way. What comes with the request itself
//! (the old object) is never old.

mod cache;
mod decide;
mod external;
mod kept;
mod owners;
mod preview;
mod replicas;
mod request;
mod say;
mod workload;

#[cfg(test)]
mod decide_tests;
#[cfg(test)]
mod external_tests;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod replicas_tests;

pub use cache::{Cache, Shelf, Sight};
pub use decide::{Verdict, judge};
pub use kept::{KeptServer, KeptSet};
pub use request::{Asked, Operation, Rules, Target};
pub use say::Refusal;
