//! Gamewarden's admission webhook. See [`webhook`].

use clap::Parser;

/// What is read of a request is many small values, made and dropped with it: with the allocator of the C library that costs
/// more, and the more threads there are (docs/results/admission.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    webhook::cli::Cli::parse().run()
}
