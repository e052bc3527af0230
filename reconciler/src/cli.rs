//! The command line.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use futures::future::{OptionFuture, pending};
use gamewarden_api::schedule::Hosts;
use gamewarden_runtime::{AdminArgs, LogArgs, LogFormat, Process, RuntimeArgs, Threads, run};
use kube::{Client, client::ClientBuilder, config::InferConfigError};

use crate::{
    certificates::CertificateArgs,
    controller, install,
    lease::{self, Elector, Fence, LeaseMetrics, Lost},
    probe::{self, Cri, CriMetrics, CriSettings, OwnPod, Probers},
    prober,
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
    Controller(Box<ControllerArgs>),
    /// Probes the game servers of one node, over the node's container runtime, and writes what it sees.
    Prober(Box<ProberArgs>),
    /// Says whether the Gamewarden of this cluster works: exit code 0 if so, else 1 and what is wrong. Changes
    /// nothing. `helm test` runs it.
    CheckInstall(CheckInstallArgs),
}

#[derive(Debug, clap::Args)]
struct CheckInstallArgs {
    /// Namespace that the chart was installed in.
    #[arg(long, env = "POD_NAMESPACE", default_value = "gamewarden-system")]
    namespace: String,
    /// How long to wait until all is well.
    #[arg(long, default_value_t = 60)]
    timeout_seconds: u64,
    /// The definitions have to be exactly those of this release.
    #[arg(long)]
    own_definitions: bool,
    /// Namespace in which sets are tried, as dry runs: one that the webhook is asked about, so not the chart's own.
    #[arg(long, default_value = "default", value_name = "NAMESPACE")]
    try_in: String,
    /// There is no webhook (webhook.replicas=0), and no configurations that ask one.
    #[arg(long)]
    without_webhook: bool,
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
    /// Which hosts the `host` fields of httpGet and tcpSocket probes may name. The controller may reach what the
    /// authors of sets may not, and the answer is shown to them.
    #[arg(long, value_enum, default_value_t = ProbeHosts::PodsOnly)]
    probe_hosts: ProbeHosts,
    /// Namespace of the Leases of node probers. Nodes whose Lease is live are left to them. Without this every node is
    /// probed from here.
    #[arg(long, value_name = "NAMESPACE")]
    prober_namespace: Option<String>,
    /// Who makes pods and GameServers.
    #[arg(long, value_enum, default_value_t = Workloads::Managed)]
    workloads: Workloads,
    #[command(flatten)]
    certificates: CertificateArgs,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

#[derive(Debug, clap::Args)]
struct ProberArgs {
    /// The node, which is also the name of the Lease.
    #[arg(long, env = "NODE_NAME")]
    node_name: String,
    /// Namespace of the Lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "gamewarden-probers")]
    lease_namespace: String,
    /// Name of this process in the Lease; a random part is added.
    #[arg(long, env = "POD_NAME", default_value = "prober")]
    identity: String,
    /// The container runtime's socket. Without this it is looked for in the known places (docs/node-prober.md).
    #[arg(long, value_name = "PATH")]
    cri_socket: Option<PathBuf>,
    /// Where the node's own folders are, to look for the socket in.
    #[arg(long, value_name = "PATH", default_value = "/")]
    host_root: PathBuf,
    /// Whether commands are run by a shell that stays in the container. That needs the node's network.
    #[arg(long, value_enum, default_value_t = Resident::Auto)]
    resident: Resident,
    /// How many probes may run at once.
    #[arg(
        long,
        default_value_t = probe::DEFAULT_MAX_IN_FLIGHT,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    concurrent_probes: u16,
    /// Which hosts the `host` fields of httpGet and tcpSocket probes may name. The prober may reach what the authors of
    /// sets may not, and the answer is shown to them.
    #[arg(long, value_enum, default_value_t = ProbeHosts::PodsOnly)]
    probe_hosts: ProbeHosts,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// Whether commands are run by a shell that stays in the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Resident {
    /// Where the container has a shell.
    Auto,
    /// Never: each is started by the runtime.
    Off,
}

/// Who makes pods and GameServers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Workloads {
    /// This controller.
    Managed,
    /// OpenKruiseGame's, with Kruise: this one makes, probes and deletes nothing, and keeps the webhook's certificates.
    External,
}

/// Which hosts probes may ask.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ProbeHosts {
    /// A pod, at its own addresses.
    PodsOnly,
    /// Any host but this machine, its link and clouds' metadata services.
    Any,
}

