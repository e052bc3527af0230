//! The metrics registry: every part of a process registers into it, `/metrics` reads it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::procfs::ProcessCollector;

/// The media type of [`Metrics::render`]: OpenMetrics text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of this process. Clones share one registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Metrics {
    /// A registry with what every process has: `gamewarden_build_info` and the `process_*` metrics.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        registry.register(
            "gamewarden_build",
            "The version of Gamewarden that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register_collector(Box::new(ProcessCollector::new()));
        Self { registry: Arc::new(Mutex::new(registry)) }
    }

    /// Lets `register` add metrics, and returns what it returns (mostly their handles). Names get no
    /// prefix: say the whole one, `gamewarden_…`, without the suffixes `_total` and `_info`.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All metrics as OpenMetrics text.
    ///
    /// # Errors
    /// A metric cannot be written, which is a fault of whoever registered it.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn renders_build_process_and_registered_metrics() {
        let metrics = Metrics::new();
        let things: Counter = Counter::default();
        metrics.register(|registry| {
            registry.register("gamewarden_things", "Things done", things.clone());
        });
        things.inc_by(3);

        let text = metrics.render().unwrap();
        let build = concat!("gamewarden_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n");
        assert!(text.contains(build), "{text}");
        assert!(text.contains("gamewarden_things_total 3\n"), "{text}");
        for name in [
            "process_cpu_seconds_total ",
            "process_open_fds ",
            "process_resident_memory_bytes ",
            "process_start_time_seconds ",
        ] {
            assert!(text.contains(&format!("\n{name}")), "{name} in {text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
