//! Gamewarden's reconciler: makes game servers from sets, probes them, and writes what it sees.
//!
//! Everything here reads a snapshot, asks `gamewarden-api` for a plan, and carries the plan out.

mod certificates;
pub mod cli;
pub mod controller;
mod feed;
pub mod install;
pub mod lease;
pub mod probe;
pub mod prober;
pub mod write;
