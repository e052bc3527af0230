//! Gamewarden's admission webhook. See [`webhook`].

use clap::Parser;

/// Takes less time than the C library's for the many small pieces that a JSON value is.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    webhook::cli::Cli::parse().run()
}
