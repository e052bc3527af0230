//! The command line, and what each command runs.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use gamewarden_certs::{IssueError, ServerConfigError, self_signed, server_config};
use gamewarden_runtime::{Process, RuntimeArgs};
use jiff::Timestamp;

use crate::rules::RulesArgs;
use crate::server::{Limits, Server};
use crate::{WebhookMetrics, app, check::CheckArgs};

/// The name in the certificate. Nobody checks it before there is a webhook configuration, and then
/// the certificate comes from elsewhere.
const DNS_NAME: &str = "gamewarden-webhook";

/// A process that runs longer than this would have to be restarted to be trusted again.
const CERTIFICATE_VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);

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
}

impl Cli {
    /// Runs the command; the exit code is 0 if it did what was asked.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Check(args) => args.run(),
            Command::Serve(args) => {
                gamewarden_runtime::run(&args.runtime, async |process| serve(&args, process).await)
            }
        }
    }
}

async fn serve(args: &ServeArgs, process: Process) -> Result<(), ServeError> {
    let addr = args.addr;
    let ready = process.health.readiness("listener");
    let cert = self_signed(&[DNS_NAME.to_owned()], Timestamp::now(), CERTIFICATE_VALIDITY)?;
    let metrics = process.metrics.register(WebhookMetrics::registered);
    let limits = Limits::default();
    let router = app::router(metrics, limits.request, app::rules(args.rules.into()));
    let server = Server::bind(addr, server_config(&cert)?, router, limits)
        .await
        .map_err(|source| ServeError::Listen { addr, source })?;
    ready.set(true);
    server.serve(&process.shutdown).await;
    Ok(())
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
        assert_eq!(args.runtime.admin.admin_addr.to_string(), "0.0.0.0:8080");
    }
}
