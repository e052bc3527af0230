//! One server: its pod, its GameServer, its state, its events.
//!
//! ```text
//!   pod         a set and an ordinal → the pod to make
//!   owner       who owns a pod, and whether a GameServer is that of an earlier one
//!   conditions  a pod, its node, its claims → what is wrong with them
//!   gameserver  a set and a pod → the GameServer to make
//!   pod_status  a pod's status → what the GameServer's shows of it
//!   state       a pod → how the server is
//!   transition  pod labels (what was acted on last) against GameServer and state (what is) → events
//!   quality_conditions  the pod's conditions that tell verdicts
//!   plan        all of it: what to write where, for one server
//! ```

pub mod conditions;
mod gameserver;
mod owner;
mod plan;
mod pod;
mod pod_status;
mod quality_conditions;
mod state;
mod transition;

pub use gameserver::ServerRef;
pub(crate) use owner::{controller, owner_reference};
pub use owner::{is_stale, owner_set};
pub use plan::{ServerPlan, Snapshot, plan};
pub use pod::{new_pod, volume_claims};
pub use quality_conditions::told_on_pod;
pub(crate) use state::condition;
