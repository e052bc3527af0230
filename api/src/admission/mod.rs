//! What is wrong with an object that somebody applies, all of it at once, and what to write instead.
//!
//! ```text
//!   finding     what is said: where, how bad, and the sentence
//!   field       a place in the object, with its path
//!   name        names of sets, and of entries that are told apart by theirs
//!   near        "did you mean"
//!   set         a GameServerSet, whole
//!   server      a GameServer, whole
//!   containers  which containers a quality may name
//!   quality     name, container, probe and numbers of a quality
//!   action      what a quality's answers do: coverage, contradictions, templates, labels
//!   template    the pod template
//!   strategy    reserved ids and strategies
//! ```
//!
//! Objects are read as raw JSON, not as our types: a type stops at its first mistake, and people want to hear of
//! every one. What is not looked at here is the API server's to judge, by the schema.

mod action;
mod containers;
mod field;
mod finding;
mod name;
mod near;
mod quality;
mod server;
mod set;
mod strategy;
mod template;

pub use finding::{Finding, Severity};
pub use server::check_server;
pub use set::check_set;
