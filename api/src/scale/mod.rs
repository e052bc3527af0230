//! Which servers there should be, and who goes first.
//!
//! ```text
//!   ordinals     a set of ordinals, kept as ranges
//!   reserve_ids  spec.reserveGameServerIds → ordinals, and what cannot be read
//!   bound        maxUnavailable, a number or a percentage → how many
//!   order        which of two servers scale-down takes first
//!   plan         replicas, reserved ordinals, servers → what to remove and to create
//! ```

mod bound;
mod order;
mod ordinals;
mod plan;
#[cfg(test)]
mod plan_properties;
#[cfg(test)]
mod plan_tests;
mod reserve_ids;
#[cfg(test)]
mod world;

pub use bound::{BoundError, max_unavailable};
pub use order::priority;
pub use ordinals::{Ordinals, OrdinalsError};
pub use plan::{Input, Leave, ScalePlan, Server, Why, plan};
pub(crate) use reserve_ids::parse_reserve_id;
pub use reserve_ids::{ReserveIdFault, ReserveIdProblem, ReserveIds};
