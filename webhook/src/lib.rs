//! The admission webhook: AdmissionReview in, verdict out.
//!
//! ```text
//!  TLS port ─▶ server (connections: bounded, timed, drained)
//!                └▶ app (requests: method, type, size, memory; counted)
//!                     └▶ review (bytes → request), judge (request → answer, by the rules of
//!                        gamewarden_api::admission), answer (as the API server wants it): pure
//! ```
//!
//! The certificate is the `certs` crate's: it follows a Secret, and new connections are shown what is in it.

mod answer;
pub mod app;
mod check;
pub mod cli;
mod idle;
pub mod judge;
mod memory;
mod metrics;
mod refusal;
pub mod review;
mod rules;
pub mod server;

pub use answer::Answer;
pub use metrics::WebhookMetrics;
pub use refusal::Refusal;
