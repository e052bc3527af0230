//! The certificates of an admission webhook: issued, kept, rotated, published and served. Nothing here knows what the
//! webhook judges.
//!
//! ```text
//!   controller (leads)                                          webhook (each replica)
//!   keeper ── look ──▶ policy (pure) ── one step ─┐             follower ── watches one Secret
//!     │        ▲ read (PEM → facts)               │                │ read: is it servable?
//!     │        └── secrets, configurations ◀──────┘                ▼
//!     ▼ writes                                                  Served ──▶ rustls, for new connections
//!   CA Secret · serving Secret · caBundles · events
//! ```

mod configurations;
mod contest;
#[cfg(test)]
mod fake_api;
mod follower;
pub mod issue;
mod keeper;
mod metrics;
mod news;
pub mod policy;
pub mod read;
mod secrets;
mod server;

pub use follower::{Follower, Served, servable};
pub use issue::{BACKDATED, IssueError, Issued, ServingCert, self_signed};
pub use keeper::{Config, KeepError, Keeper, dns_names};
pub use metrics::{KeeperMetrics, ServedMetrics};
pub use policy::Settings;
pub use secrets::ROTATE;
pub use server::{ServerConfigError, server_config, server_config_with};
