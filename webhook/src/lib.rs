//! The admission webhook: AdmissionReview in, verdict out.
//!
//! ```text
//!  TLS port ─▶ server (connections: bounded, timed, drained)
//!                └▶ app (requests: method, type, size, memory; counted)
//!                     └▶ review (bytes → request → answer: pure)
//! ```
//!
//! For now every well-formed review is allowed: the rules of design §5 come with their own issue.
//! The certificate is the `certs` crate's: it follows a Secret, and new connections are shown what is in it.

pub mod app;
mod check;
pub mod cli;
mod idle;
mod memory;
mod metrics;
mod refusal;
pub mod review;
pub mod server;

pub use metrics::WebhookMetrics;
pub use refusal::Refusal;
