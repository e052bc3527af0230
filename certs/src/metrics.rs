//! What is counted about certificates: by the keeper that works, and by every webhook that serves one.

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::policy::Snapshot;

/// Which certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Certificate {
    Ca,
    Serving,
}

impl EncodeLabelValue for Certificate {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let text = match self {
            Self::Ca => "ca",
            Self::Serving => "serving",
        };
        text.encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabel {
    certificate: Certificate,
}

/// The keeper's metrics. Clones share their values.
#[derive(Clone, Debug)]
pub struct KeeperMetrics {
    not_after: Family<CertificateLabel, Gauge>,
    renewals: Family<CertificateLabel, Counter>,
    pub(crate) failures: Counter,
    pub(crate) bundle_writes: Counter,
    pub(crate) contests: Counter,
}

impl KeeperMetrics {
    /// New metrics, registered.
    #[must_use]
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self {
            not_after: Family::default(),
            renewals: Family::default(),
            failures: Counter::default(),
            bundle_writes: Counter::default(),
            contests: Counter::default(),
        };
        registry.register(
            "gamewarden_certificate_not_after_timestamp_seconds",
            "When the certificate expires, as the controller that leads has last seen it",
            metrics.not_after.clone(),
        );
        registry.register(
            "gamewarden_certificate_renewals",
            "Certificates that were made and came into use",
            metrics.renewals.clone(),
        );
        registry.register(
            "gamewarden_certificate_failures",
            "Times that certificates could not be looked after; each is tried again",
            metrics.failures.clone(),
        );
        registry.register(
            "gamewarden_certificate_bundle_writes",
            "Webhook configurations whose caBundles were not what they should be and were written",
            metrics.bundle_writes.clone(),
        );
        registry.register(
            "gamewarden_certificate_bundle_contests",
            "Times that the caBundles were written again although that had been too often: something else writes them, too",
            metrics.contests.clone(),
        );
        for certificate in [Certificate::Ca, Certificate::Serving] {
            // There from the beginning, so that the first one is an increase.
            drop(metrics.renewals.get_or_create(&CertificateLabel { certificate }));
        }
        metrics
    }

    pub(crate) fn renewed(&self, certificate: Certificate) {
        self.renewals.get_or_create(&CertificateLabel { certificate }).inc();
    }

    pub(crate) fn seen(&self, snapshot: &Snapshot) {
        let ca = snapshot.stored.current.map(|ca| (Certificate::Ca, ca.not_after));
        let serving = snapshot.leaf.map(|leaf| (Certificate::Serving, leaf.not_after));
        for (certificate, not_after) in ca.into_iter().chain(serving) {
            self.not_after.get_or_create(&CertificateLabel { certificate }).set(not_after.as_second());
        }
    }
}

/// The metrics of a process that serves a certificate. Clones share their values.
#[derive(Clone, Debug)]
pub struct ServedMetrics {
    not_after: Gauge,
    pub(crate) refused: Counter,
    pub(crate) watch_errors: Counter,
}

impl ServedMetrics {
    /// New metrics, registered.
    #[must_use]
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self {
            not_after: Gauge::default(),
            refused: Counter::default(),
            watch_errors: Counter::default(),
        };
        registry.register(
            "gamewarden_webhook_certificate_not_after_timestamp_seconds",
            "When the certificate expires that is served; 0 while there is none",
            metrics.not_after.clone(),
        );
        registry.register(
            "gamewarden_webhook_certificate_refused",
            "Contents of the Secret that were not taken, for they could not be served with",
            metrics.refused.clone(),
        );
        registry.register(
            "gamewarden_webhook_certificate_watch_errors",
            "Watches of the Secret that broke and were started again",
            metrics.watch_errors.clone(),
        );
        metrics
    }

    pub(crate) fn serves_until(&self, not_after: Timestamp) {
        self.not_after.set(not_after.as_second());
    }
}
