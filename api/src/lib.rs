//! The API of Gamewarden and every rule it follows, free of I/O.
//!
//! ```text
//!   types      GameServerSet, GameServer: what people write and read
//!   names      labels, annotations, condition types and event reasons
//!   quality    a probe's outcome → verdict → action → opsState
//!   template   {{.Result}} in the values of an action
//!   scale      which servers there should be, and who goes first
//!   removal    how a server is removed that may be in use a moment later
//!   server     one server: its pod, its GameServer, its state, its events
//!   lifecycle  hooks that hold a pod, and updates in place
//!   set        one set: which pods and GameServers to make, update and remove; its status
//!   guard      which deletions and evictions are refused, and what is said about a scale-down
//!   schedule   when which probe starts
//!   admission  what is wrong with an object that somebody applies, and what to write instead
//!   event      what is said about an object, once per occurrence
//! ```
//!
//! *Decide, then act*: a rule takes a snapshot (and the time, where it matters) and returns a plan.
//! Nothing here awaits, reads a clock or talks to a cluster, so each rule can be tested by a table and
//! by properties, and the webhook and the reconciler answer the same question alike.

pub mod admission;
pub mod event;
pub mod guard;
pub mod lifecycle;
pub mod merge_patch;
pub mod names;
pub mod quality;
pub mod removal;
pub mod scale;
pub mod schedule;
pub mod server;
pub mod set;
pub mod template;
pub mod time;
pub mod types;

pub use types::{GameServer, GameServerSet};
