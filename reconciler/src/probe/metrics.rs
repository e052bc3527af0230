//! What the prober counts.

use std::sync::atomic::AtomicU64;

use gamewarden_api::{quality::Outcome, schedule::Handler};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Handles of the probe metrics. Clones count into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) probes: Family<ProbeLabels, Counter>,
    pub(super) slept: Counter,
    pub(super) duration: Family<KindLabels, Histogram, fn() -> Histogram>,
    pub(super) lag: Histogram,
    pub(super) in_flight: Gauge,
    pub(super) hanging: Gauge,
    pub(super) targets: Gauge,
    pub(super) writes: Family<WriteLabels, Counter>,
    pub(super) looks: Family<LookLabels, Counter>,
    pub(super) notes_dropped: Counter<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProbeLabels {
    pub(super) kind: KindLabel,
    pub(super) outcome: OutcomeLabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OutcomeLabel {
    Success,
    Failure,
    Unknown,
}

/// How a container is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum KindLabel {
    Exec,
    Http,
    Tcp,
    Grpc,
}

impl From<&Handler> for KindLabel {
    fn from(handler: &Handler) -> Self {
        match handler {
            Handler::Exec(_) => Self::Exec,
            Handler::Http(_) => Self::Http,
            Handler::Tcp(_) => Self::Tcp,
            Handler::Grpc { .. } => Self::Grpc,
        }
    }
}

impl EncodeLabelValue for KindLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        match self {
            Self::Exec => "exec",
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Grpc => "grpc",
        }
        .encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub(super) kind: KindLabel,
}

impl ProbeLabels {
    pub(super) fn of(kind: KindLabel, outcome: &Outcome) -> Self {
        let outcome = match outcome {
            Outcome::Success { .. } => OutcomeLabel::Success,
            Outcome::Failure { .. } => OutcomeLabel::Failure,
            Outcome::Unknown { .. } => OutcomeLabel::Unknown,
        };
        Self { kind, outcome }
    }
}

impl EncodeLabelValue for OutcomeLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
        .encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WriteLabels {
    pub(super) result: WriteResult,
}

/// What came of writing a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WriteResult {
    /// It is written.
    Written,
    /// The fresh GameServer said it already.
    Unchanged,
    /// The GameServer or its pod is gone.
    Gone,
    /// Every try met a newer version.
    Conflict,
    /// The API server refused it or did not answer.
    Error,
}

impl EncodeLabelValue for WriteResult {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        match self {
            Self::Written => "written",
            Self::Unchanged => "unchanged",
            Self::Gone => "gone",
            Self::Conflict => "conflict",
            Self::Error => "error",
        }
        .encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LookLabels {
    pub(super) result: LookResult,
}

/// What came of a last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LookResult {
    /// The server may go.
    Same,
    /// It stays.
    Differs,
    /// Nobody could be asked.
    NoAnswer,
    /// The claim was not there any more.
    Late,
    /// The answer could not be written.
    Error,
}

impl EncodeLabelValue for LookResult {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::NoAnswer => "no_answer",
            Self::Late => "late",
            Self::Error => "error",
        }
        .encode(encoder)
    }
}

/// Upper bounds, in seconds: an exec takes some ten milliseconds, a default period is 3, a default timeout 5.
const SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 5.0, 10.0, 30.0, 60.0];

impl Metrics {
    /// Registers the metrics, all named `gamewarden_…`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            probes: Family::default(),
            slept: Counter::default(),
            duration: Family::<KindLabels, Histogram, fn() -> Histogram>::new_with_constructor(|| {
                Histogram::new(SECONDS)
            }),
            lag: Histogram::new(SECONDS),
            in_flight: Gauge::default(),
            hanging: Gauge::default(),
            targets: Gauge::default(),
            writes: Family::default(),
            looks: Family::default(),
            notes_dropped: Counter::default(),
        };
        registry.register(
            "gamewarden_probes",
            "Probes by how they ask and what came of them",
            metrics.probes.clone(),
        );
        registry.register(
            "gamewarden_probes_slept",
            "Outcomes that were not heard because this process stood still meanwhile",
            metrics.slept.clone(),
        );
        registry.register(
            "gamewarden_probe_duration_seconds",
            "From the start of a probe to its outcome",
            metrics.duration.clone(),
        );
        registry.register(
            "gamewarden_probe_lag_seconds",
            "How long after they were due probes started",
            metrics.lag.clone(),
        );
        registry.register(
            "gamewarden_probes_in_flight",
            "Probes that run, hanging ones included",
            metrics.in_flight.clone(),
        );
        registry.register(
            "gamewarden_probes_hanging",
            "Probes that timed out and have not ended",
            metrics.hanging.clone(),
        );
        registry.register(
            "gamewarden_probe_targets",
            "Qualities of pods that are probed",
            metrics.targets.clone(),
        );
        registry.register(
            "gamewarden_verdict_writes",
            "Writes of verdicts to GameServers by what came of them",
            metrics.writes.clone(),
        );
        registry.register(
            "gamewarden_last_looks",
            "Last looks at servers that were to be removed, by what came of them",
            metrics.looks.clone(),
        );
        registry.register(
            "gamewarden_probe_notes_dropped",
            "Events that nobody took for publishing",
            metrics.notes_dropped.clone(),
        );
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_as_dashboards_read_them() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let success = Outcome::Success { result: String::new() };
        metrics.probes.get_or_create(&ProbeLabels::of(KindLabel::Http, &success)).inc();
        metrics.writes.get_or_create(&WriteLabels { result: WriteResult::Written }).inc();
        metrics.duration.get_or_create(&KindLabels { kind: KindLabel::Grpc }).observe(0.5);
        metrics.lag.observe(0.02);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "gamewarden_probes_total{kind=\"http\",outcome=\"success\"} 1",
            "gamewarden_verdict_writes_total{result=\"written\"} 1",
            "gamewarden_probe_lag_seconds_bucket{le=\"0.025\"} 1",
            "gamewarden_probe_duration_seconds_count{kind=\"grpc\"} 1",
            "gamewarden_probes_in_flight 0",
            "gamewarden_probe_targets 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
