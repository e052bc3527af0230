//! What every Gamewarden process has: logging, one shutdown handle, health and metrics.
//!
//! [`run`] ties them together, so that a `main` is its command line and one call:
//!
//! ```no_run
//! # use clap::Parser;
//! use gamewarden_runtime::{RuntimeArgs, Threads};
//!
//! #[derive(Parser)]
//! struct Cli {
//!     #[command(flatten)]
//!     runtime: RuntimeArgs,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let cli = Cli::parse();
//!     gamewarden_runtime::run(&cli.runtime, Threads::EachProcessor, async |process| {
//!         let ready = process.health.readiness("cache");
//!         ready.set(true);
//!         process.shutdown.started().await;
//!         Ok::<(), std::io::Error>(())
//!     })
//! }
//! ```
//!
//! What a process does is its own business; nothing in here knows about game servers or admission.

pub mod admin;
pub mod health;
pub mod logging;
pub mod metrics;
mod process;
mod procfs;
pub mod shutdown;

pub use admin::{Admin, AdminArgs};
pub use health::{Health, Heartbeat, Readiness};
pub use logging::{LogArgs, LogFormat};
pub use metrics::Metrics;
pub use process::{Process, RuntimeArgs, RuntimeError, Threads, run};
pub use shutdown::Shutdown;
