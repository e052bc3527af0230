//! What the webhook counts. Labels come from closed enums: no request makes a new time series.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use gamewarden_api::guard::Target;

use crate::{Refusal, judge::Phase};

/// Where a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Path {
    /// `/validate`
    Validate,
    /// `/mutate`
    Mutate,
    /// Anything else.
    Other,
}

impl From<Phase> for Path {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Validate => Self::Validate,
            Phase::Mutate => Self::Mutate,
        }
    }
}

impl EncodeLabelValue for Path {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        let value = match self {
            Self::Validate => "validate",
            Self::Mutate => "mutate",
            Self::Other => "other",
        };
        value.encode(encoder)
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Outcome {
    Allowed,
    /// By the rules.
    Denied,
    Malformed,
    TooLarge,
    Overloaded,
    Timeout,
    Broken,
    /// Path, method or content type: not the API server.
    Stray,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        let value = match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Stray => "stray",
        };
        value.encode(encoder)
    }
}

impl From<&Refusal> for Outcome {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotFound | Refusal::Method | Refusal::ContentType => Self::Stray,
            Refusal::TooLarge { .. } | Refusal::TooManyValues => Self::TooLarge,
            Refusal::Overloaded => Self::Overloaded,
            Refusal::Interrupted => Self::Broken,
            Refusal::Timeout => Self::Timeout,
            Refusal::Body(_) => Self::Broken,
            Refusal::Malformed(_) => Self::Malformed,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: Path,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    path: Path,
}

/// The webhook's metrics. Clones share their values.
#[derive(Debug, Clone)]
pub struct WebhookMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<DurationLabels, Histogram, fn() -> Histogram>,
}

/// From 1 ms, where most answers are, to the API server's longest timeout.
fn seconds() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

impl WebhookMetrics {
    /// New metrics, registered as `gamewarden_webhook_requests_total{path,outcome}` and
    /// `gamewarden_webhook_request_duration_seconds{path}`.
    #[must_use]
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self { requests: Family::default(), duration: Family::new_with_constructor(seconds) };
        registry.register(
            "gamewarden_webhook_requests",
            "Requests by path and outcome",
            metrics.requests.clone(),
        );
        registry.register(
            "gamewarden_webhook_request_duration_seconds",
            "Time from a request's head to its answer",
            metrics.duration.clone(),
        );
        metrics
    }

    /// `answer`: whether the request passes, or why it got no verdict.
    pub(crate) fn observe(&self, path: Path, answer: Result<bool, &Refusal>, took: Duration) {
        let outcome = match answer {
            Ok(true) => Outcome::Allowed,
            Ok(false) => Outcome::Denied,
            Err(refusal) => refusal.into(),
        };
        self.requests.get_or_create(&RequestLabels { path, outcome }).inc();
        self.duration.get_or_create(&DurationLabels { path }).observe(took.as_secs_f64());
    }
}

/// What a request is about that the guard judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Guarded {
    Set,
    Scale,
    Server,
    Pod,
    Eviction,
    Workload,
    WorkloadScale,
}

impl Guarded {
    const ALL: [Self; 7] = [
        Self::Set,
        Self::Scale,
        Self::Server,
        Self::Pod,
        Self::Eviction,
        Self::Workload,
        Self::WorkloadScale,
    ];
}

impl From<Target> for Guarded {
    fn from(target: Target) -> Self {
        match target {
            Target::Set => Self::Set,
            Target::Scale => Self::Scale,
            Target::Server => Self::Server,
            Target::Pod => Self::Pod,
            Target::Eviction => Self::Eviction,
            Target::Workload => Self::Workload,
            Target::WorkloadScale => Self::WorkloadScale,
        }
    }
}

impl EncodeLabelValue for Guarded {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        let value = match self {
            Self::Set => "gameserversets",
            Self::Scale => "gameserversets/scale",
            Self::Server => "gameservers",
            Self::Pod => "pods",
            Self::Eviction => "pods/eviction",
            Self::Workload => "statefulsets",
            Self::WorkloadScale => "statefulsets/scale",
        };
        value.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GuardedLabels {
    resource: Guarded,
}

/// The guard's metrics. Clones share their values.
#[derive(Debug, Clone)]
pub(crate) struct GuardMetrics {
    unguarded: Family<GuardedLabels, Counter>,
}

impl GuardMetrics {
    /// New metrics, registered as `gamewarden_webhook_unguarded_requests_total{resource}`.
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self { unguarded: Family::default() };
        registry.register(
            "gamewarden_webhook_unguarded_requests",
            "Requests that were let through although it could not be told what they would take",
            metrics.unguarded.clone(),
        );
        for resource in Guarded::ALL {
            // There from the beginning, so that the first one is an increase.
            drop(metrics.unguarded.get_or_create(&GuardedLabels { resource }));
        }
        metrics
    }

    pub(crate) fn unguarded(&self, target: Target) {
        self.unguarded.get_or_create(&GuardedLabels { resource: target.into() }).inc();
    }
}
