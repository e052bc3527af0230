//! Gamewarden's admission webhook. See [`webhook`].

use clap::Parser;

fn main() -> std::process::ExitCode {
    webhook::cli::Cli::parse().run()
}
