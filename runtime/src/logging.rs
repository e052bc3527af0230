//! Logs: to stderr, as text for people or JSON for collectors, filtered by one expression.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

/// Command line arguments that say what is logged and how.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// What to log: a level, or a list such as `info,kube=warn,reconciler::lease=debug`
    #[arg(
        long,
        env = "GAMEWARDEN_LOG",
        default_value = "info",
        value_name = "FILTER",
        value_parser = parse_filter
    )]
    pub log_level: String,

    /// How a log line is written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for log collectors.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter expression does not parse.
    #[error("--log-level is not a filter expression")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// This process already has a subscriber.
    #[error("logging is already set up in this process")]
    AlreadySet(#[from] TryInitError),
}

/// Sends this process' logs to stderr as `args` say. Works once per process.
///
/// # Errors
/// The filter does not parse, or logging is already set up.
pub fn init(args: &LogArgs) -> Result<(), LogError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let base = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&args.log_level)?)
        .with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Text => base.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => base.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

/// Refuses a bad filter as a usage error, with the rest of the command line.
fn parse_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        log: LogArgs,
    }

    #[test]
    fn filters_are_checked_with_the_command_line() {
        let cli = Cli::try_parse_from(["x", "--log-level", "info,kube=warn"]).unwrap();
        assert_eq!(cli.log.log_level, "info,kube=warn");

        let error = Cli::try_parse_from(["x", "--log-level", "kube=shout"]).unwrap_err();
        assert!(
            error.to_string().contains("invalid value 'kube=shout' for '--log-level <FILTER>'"),
            "{error}"
        );
    }

    #[test]
    fn formats() {
        let cli = Cli::try_parse_from(["x", "--log-format", "json"]).unwrap();
        assert_eq!(cli.log.log_format, LogFormat::Json);
        assert!(Cli::try_parse_from(["x", "--log-format", "xml"]).is_err());
    }
}
