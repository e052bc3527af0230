//! What the controller counts.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// What is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Kind {
    GameServerSet,
    GameServer,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabel {
    kind: Kind,
}

/// What became of a removal on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Removal {
    Claimed,
    GivenBack,
    Unanswered,
    Withdrawn,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RemovalLabel {
    step: Removal,
}

/// How often each step of a removal was taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Removals(Family<RemovalLabel, Counter>);

impl Removals {
    pub(super) fn count(&self, step: Removal) {
        self.0.get_or_create(&RemovalLabel { step }).inc();
    }
}

/// The controller's metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: Family<KindLabel, Histogram>,
    reconcile_errors: Family<KindLabel, Counter>,
    pub(super) watch_errors: Counter,
    /// The Leases of node probers cannot be read.
    pub(super) leases_refused: Gauge,
    pub(super) event_errors: Counter,
    pub(super) create_errors: Counter,
    pub(super) pods_created: Counter,
    pub(super) pods_deleted: Counter,
    pub(super) removals: Removals,
}

impl Metrics {
    /// Makes the metrics and registers them.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::new_with_constructor(|| {
                Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0])
            }),
            reconcile_errors: Family::default(),
            watch_errors: Counter::default(),
            leases_refused: Gauge::default(),
            event_errors: Counter::default(),
            create_errors: Counter::default(),
            pods_created: Counter::default(),
            pods_deleted: Counter::default(),
            removals: Removals::default(),
        };
        registry.register(
            "gamewarden_reconcile_duration_seconds",
            "Time of a reconcile, failed ones included",
            metrics.reconciles.clone(),
        );
        registry.register(
            "gamewarden_reconcile_errors",
            "Reconciles that failed and will be tried again",
            metrics.reconcile_errors.clone(),
        );
        registry.register(
            "gamewarden_removals",
            "Steps of removals: claims, and those that did not come to be",
            metrics.removals.0.clone(),
        );
        registry.register(
            "gamewarden_prober_leases_refused",
            "1 while the API server refuses the Leases of node probers, else 0",
            metrics.leases_refused.clone(),
        );
        for (name, help, counter) in [
            ("gamewarden_watch_errors", "Watches that broke and were started again", &metrics.watch_errors),
            ("gamewarden_event_errors", "Events that could not be written", &metrics.event_errors),
            (
                "gamewarden_pod_create_errors",
                "Tries to make a pod that failed; each set tries once a minute at least",
                &metrics.create_errors,
            ),
            ("gamewarden_pods_created", "Pods made", &metrics.pods_created),
            (
                "gamewarden_pods_deleted",
                "Pods deleted, for scale-down, update or replacement",
                &metrics.pods_deleted,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        metrics
    }

    pub(super) fn reconciled(&self, kind: Kind, took: Duration, failed: bool) {
        let label = KindLabel { kind };
        self.reconciles.get_or_create(&label).observe(took.as_secs_f64());
        if failed {
            self.reconcile_errors.get_or_create(&label).inc();
        }
    }
}
