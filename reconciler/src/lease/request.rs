//! Requests about the one lease: each with a timeout, counted when it fails, never retried in here.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Config as ClientConfig};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Config;

/// The client configuration for lease requests. kube's default retries 429, 503 and 504 up to 15
/// times behind the caller's back, which turns "could not renew" into a wait past the deadline; and
/// a client of its own keeps renewals off connections that are busy with watches.
#[must_use]
pub fn client_config(mut base: ClientConfig, election: &Config) -> ClientConfig {
    let timeout = Some(election.request_timeout());
    base.default_retry = false;
    base.connect_timeout = timeout;
    base.read_timeout = timeout;
    base.write_timeout = timeout;
    base
}

/// Why a request about the lease failed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The API server refused it or was not reached.
    #[error("cannot {verb} lease {lease}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// namespace/name.
        lease: String,
        /// Why not.
        source: kube::Error,
    },
    /// No answer in time. A write may have happened all the same.
    #[error("cannot {verb} lease {lease}: no answer within {timeout:?}")]
    Timeout {
        /// What was tried.
        verb: &'static str,
        /// namespace/name.
        lease: String,
        /// How long it was waited for.
        timeout: Duration,
    },
}

impl LeaseError {
    /// Whether somebody else wrote the lease since it was read.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source: kube::Error::Api(status), .. } if status.is_conflict())
    }
}

/// What the election tells about itself.
#[derive(Debug, Clone, Default)]
pub struct LeaseMetrics {
    /// 1 while this process leads.
    pub leader: Gauge,
    /// Requests about the lease that failed.
    pub errors: Counter,
}

impl LeaseMetrics {
    /// New metrics, registered as `gamewarden_leader` and `gamewarden_lease_errors_total`.
    #[must_use]
    pub fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "gamewarden_leader",
            "1 while this process holds the leader lease, else 0",
            metrics.leader.clone(),
        );
        registry.register(
            "gamewarden_lease_errors",
            "Requests about the leader lease that failed",
            metrics.errors.clone(),
        );
        metrics
    }
}

/// The lease in the API.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    api: Api<Lease>,
    namespace: String,
    name: String,
    timeout: Duration,
    pub(super) metrics: LeaseMetrics,
}

impl Remote {
    pub(super) fn new(
        client: Client,
        namespace: &str,
        name: &str,
        timeout: Duration,
        metrics: LeaseMetrics,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            timeout,
            metrics,
        }
    }

    /// namespace/name.
    pub(super) fn describe(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub(super) async fn get(&self) -> Result<Option<Lease>, LeaseError> {
        self.bounded("get", self.api.get_opt(&self.name)).await
    }

    pub(super) async fn create(&self, spec: LeaseSpec) -> Result<Lease, LeaseError> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
        };
        self.bounded("create", self.api.create(&PostParams::default(), &lease)).await
    }

    /// Replaces the spec of `old`, with its resourceVersion: refused if it is no longer what is there.
    pub(super) async fn replace(&self, old: &Lease, spec: LeaseSpec) -> Result<Lease, LeaseError> {
        let mut lease = old.clone();
        lease.spec = Some(spec);
        let params = PostParams::default();
        self.bounded("update", self.api.replace(&self.name, &params, &lease)).await
    }

    async fn bounded<T>(
        &self,
        verb: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, LeaseError> {
        let result = match tokio::time::timeout(self.timeout, request).await {
            Ok(result) => result.map_err(|source| LeaseError::Api { verb, lease: self.describe(), source }),
            Err(_) => Err(LeaseError::Timeout { verb, lease: self.describe(), timeout: self.timeout }),
        };
        if result.is_err() {
            self.metrics.errors.inc();
        }
        result
    }
}
