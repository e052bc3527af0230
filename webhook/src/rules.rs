//! What the command line says of the installation, for the rules.

use clap::{Args, ValueEnum};
use gamewarden_api::admission::{Mode, Settings};

/// What the rules have to know, for the server as for `check`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct RulesArgs {
    /// Who makes the pods: Gamewarden (managed) or OpenKruiseGame's controller (external)
    #[arg(long, value_enum, default_value_t = WorkloadsMode::Managed)]
    workloads_mode: WorkloadsMode,

    /// Nodes have a prober of their own: exec probes are cheap
    #[arg(long)]
    node_prober: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WorkloadsMode {
    Managed,
    External,
}

impl From<RulesArgs> for Settings {
    fn from(args: RulesArgs) -> Self {
        let mode = match args.workloads_mode {
            WorkloadsMode::Managed => Mode::Managed,
            WorkloadsMode::External => Mode::External,
        };
        Self { mode, node_prober: args.node_prober }
    }
}
