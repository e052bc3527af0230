//! The command line.

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use gamewarden_runtime::{Process, RuntimeArgs, run};
use kube::{Client, client::ClientBuilder, config::InferConfigError};

use crate::{
    controller,
    lease::{self, Elector, Fence, LeaseMetrics, Lost},
    probe,
};

/// Gamewarden's reconciler.
#[derive(Debug, Parser)]
#[command(name = "reconciler", version, about)]
pub struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Makes game servers from sets, probes them, and writes what it sees. One of several replicas works,
    /// the others wait for its lease.
    Controller(ControllerArgs),
}

#[derive(Debug, clap::Args)]
struct ControllerArgs {
    /// Namespace of the lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    lease_namespace: String,
    /// Name of the lease.
    #[arg(long, default_value = "gamewarden-controller")]
    lease_name: String,
    /// Name of this replica in the lease; a random part is added.
    #[arg(long, env = "POD_NAME", default_value = "reconciler")]
    identity: String,
    /// How many probes may run at once.
    #[arg(
        long,
        default_value_t = probe::DEFAULT_MAX_IN_FLIGHT,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    concurrent_probes: u16,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// Why the process ends.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no way to reach a Kubernetes API server")]
    Config(#[from] InferConfigError),
    #[error("cannot make a client")]
    Client(#[from] Box<kube::Error>),
    #[error(transparent)]
    Election(#[from] lease::ConfigError),
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error(transparent)]
    Controller(#[from] controller::Error),
}

impl Cli {
    /// Runs the role until it is told to end.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.role {
            Role::Controller(args) => {
                let runtime = args.runtime.clone();
                run(&runtime, async |process| args.run(process).await)
            }
        }
    }
}

impl ControllerArgs {
    async fn run(self, process: Process) -> Result<(), Error> {
        let config = kube::Config::infer().await?;
        let client = |config: kube::Config| Client::try_from(config).map_err(Box::new);
        let election = lease::Config::default();
        let elector = Elector::new(
            client(lease::client_config(config.clone(), &election))?,
            &self.lease_namespace,
            &self.lease_name,
            lease::identity(&self.identity),
            election,
            process.metrics.register(LeaseMetrics::registered),
        )?;
        let fence = elector.fence();
        // A replica that waits for the lease does all that is asked of it.
        process.health.readiness("election").set(true);
        let Some(leadership) = elector.acquire(&process.shutdown).await else { return Ok(()) };
        let settings = controller::Config { concurrent_probes: self.concurrent_probes.into() };
        let work = controller::run(
            controller::Clients {
                watch: client(patient(config.clone(), WATCH_SILENCE))?,
                write: fenced(patient(config.clone(), WRITE_SILENCE), &fence).map_err(Box::new)?,
                probe: probe::client(config).map_err(Box::new)?,
            },
            &settings,
            &process,
            process.shutdown.token(),
        );
        leadership.run(work).await??;
        Ok(())
    }
}

/// The API server ends a watch after at most five minutes; one that is silent for longer is dead.
const WATCH_SILENCE: Duration = Duration::from_secs(330);
/// Longer than the API server takes over a write when it is well.
const WRITE_SILENCE: Duration = Duration::from_secs(15);

/// A client that asks for nothing once this process does not lead.
fn fenced(config: kube::Config, fence: &Fence) -> Result<Client, kube::Error> {
    Ok(ClientBuilder::try_from(config)?.with_layer(&fence.layer()).build())
}

/// A client that gives up on a connection that says nothing, and never repeats a request by itself: who
/// asked knows better whether and when to ask again.
fn patient(mut config: kube::Config, silence: Duration) -> kube::Config {
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = Some(silence);
    config.write_timeout = Some(silence);
    config
}
