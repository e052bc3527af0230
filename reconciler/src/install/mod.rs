//! `check-install`: does the Gamewarden of this cluster work? `helm test` runs it, as a pod of the release.
//!
//! ```text
//!   look    asks the cluster: gets, and creates that are dry runs        → Seen
//!   judge   what of it is as it should be, and what is wrong (pure)      → [Finding]
//! ```
//!
//! Both are done again until all is well or the time is up, since a test may follow an install that was not
//! waited for, and since a lease is fresh only when it has been seen to change.

mod judge;
#[cfg(test)]
mod judge_tests;
mod look;

use std::{
    io::{self, Write},
    time::Duration,
};

use gamewarden_api::types::NoSuchField;
use gamewarden_runtime::Shutdown;
use kube::Client;
use tokio::time::{Instant, sleep};

pub use judge::{Answer, Finding, Problem, Refusal, Seen, judge};
pub use look::{Look, client_config};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What is checked, and for how long.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the chart was installed.
    pub namespace: String,
    /// How long to wait until all is well.
    pub patience: Duration,
    /// Whether the definitions have to be exactly those that this program was built with. Not so where somebody
    /// else supplies them.
    pub own_definitions: bool,
    /// Where dry runs create sets: a namespace that the webhook is asked about.
    pub try_in: String,
    /// Whether there should be a webhook.
    pub has_webhook: bool,
}

/// Why the check ended without success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is wrong; what, has been printed.
    #[error("{failed} of {all} checks failed")]
    Failed {
        /// How many of them.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// It was told to end before it knew.
    #[error("told to end before all was well")]
    Interrupted,
    /// The definitions that this program was built with do not hold together.
    #[error("this program's own definitions do not hold together")]
    Definitions(#[from] NoSuchField),
    /// The findings could not be printed.
    #[error("cannot print what was found")]
    Print(#[from] io::Error),
}

/// Looks until all is well, the time is up, or the shutdown; prints the last findings, a line each, to `out`.
///
/// # Errors
/// All is not well.
pub async fn run(
    client: Client,
    config: &Config,
    shutdown: &Shutdown,
    out: &mut impl Write,
) -> Result<(), Error> {
    let mut look = Look::new(client, config)?;
    let deadline = Instant::now() + config.patience;
    loop {
        let findings = judge(&look.at_cluster().await);
        let failed = findings.iter().filter(|finding| finding.problem.is_some()).count();
        if failed == 0 || Instant::now() >= deadline || shutdown.is_draining() {
            for finding in &findings {
                writeln!(out, "{finding}")?;
            }
            if !config.has_webhook {
                writeln!(
                    out,
                    "note    there is no webhook (webhook.replicas=0): fewer mistakes are refused, nothing is filled in"
                )?;
            }
            return match failed {
                0 => Ok(()),
                _ if shutdown.is_draining() => Err(Error::Interrupted),
                _ => Err(Error::Failed { failed, all: findings.len() }),
            };
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = shutdown.started() => {}
        }
    }
}
