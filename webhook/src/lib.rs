//! The admission webhook: AdmissionReview in, verdict out.
//!
//! ```text
//!  TLS port ─▶ server (connections: bounded, timed, drained)
//!                └▶ app (requests: method, type, size, memory; counted)
//!                     └▶ review (bytes → request), judge (request → answer, by the rules of
//!                        gamewarden_api::admission), answer (as the API server wants it): pure
//!                     └▶ guard (requests that would take a server in use, by gamewarden_api::guard)
//!  watches ───▶ cache (sets and GameServers, and whether that is so now) ─▶ guard
//! ```
//!
//! The certificate is the `certs` crate's: it follows a Secret, and new connections are shown what is in it.

mod answer;
pub mod app;
mod cache;
mod check;
pub mod cli;
mod guard;
mod idle;
pub mod judge;
mod memory;
mod metrics;
mod refusal;
pub mod review;
mod rules;
pub mod server;

pub use answer::Answer;
pub use guard::Guard;
pub use metrics::WebhookMetrics;
pub use refusal::Refusal;
