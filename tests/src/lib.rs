//! What the end-to-end tests are written with.
//!
//! ```text
//!   cluster     which cluster, and a client for it
//!   namespace   one for each test, deleted at its end; a failure shows its state first
//!   manifest    the manual's YAML, changed
//!   untyped     sets as JSON, with what the types cannot hold
//!   gss         a game server set under test: make, scale, patch, wait for its servers
//!   wait        until watched objects are as they should be
//!   event       what was said about an object
//!   kubectl     the commands that people type, and the tables they read
//!   player      a connection to a game port
//!   exec        a command in a pod
//!   told        tells the server of `tests/server` how to answer probes
//!   rest        whether anything is written
//!   history     every pod that was ever there
//!   node        a second node: added, lost, removed
//!   controller  the installed controllers: who leads, its end by SIGKILL, its sleep by SIGSTOP
//!   apart       keeps the installed controller out of a namespace
//!   own_controller  a controller of the test's own, a process behind a proxy
//!   prober      the prober of a node: put there, killed, taken away, its token stolen
//!   proxy       holds requests to the API server until the test lets them go on
//!   race        players, scale changes and dying leaders, all at once, and whether a removal was wrong
//!   trials      a player joins, a while later the set shrinks: whose server goes
//!   certificates  the webhook's certificates: what is stored, published and really served
//!   admissions  requests through the webhook, one after another, and what became of them
//!   documentation  the YAML that the documentation shows
//!   dump        the state of a namespace, for people who read a failed test
//! ```
//!
//! The tests need a cluster with the chart installed: `make e2e`.

pub mod admissions;
mod apart;
pub mod certificates;
pub mod cluster;
pub mod controller;
pub mod documentation;
mod dump;
pub mod event;
pub mod exec;
pub mod gss;
pub mod history;
pub mod kubectl;
pub mod manifest;
mod namespace;
pub mod node;
pub mod own_controller;
pub mod player;
pub mod prober;
pub mod proxy;
pub mod race;
mod rest;
mod told;
pub mod trials;
pub mod untyped;
pub mod wait;

pub use gss::Gss;
pub use manifest::Manifest;
pub use namespace::{Namespace, in_namespace};
