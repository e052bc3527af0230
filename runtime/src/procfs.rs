//! The `process_*` metrics, under the names that Prometheus' own client libraries use, read from
//! `/proc/self` at each scrape: three small files and one directory listing.

use std::fmt::Error;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Linux counts CPU and start times in ticks of USER_HZ, which is 100 on every architecture that
/// Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads this process' resource use. What `/proc` does not tell is left out, as those client
/// libraries do.
#[derive(Debug)]
pub(crate) struct ProcessCollector {
    /// Seconds since the epoch; does not change, so it is read once.
    start_time: Option<f64>,
}

impl ProcessCollector {
    pub(crate) fn new() -> Self {
        Self { start_time: start_time() }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        if let Some(stat) = read("/proc/self/stat").as_deref().and_then(parse_stat) {
            counter(
                &mut encoder,
                "process_cpu_seconds",
                "Total user and system CPU time spent in seconds",
                stat.cpu_seconds,
            )?;
        }
        if let Some(bytes) = read("/proc/self/status").as_deref().and_then(parse_rss) {
            gauge(&mut encoder, "process_resident_memory_bytes", "Resident memory size in bytes", bytes)?;
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // The listing itself holds one descriptor.
            let open = entries.count().saturating_sub(1);
            gauge(&mut encoder, "process_open_fds", "Number of open file descriptors", open as f64)?;
        }
        if let Some(seconds) = self.start_time {
            gauge(
                &mut encoder,
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds",
                seconds,
            )?;
        }
        Ok(())
    }
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), Error> {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), Error> {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What `/proc/self/stat` says.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    /// Since the machine's boot.
    start_seconds: f64,
}

/// Fields 14, 15 (utime, stime) and 22 (starttime) of proc(5). The second field is the program's
/// name in parentheses and may hold anything, so counting starts after the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |number: usize| -> Option<f64> { fields.get(number - 3)?.parse().ok() };
    Some(Stat {
        cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
        start_seconds: ticks(22)? / TICKS_PER_SECOND,
    })
}

/// `VmRSS:   12345 kB` of `/proc/self/status`, in bytes.
fn parse_rss(text: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// `btime` of `/proc/stat` (the boot, seconds since the epoch) plus the start since boot.
fn start_time() -> Option<f64> {
    let stat = parse_stat(&read("/proc/self/stat")?)?;
    let boot: f64 =
        read("/proc/stat")?.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + stat.start_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_odd_program_names() {
        let text = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 9 0 12345 1 2\n";
        assert_eq!(parse_stat(text), Some(Stat { cpu_seconds: 2.0, start_seconds: 123.45 }));
        assert_eq!(parse_stat("42 (x) S 1 2"), None);
    }

    #[test]
    fn rss_is_in_bytes() {
        assert_eq!(parse_rss("VmPeak:\t 9 kB\nVmRSS:\t    1024 kB\n"), Some(1_048_576.0));
        assert_eq!(parse_rss("VmPeak:\t 9 kB\n"), None);
    }

    #[test]
    fn this_process_started_a_short_while_ago() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let age = now - start_time().unwrap();
        assert!((-2.0..3600.0).contains(&age), "{age}");
    }
}
