//! The reconciler: see the library for what it does.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    reconciler::cli::Cli::parse().run()
}