impl From<ProbeHosts> for Hosts {
    fn from(hosts: ProbeHosts) -> Self {
        match hosts {
            ProbeHosts::PodsOnly => Self::PodsOnly,
            ProbeHosts::Any => Self::Any,
        }
    }
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
    #[error(transparent)]
    Prober(#[from] prober::Error),
    #[error("the container runtime cannot be asked")]
    Cri(#[from] probe::CriError),
    #[error("TLS cannot be used for probes")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Install(#[from] install::Error),
}

impl Cli {
    /// Runs the role until it is told to end.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.role {
            Role::Controller(args) => {
                let runtime = args.runtime.clone();
                run(&runtime, Threads::EachProcessor, async |process| args.run(process).await)
            }
            Role::Prober(args) => {
                let runtime = args.runtime.clone();
                run(&runtime, Threads::One, async |process| args.run(process).await)
            }
            Role::CheckInstall(args) => {
                // Its answer is what it prints; nobody asks it for health or metrics.
                let runtime = RuntimeArgs {
                    log: LogArgs { log_level: "warn".to_owned(), log_format: LogFormat::Text },
                    admin: AdminArgs { admin_addr: SocketAddr::from(([127, 0, 0, 1], 0)) },
                };
                run(&runtime, Threads::One, async |process| args.run(process).await)
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
        let clients = controller::Clients {
            watch: client(patient(config.clone(), WATCH_SILENCE))?,
            write: fenced(patient(config.clone(), WRITE_SILENCE), &fence).map_err(Box::new)?,
            probe: probe::client(config, &fence).map_err(Box::new)?,
        };
        let keeper = self.certificates.keeper(&clients.write, &self.lease_namespace, &process);
        let keep = keeper.map(|keeper| keeper.run(clients.watch.clone(), process.shutdown.token()));
        let work = self.work(clients, &process);
        // Nothing that happens to certificates ends the work on game servers; they are kept for as long as it goes on.
        let keep = async {
            OptionFuture::from(keep).await;
            pending().await
        };
        let both = async {
            tokio::select! {
                result = work => result,
                never = keep => never,
            }
        };
        leadership.run(both).await??;
        Ok(())
    }

    /// The work on game servers, until the shutdown.
    async fn work(&self, clients: controller::Clients, process: &Process) -> Result<(), controller::Error> {
        let stop = process.shutdown.token();
        match self.workloads {
            Workloads::Managed => {
                let settings = controller::Config {
                    concurrent_probes: self.concurrent_probes.into(),
                    probe_hosts: self.probe_hosts.into(),
                    prober_namespace: self.prober_namespace.clone(),
                };
                controller::run(clients, &settings, process, stop).await
            }
            Workloads::External => {
                tracing::info!("game servers are OpenKruiseGame's: none is made, probed or deleted here");
                stop.cancelled().await;
                Ok(())
            }
        }
    }
}

impl ProberArgs {
    async fn run(self, process: Process) -> Result<(), Error> {
        let kubernetes = kube::Config::infer().await?;
        let client = |config: kube::Config| Client::try_from(config).map_err(Box::new);
        let settings = CriSettings {
            socket: self.cri_socket,
            host: self.host_root,
            resident: self.resident == Resident::Auto,
            own: Some(OwnPod { namespace: self.lease_namespace.clone(), name: self.identity.clone() }),
        };
        let cri = Cri::new(settings, process.metrics.register(CriMetrics::register))?;
        let probers = Probers::on_node(cri.clone())?;
        let watched = client(patient(kubernetes.clone(), WATCH_SILENCE))?;
        let node = prober::Node::watch(&self.node_name, watched, &process);
        let config = prober::Config {
            node: self.node_name,
            concurrent_probes: self.concurrent_probes.into(),
            probe_hosts: self.probe_hosts.into(),
        };
        let metrics = process.metrics.register(LeaseMetrics::registered);
        let stop = process.shutdown.token();
        // Each turn is another holder of the Lease: what an earlier one may have left on its way is not this one's. The process
        // goes on also where the Lease was lost (its machine, or the API server, was too busy): what it did is dropped and its
        // client fenced, and the shells in the containers, of which each costs a container exec, are there for the next turn.
        while node.wait_until_able(&cri, &stop).await {
            let elector = Elector::new(
                client(lease::client_config(kubernetes.clone(), &prober::LEASE))?,
                &self.lease_namespace,
                &config.node,
                lease::identity(&self.identity),
                prober::LEASE,
                metrics.clone(),
            )?;
            let write =
                fenced(patient(kubernetes.clone(), WRITE_SILENCE), &elector.fence()).map_err(Box::new)?;
            let Some(leadership) = elector.acquire(&process.shutdown).await else { return Ok(()) };
            let work = node.probe(write, probers.clone(), &cri, &config, &stop);
            match leadership.run(work).await {
                Ok(ended) => match ended? {
                    prober::End::Stopped => return Ok(()),
                    prober::End::Unable => {}
                },
                Err(lost @ (Lost::Deadline { .. } | Lost::Taken { .. })) => {
                    let error = &lost as &dyn std::error::Error;
                    tracing::warn!(error, "the node is left to the controller until its Lease is held again");
                }
                Err(died @ Lost::Died(_)) => return Err(died.into()),
            }
        }
        Ok(())
    }
}

impl CheckInstallArgs {
    async fn run(self, process: Process) -> Result<(), Error> {
        let config = install::client_config(kube::Config::infer().await?);
        let client = Client::try_from(config).map_err(Box::new)?;
        let config = install::Config {
            namespace: self.namespace,
            patience: Duration::from_secs(self.timeout_seconds),
            own_definitions: self.own_definitions,
            try_in: self.try_in,
            has_webhook: !self.without_webhook,
        };
        Ok(install::run(client, &config, &process.shutdown, &mut io::stdout()).await?)
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
