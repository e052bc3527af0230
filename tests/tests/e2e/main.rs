//! End-to-end tests: the manual, and what a user of Kubernetes would expect, on a real cluster.
//!
//! They run in parallel on one cluster, each in a namespace of its own, and one of them kills the controller:
//! none may count on a controller that is always there.

mod admission;
mod admitted;
mod applied;
mod certificates;
mod chaos;
mod conditions;
mod crowd;
mod documentation;
mod failover;
mod failures;
mod guard;
mod hand_edits;
mod handlers;
mod hpa;
mod in_place;
mod kubectl;
mod lifecycle;
mod limits;
mod metrics;
mod node_commands;
mod node_prober;
mod objects;
mod older;
mod ordinals;
mod out_of_sight;
mod ownership;
mod paused;
mod pauses;
mod prober_policy;
mod race;
mod refused;
mod removal;
mod replaced;
mod rest;
mod restarts;
mod results;
mod scale_down;
mod trials;
mod trouble;
mod two_nodes;
mod update;
mod variants;
mod walkthrough;
