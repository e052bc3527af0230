//! Runs a command in a container as the node's prober does, so often, and prints what came of it: a line of JSON each.
//!
//! It must run where the runtime is: `tests/cluster/node node-probe …`.

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use clap::Parser;
use gamewarden_api::{quality::Outcome, schedule::Handler};
use prometheus_client::registry::Registry;
use reconciler::probe::{Cri, CriMetrics, CriSettings, ProbeTarget, Prober, Probers};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// The runtime's socket; looked for in the known places unless given.
    #[arg(long)]
    socket: Option<PathBuf>,
    /// Each command by ExecSync.
    #[arg(long)]
    no_resident: bool,
    /// How often.
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// How many at once.
    #[arg(long, default_value_t = 1)]
    parallel: usize,
    /// Milliseconds from one start to the next; 0: at once.
    #[arg(long, default_value_t = 0)]
    period: u64,
    /// Seconds.
    #[arg(long, default_value_t = 5)]
    timeout: u64,
    /// Prints what was counted, too, at the end.
    #[arg(long)]
    metrics: bool,
    /// Of the pod.
    namespace: String,
    /// Its name.
    pod: String,
    /// The container's name.
    container: String,
    /// The container's id, as the pod's status has it.
    id: String,
    /// What to run.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut registry = Registry::default();
    let mut settings = CriSettings { resident: !args.no_resident, ..CriSettings::default() };
    settings.socket = args.socket;
    let prober = Probers::on_node(Cri::new(settings, CriMetrics::register(&mut registry))?)?;
    let target = ProbeTarget {
        namespace: args.namespace,
        pod: args.pod,
        container: args.container,
        container_id: args.id,
        handler: Handler::Exec(args.command),
    };
    let mut turns = interval(Duration::from_millis(args.period.max(1)));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..args.times {
        if args.period > 0 {
            turns.tick().await;
        }
        let each = (0..args.parallel).map(|_| probe(&prober, &target, Duration::from_secs(args.timeout)));
        futures::future::join_all(each).await;
    }
    if args.metrics {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        say(&text);
    }
    Ok(())
}

async fn probe(prober: &Probers, target: &ProbeTarget, timeout: Duration) {
    let start = Instant::now();
    let answer = prober.probe(target, timeout).await;
    let millis = start.elapsed().as_secs_f64() * 1e3;
    let (outcome, text) = match answer.outcome {
        Outcome::Success { result } => ("success", result),
        Outcome::Failure { result } => ("failure", result),
        Outcome::Unknown { reason } => ("unknown", reason),
    };
    let line = json!({
        "outcome": outcome, "text": text, "gone": answer.gone, "hanging": answer.hanging.is_some(), "ms": millis,
    });
    say(&line.to_string());
}

#[expect(clippy::print_stdout, reason = "it is what this program is for")]
fn say(text: &str) {
    println!("{text}");
}
