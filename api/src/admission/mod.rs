//! What is wrong with an object that somebody applies, all of it at once, and what to write instead.
//!
//! ```text
//!   finding     what is said: where, how bad, and the sentence
//!   field       a place in the object, with its path
//!   way         the way to a place
//!   kind        which objects of a file are ours
//!   name        names of sets, and of entries that are told apart by theirs
//!   near        "did you mean"
//!   annotations ours, misspelt or where nobody reads them
//!   set         a GameServerSet, whole
//!   server      a GameServer, whole
//!   containers  which containers a quality may name
//!   quality     name, container, probe and numbers of a quality
//!   action      what a quality's answers do: coverage, contradictions, templates, labels
//!   template    the pod template
//!   container   a container of it
//!   shape       what of the pod template no pod could be
//!   strategy    reserved ids and strategies
//!   disagree    two qualities that can want different states
//!   cost        commands that take more than a core
//!   change      which mistakes of a changed object count
//!   default     what is filled in
//!   warning     a finding as kubectl shows it
//!   settings    what the rules have to know of the installation
//! ```
//!
//! Objects are read as raw JSON, not as our types: a type stops at its first mistake, and people want to hear of
//! every one. What is not looked at here is the API server's to judge, by the schema.

mod action;
mod annotations;
mod change;
mod container;
mod containers;
mod cost;
mod default;
mod disagree;
mod field;
mod finding;
mod kind;
mod name;
mod near;
mod protection;
mod quality;
mod server;
mod set;
mod settings;
mod shape;
mod strategy;
mod template;
mod warning;
mod way;

pub use change::{Judgement, judge_server, judge_set};
pub use default::set_defaults;
pub use finding::{Finding, Severity};
pub use kind::{Ours, kind_of};
pub use server::check_server;
pub use set::check_set;
pub use settings::{Mode, Settings};
