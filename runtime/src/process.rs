//! The life of a process: set up, run its one task, end with an exit code.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use crate::admin::AdminError;
use crate::logging::LogError;
use crate::{Admin, AdminArgs, Health, LogArgs, Metrics, Shutdown, logging, shutdown};

/// How long tasks that the process left behind may take to end once its main task has.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// The arguments every Gamewarden process has; flatten them into the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct RuntimeArgs {
    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
    /// The admin port.
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// On how many threads a process does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// As many as there are processors.
    EachProcessor,
    /// One. What many small steps cost is mostly that threads wake each other for them.
    One,
}

/// What a process' main task is given.
#[derive(Debug, Clone)]
pub struct Process {
    /// Says when to end.
    pub shutdown: Shutdown,
    /// Where to say that it is ready and alive.
    pub health: Health,
    /// Where to register metrics.
    pub metrics: Metrics,
}

impl Process {
    /// A process that nothing drains yet and that has no checks; [`run`] makes the one that counts,
    /// tests make their own.
    #[must_use]
    pub fn new() -> Self {
        let shutdown = Shutdown::new();
        Self { health: Health::new(shutdown.clone()), shutdown, metrics: Metrics::new() }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a process could not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Logging.
    #[error("cannot set up logging")]
    Log(#[from] LogError),
    /// The async runtime.
    #[error("cannot start the async runtime")]
    Tokio(#[source] io::Error),
    /// Signal handlers.
    #[error("cannot install signal handlers")]
    Signals(#[source] io::Error),
    /// The admin port.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Another crypto provider was installed first.
    #[error("another TLS crypto provider is already installed")]
    CryptoProvider,
    /// The main task returned an error.
    #[error(transparent)]
    Main(Box<dyn Error + Send + Sync>),
}

/// Runs a whole process: logging, ring as the TLS provider, signals, the admin port, and `main` as
/// its one task. Returns 0 when `main` returns `Ok`; any error is logged with its causes and gives 1.
/// The first SIGTERM or SIGINT starts the drain of [`Process::shutdown`] (it is `main`'s to return
/// then, in bounded time), the second ends the process with 128 + its number.
pub fn run<F, E>(args: &RuntimeArgs, threads: Threads, main: F) -> ExitCode
where
    F: AsyncFnOnce(Process) -> Result<(), E>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    match try_run(args, threads, main) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn try_run<F, E>(args: &RuntimeArgs, threads: Threads, main: F) -> Result<(), RuntimeError>
where
    F: AsyncFnOnce(Process) -> Result<(), E>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    logging::init(&args.log)?;
    rustls::crypto::ring::default_provider().install_default().map_err(|_| RuntimeError::CryptoProvider)?;
    let mut tokio = match threads {
        Threads::EachProcessor => tokio::runtime::Builder::new_multi_thread(),
        Threads::One => tokio::runtime::Builder::new_current_thread(),
    };
    let tokio = tokio.enable_all().build().map_err(RuntimeError::Tokio)?;
    let result = tokio.block_on(async {
        let process = Process::new();
        let signals = shutdown::signals().map_err(RuntimeError::Signals)?;
        let shutdown = process.shutdown.clone();
        tokio::spawn(async move {
            if let Some(code) = shutdown.follow(signals).await {
                // Whatever waits, this ends it.
                std::process::exit(code.into());
            }
        });
        let admin =
            Admin::bind(args.admin.admin_addr, process.health.clone(), process.metrics.clone()).await?;
        tokio::spawn(admin.serve());
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
        main(process).await.map_err(|error| RuntimeError::Main(error.into()))
    });
    tokio.shutdown_timeout(LEFTOVERS);
    result
}

/// One log line with every cause. Where logging itself failed to start, that line goes nowhere, so
/// it is written to stderr as well.
fn report(error: &RuntimeError) {
    let chain = chain(error);
    if matches!(error, RuntimeError::Log(_)) {
        eprintln!("{chain}");
    }
    tracing::error!(error = %chain, "ending");
}

/// `error: cause: its cause`.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_with_their_causes() {
        let error = RuntimeError::Tokio(io::Error::other("no threads"));
        assert_eq!(chain(&error), "cannot start the async runtime: no threads");
        let error = RuntimeError::Main("lease lost".into());
        assert_eq!(chain(&error), "lease lost");
    }
}
