//! The webhook's serving certificate.
//!
//! For now each webhook process makes one for itself at start: a CA that signs one leaf and is then
//! forgotten. That is enough as long as the chart registers no webhook configuration: the API server
//! does not call, so nobody has to trust it. Two replicas would otherwise need one CA between them;
//! the shared Secret, rotation and caBundle (design §7) come with their own issue.

mod issue;
mod server;

pub use issue::{IssueError, ServingCert, self_signed};
pub use server::{ServerConfigError, server_config};
