//! One server: its pod, its GameServer, its state, its events.
//!
//! ```text
//!   pod         a set and an ordinal → the pod to make
//!   gameserver  a set and a pod → the GameServer to make
//!   state       a pod → how the server is
//!   transition  pod labels (what was acted on last) against GameServer and state (what is) → events
//!   plan        all of it: what to write where, for one server
//! ```

mod gameserver;
mod plan;
mod pod;
mod state;
mod transition;

pub use gameserver::{new_game_server, template_metadata_hash};
pub use plan::{ServerPlan, Snapshot, plan};
pub use pod::{new_pod, volume_claims};
pub use state::current_state;
