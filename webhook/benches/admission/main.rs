//! What admission costs: real AdmissionReviews over TLS, at several sizes and numbers of connections, and beside each
//! the floor: the same server, which reads only the uid and answers "allowed".
//!
//! Each server is a process of its own (this program once more), so that its processor time and memory are its own and
//! not the load's. Load and server share the machine's cores; rounds of both alternate, and ratios say more than times.
//!
//!   cargo bench -p webhook --bench admission -- [--json FILE] [--quick] [--size 2000] [--million]

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench, which ends where something is not as it should be, and says so"
)]

mod body;
mod load;
mod process;
mod serve;

use std::{env, fs};

use serde_json::{Value, json};

use body::Body;
use load::Load;
use process::Child;
use serve::Kind;

/// As the webhook itself has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Processor time, latencies and memory of one server under one load.
#[derive(Debug, Default)]
struct Figures {
    requests: u64,
    refused: u64,
    seconds: f64,
    cpu: f64,
    latencies: Vec<u32>,
    rss: u64,
}

impl Figures {
    fn add(&mut self, load: load::Done, cpu: f64, rss: u64) {
        self.requests += load.requests;
        self.refused += load.refused;
        self.seconds += load.seconds;
        self.cpu += cpu;
        self.latencies.extend(load.latencies);
        self.rss = self.rss.max(rss);
    }

    /// Milliseconds, by which a share of all requests had their answer.
    fn percentile(&mut self, share: f64) -> f64 {
        self.latencies.sort_unstable();
        let last = self.latencies.len().saturating_sub(1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (last as f64 * share) as usize;
        self.latencies.get(at).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }

    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// Seconds of processor time for 10,000 requests.
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn cpu_per_10_000(&self) -> f64 {
        self.cpu * 10_000.0 / self.requests as f64
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some(kind) = Kind::asked_for() {
        return serve::serve(kind);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let value = |flag: &str| {
        arguments.iter().position(|argument| argument == flag).and_then(|at| arguments.get(at + 1)).cloned()
    };
    let (rounds, seconds) = if has("--quick") { (1, 0.5) } else { (3, 3.0) };
    println!(
        "{:>7} {:>5} {:>6} | {:>9} {:>8} {:>8} {:>11} {:>7} {:>8}",
        "body", "conns", "server", "req/s", "p50 ms", "p99 ms", "cpu s/10k", "x floor", "rss MiB"
    );
    let mut rows = Vec::new();
    let only: Option<usize> = value("--size").map(|size| size.parse().unwrap());
    for size in [2_000, 20_000, 1_000_000].into_iter().filter(|size| only.is_none_or(|only| only == *size)) {
        let body = Body::of_size(size);
        for connections in [1, 16, 256] {
            rows.extend(compare(&body, connections, rounds, seconds));
        }
    }
    let million = has("--million").then(|| a_million(&Body::of_size(2_000)));
    if let Some(file) = value("--json") {
        let all = json!({"rows": rows, "rss_mib_after_a_million": million});
        fs::write(file, format!("{all:#}\n")).unwrap();
    }
}

/// Floor and rules in turn, under the same load.
fn compare(body: &Body, connections: usize, rounds: usize, seconds: f64) -> Vec<Value> {
    let servers = [Kind::Floor, Kind::Rules].map(|kind| (kind, Child::start(kind)));
    let mut figures = [Figures::default(), Figures::default()];
    for (_, server) in &servers {
        // What is made once, on first use, is not what a request costs.
        Load { connections, seconds: 0.2 }.run(server.addr, &server.ca, body);
    }
    for _ in 0..rounds {
        for ((_, server), figures) in servers.iter().zip(&mut figures) {
            let before = server.cpu();
            let done = Load { connections, seconds }.run(server.addr, &server.ca, body);
            figures.add(done, server.cpu() - before, server.rss());
        }
    }
    let floor = figures[0].cpu_per_10_000();
    let rows = servers.iter().zip(&mut figures).map(|((kind, _), figures)| {
        let row = json!({
            "body": body.size(), "connections": connections, "server": kind.name(),
            "requests": figures.requests, "refused": figures.refused, "per_second": figures.per_second(),
            "p50_ms": figures.percentile(0.5), "p99_ms": figures.percentile(0.99),
            "cpu_s_per_10000": figures.cpu_per_10_000(), "cpu_of_floor": figures.cpu_per_10_000() / floor,
            "rss_mib": figures.rss / 1024,
        });
        print(&row);
        row
    });
    rows.collect()
}

fn print(row: &Value) {
    let number = |name: &str| row[name].as_f64().unwrap();
    println!(
        "{:>7} {:>5} {:>6} | {:>9.0} {:>8.2} {:>8.2} {:>11.3} {:>7.2} {:>8}{}",
        row["body"],
        row["connections"],
        row["server"].as_str().unwrap(),
        number("per_second"),
        number("p50_ms"),
        number("p99_ms"),
        number("cpu_s_per_10000"),
        number("cpu_of_floor"),
        row["rss_mib"],
        if row["refused"] == 0 {
            String::new()
        } else {
            format!("  ({} of {} refused: 503)", row["refused"], row["requests"])
        },
    );
}

/// The memory of a server that has answered a million requests, in MiB.
fn a_million(body: &Body) -> u64 {
    let server = Child::start(Kind::Rules);
    let mut requests = 0;
    while requests < 1_000_000 {
        requests += Load { connections: 16, seconds: 10.0 }.run(server.addr, &server.ca, body).requests;
        println!("{requests} requests: {} MiB", server.rss() / 1024);
    }
    server.rss() / 1024
}
