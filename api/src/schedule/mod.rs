//! When which probe starts, and whether there is anything to probe.
//!
//! ```text
//!   target     (pod, quality) → probe this container / it is not running / nothing to ask
//!   handler    (pod, quality) → how it is asked: a command, an HTTP request, a connection, a gRPC call
//!   http_get   the request: its headers, its path, where a redirect leads
//!   host       whom it asks, and who is never asked
//!   queue      (targets, free slots, now) → which probes start now
//!   lateness   (how late they started) → whom to tell that the schedule is not kept
//! ```
//!
//! Scheduling time is a [`std::time::Duration`] since an epoch that the caller chooses and that never moves
//! (the start of its process); wall clocks jump, and a jump must neither stop the probes nor start all of
//! them at once.

mod handler;
mod host;
mod http_get;
mod lateness;
mod queue;
mod target;

pub use handler::{Handler, handler};
pub use host::{Endpoint, Host, Hosts, is_never_asked};
pub use http_get::{HttpGet, Redirect, Scheme};
pub use lateness::{Lateness, LatenessNotice};
pub use queue::{Schedule, Start};
pub use target::{Target, target};
