//! How old the cache is, as metrics.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::Known;

/// What is counted of the cache. Clones share their values.
#[derive(Clone, Debug)]
pub(crate) struct CacheMetrics {
    pub(super) watch_errors: Counter,
}

impl CacheMetrics {
    /// New metrics of this cache, registered.
    pub(crate) fn registered(registry: &mut Registry, known: &Known) -> Self {
        let metrics = Self { watch_errors: Counter::default() };
        registry.register(
            "gamewarden_webhook_cache_watch_errors",
            "Lists and watches of sets and game servers that broke and were started again",
            metrics.watch_errors.clone(),
        );
        registry.register_collector(Box::new(AgeCollector(known.clone())));
        metrics
    }
}

/// The age is asked for when it is read: what hangs still grows old.
#[derive(Debug)]
struct AgeCollector(Known);

impl Collector for AgeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        // Infinite: it was never known.
        let age = self.0.read_age().of(Instant::now());
        let gauge = ConstGauge::new(age.map_or(f64::INFINITY, |age| age.as_secs_f64()));
        let metric = encoder.encode_descriptor(
            "gamewarden_webhook_cache_age_seconds",
            "How long ago the cache of sets and game servers was known to show what is; +Inf before it was filled",
            None,
            gauge.metric_type(),
        )?;
        gauge.encode(metric)
    }
}
