//! How a server is removed that may be in use a moment later (design §4, I2 and I3).
//!
//! A decision to remove a server is made on what was seen of it, and by the time its pod is deleted that may no longer be
//! so. Four steps, each a write that fails where something has come in between, make that impossible:
//!
//! ```text
//!              claim               last look             commit                DELETE
//!   controller ──────► GameServer ◄────────── prober
//!                      Claimed     ─► Looked ──────────► Committed ──────────► pod
//!                         │  ▲           │                   │   with the pod's uid and the version
//!                 no      │  │ backoff   │ too old,          │   that was read after the commit
//!                 answer  ▼  │           │ not wanted        │
//!                      Unanswered        │                   │ no DELETE within two seconds
//!                         │              ▼                   ▼
//!                         └─────────► no claim ◄──────── withdrawn: first a write on the pod, which makes
//!                                        ▲               a late DELETE fail, then one on the GameServer
//!                 another answer         │
//!                 (the verdict it is,  ──┘
//!                 in the same write)
//! ```
//!
//! Every arrow but DELETE is a write with the resourceVersion that it was decided on. So of commit and give-back one wins,
//! and of two controllers one; clocks only say when to give up waiting. All times are by a controller's clock. Whoever looks
//! says how long the look took and no time: its clock may be another machine's, and minutes off. Of two controllers whose
//! clocks differ one finds the other's claims too old, and makes its own.
//!
//! A DELETE that the API server refuses is withdrawn at once, by whoever sent it, and the server is left alone for a while like
//! one that does not answer.
//!
//! A claim whose look comes to nothing three times in a row (too late, or too old by the time it is seen) counts as one without
//! an answer.
//!
//! ```text
//!   claim  what stands in the GameServer's annotation
//!   protect  which servers are protected
//!   step   the next arrow for one server: the one transition function of controller and model
//!   patch  the writes
//!   model  all of it explored, with all who take part (in tests)
//! ```

mod claim;
#[cfg(test)]
mod model;
mod patch;
mod protect;
mod step;

pub use claim::{Claim, Phase};
pub use patch::{Look, claimed_patch, given_back, is_withdrawn, looked_patch, turned_patch, withdraw_pod};
pub use protect::{Protection, has_ended, is_guarded, is_removable};
pub use step::{COMMIT_LASTS, LOOK_LASTS, Seen, Step, backoff, is_skipped, step};

pub(crate) use protect::{allows_removal, is_free};
