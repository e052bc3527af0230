//! The controller: game server sets in, pods and GameServers out.
//!
//! ```text
//!   watch ──► stores (sets, pods, GameServers; nodes, claims, volumes) ──► queues
//!                 │                                  │ set              │ pod
//!                 ▼                                  ▼                  ▼
//!              snapshot ───────────────► set::reconcile      server::reconcile
//!                                        plan (api::set)     plan (api::server)
//!                                          │ write             │ write
//!                                          ▼                   ▼
//!                              pods made and removed,   GameServers, labels,
//!                              status of the set        states, events
//! ```
//!
//! Both reconcilers read only the stores, ask `gamewarden-api` for a plan and carry it out; neither
//! decides anything. Every write names the object it was decided on (uid, and resourceVersion where a
//! change in between matters), so a plan made on an old snapshot fails instead of doing harm.
//!
//! ```text
//!   run       starts all of it              watch, seen, stores, index   what there is, and whom a change concerns
//!   set       reconciles a set, with        adopt, create, claims, in_place, removal, status: the parts of its plan
//!   server    reconciles a server, with     around: its node and volumes
//!   nodes     whose own probers probe them
//!   fresh, removed, failures, refusals, backoff, context   the little that is remembered in between
//!   metrics, okg                            what is counted, ours and OpenKruiseGame's
//! ```

mod adopt;
mod around;
mod backoff;
mod claims;
mod context;
mod create;
mod failures;
mod fresh;
mod in_place;
mod index;
mod metrics;
mod nodes;
mod okg;
mod refusals;
mod removal;
mod removed;
mod run;
mod seen;
mod server;
mod set;
mod status;
mod stores;
mod view;
mod watch;

pub use context::Context;
pub use metrics::Metrics;
pub use run::{Clients, Config, Error, run};
pub use stores::Stores;
pub use watch::Changes;
