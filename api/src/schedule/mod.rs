//! When which probe starts, and whether there is anything to probe.
//!
//! ```text
//!   target     (pod, quality) → probe this container / it is not running / nothing to ask
//!   queue      (targets, free slots, now) → which probes start now
//!   lateness   (how late they started) → whom to tell that the schedule is not kept
//! ```
//!
//! Scheduling time is a [`std::time::Duration`] since an epoch that the caller chooses and that never moves
//! (the start of its process); wall clocks jump, and a jump must neither stop the probes nor start all of
//! them at once.

mod lateness;
mod queue;
mod target;

pub use lateness::{Lateness, LatenessNotice};
pub use queue::{Schedule, Start};
pub use target::{Target, target};
