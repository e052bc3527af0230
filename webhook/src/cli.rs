//! The command line, and what each command runs.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::{Args, Parser, Subcommand};
use gamewarden_api::admission::Settings;
use gamewarden_api::guard::Rules;
use gamewarden_certs::{
    Follower, IssueError, Served, ServedMetrics, ServerConfigError, dns_names, self_signed, server_config,
    server_config_with,
};
use gamewarden_runtime::{Process, RuntimeArgs, Threads};
use jiff::Timestamp;
use kube::Client;
use kube::config::InferConfigError;
use rustls::ServerConfig;

use crate::cache::{CacheMetrics, Known};
use crate::metrics::GuardMetrics;
use crate::rules::RulesArgs;
use crate::server::{Limits, Server};
use crate::{Guard, WebhookMetrics, app, check::CheckArgs};

/// The validity of a certificate of this process alone, which nobody is told to trust.
const TRIAL_VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);

/// The API server ends a watch after at most five minutes; one that is silent for longer is dead.
const WATCH_SILENCE: Duration = Duration::from_secs(330);

/// Gamewarden's admission webhook for GameServerSets and what belongs to them
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the API server's admission reviews over HTTPS, until SIGTERM
    Serve(ServeArgs),
    /// Say what is wrong with files, without a cluster: exit code 0 nothing, 1 something, 2 a file cannot be read
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Where /validate and /mutate are served (HTTPS)
    #[arg(long, default_value = "0.0.0.0:8443", value_name = "IP:PORT")]
    addr: SocketAddr,

    /// Secret with the serving certificate (tls.crt, tls.key, ca.crt); followed, so that another one is served as soon
    /// as it is there. Without it a certificate of this process alone is served, for trials
    #[arg(long, value_name = "NAME")]
    certificate_secret: Option<String>,

    /// Namespace of that Secret and of the webhook's Service
    #[arg(long, env = "POD_NAMESPACE", default_value = "gamewarden-system", value_name = "NAME")]
    namespace: String,

    /// The webhook's Service: a certificate that is not for its names is not taken
    #[arg(long, default_value = "gamewarden-webhook", value_name = "NAME")]
    service: String,

    /// Who is never refused, besides kubelets and Kubernetes' own controllers: the accounts of Gamewarden's controller and
    /// prober, as `system:serviceaccount:gamewarden-system:gamewarden-controller`, and in external mode those of
    /// OpenKruiseGame's controller and Kruise's
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    exempt_users: Vec<String>,

    #[command(flatten)]
    rules: RulesArgs,

    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// Why the webhook could not serve.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Issue(#[from] IssueError),
    #[error(transparent)]
    ServerConfig(#[from] ServerConfigError),
    #[error("cannot listen on --addr {addr}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("no way to reach a Kubernetes API server, for --certificate-secret")]
    Config(#[from] InferConfigError),
    #[error("cannot make a client")]
    Client(#[from] Box<kube::Error>),
    #[error("nothing follows the Secret, or the cluster, any more")]
    Followed,
}

impl Cli {
    /// Runs the command; the exit code is 0 if it did what was asked.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Check(args) => args.run(),
            Command::Serve(args) => {
                let runtime = args.runtime.clone();
                gamewarden_runtime::run(&runtime, Threads::EachProcessor, async |process| {
                    serve(args, process).await
                })
            }
        }
    }
}

async fn serve(args: ServeArgs, process: Process) -> Result<(), ServeError> {
    let listening = process.health.readiness("listener");
    let metrics = process.metrics.register(WebhookMetrics::registered);
    let limits = Limits::default();
    let settings: Settings = args.rules.into();
    let names = dns_names(&args.service, &args.namespace);
    let Some(secret) = args.certificate_secret else {
        tracing::warn!(
            "no --certificate-secret: serving a certificate of this process alone, guarding no servers"
        );
        let tls = server_config(&self_signed(&names, Timestamp::now(), TRIAL_VALIDITY)?)?;
        let router = app::router(metrics, limits.request, app::rules(settings));
        let server = bind(args.addr, tls, router, limits).await?;
        listening.set(true);
        server.serve(&process.shutdown).await;
        return Ok(());
    };
    let known = Known::default();
    let rules = Rules { mode: settings.mode, exempt: args.exempt_users };
    let guard = Guard::new(rules, known.clone(), process.metrics.register(GuardMetrics::registered));
    let served = Served::new();
    let tls = server_config_with(Arc::new(served.clone()))?;
    let router = app::router(metrics, limits.request, app::guarded_rules(settings, Some(guard)));
    let server = bind(args.addr, tls, router, limits).await?;
    let certificate = process.health.readiness("certificate");
    let filled = process.health.readiness("cache");
    // The first is the one by which API servers call.
    let names = names.into_iter().take(1).collect();
    let follower = Follower { served, names, metrics: process.metrics.register(ServedMetrics::registered) };
    let counted = process.metrics.register(|registry| CacheMetrics::registered(registry, &known));
    let client = client().await?;
    listening.set(true);
    // Certificate and cluster are followed to the end of the drain: what is asked until then is answered.
    tokio::select! {
        () = server.serve(&process.shutdown) => Ok(()),
        () = follower.run(client.clone(), &args.namespace, &secret, |valid| certificate.set(valid)) => {
            Err(ServeError::Followed)
        }
        () = known.follow(client, &filled, &counted) => Err(ServeError::Followed),
    }
}

async fn bind(
    addr: SocketAddr,
    tls: ServerConfig,
    router: Router,
    limits: Limits,
) -> Result<Server, ServeError> {
    Server::bind(addr, tls, router, limits).await.map_err(|source| ServeError::Listen { addr, source })
}

async fn client() -> Result<Client, ServeError> {
    let mut config = kube::Config::infer().await?;
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = Some(WATCH_SILENCE);
    config.write_timeout = Some(WATCH_SILENCE);
    Ok(Client::try_from(config).map_err(Box::new)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn defaults() {
        Cli::command().debug_assert();
        let Command::Serve(args) = Cli::try_parse_from(["webhook", "serve"]).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(args.addr.to_string(), "0.0.0.0:8443");
        assert_eq!(args.certificate_secret, None);
        assert_eq!(args.service, "gamewarden-webhook");
        assert_eq!(args.runtime.admin.admin_addr.to_string(), "0.0.0.0:8080");
    }
}
