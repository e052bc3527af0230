//! What people are told about certificates: events on the webhook's Deployment, which everybody may read.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::Instant;

const COMPONENT: &str = "gamewarden-certificates";

/// Events are kept for an hour. What lasts is said again after this long, so that there always is one.
const REMIND: Duration = Duration::from_secs(30 * 60);

/// Tells. An event that cannot be written is logged, and stops nothing.
pub(crate) struct News {
    events: Api<Event>,
    deployments: Api<Deployment>,
    namespace: String,
    name: String,
    /// Since when people know that it does not work.
    told_failure: Option<Instant>,
    /// Since when they know that something else writes the bundles.
    told_contest: Option<Instant>,
}

impl News {
    pub(crate) fn new(client: Client, namespace: &str, deployment: &str) -> Self {
        Self {
            events: Api::namespaced(client.clone(), namespace),
            deployments: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: deployment.to_owned(),
            told_failure: None,
            told_contest: None,
        }
    }

    /// It works (again).
    pub(crate) fn works(&mut self) {
        self.told_failure = None;
    }

    /// It does not; said once, and again while it lasts.
    pub(crate) async fn fails(&mut self, why: &str) {
        if is_due(self.told_failure) && self.say("Warning", "CertificateRenewalFailed", why).await {
            self.told_failure = Some(Instant::now());
        }
    }

    /// Something else writes the bundles, too; said once, and again while it lasts.
    pub(crate) async fn contested(&mut self, what: &str) {
        if is_due(self.told_contest) && self.say("Warning", "CertificateBundleContested", what).await {
            self.told_contest = Some(Instant::now());
        }
    }

    /// Something was renewed.
    pub(crate) async fn rotated(&self, what: &str) {
        self.say("Normal", "CertificateRotated", what).await;
    }

    async fn say(&self, type_: &str, reason: &str, message: &str) -> bool {
        // `kubectl describe` finds events by the uid.
        let deployment = self.deployments.get_opt(&self.name).await.unwrap_or_else(|error| {
            tracing::warn!(%error, name = self.name, "the Deployment that the event is about is not found");
            None
        });
        let now = Some(Time(Timestamp::now()));
        let event = Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}.", self.name)),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: Some("Deployment".to_owned()),
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                uid: deployment.and_then(|deployment| deployment.metadata.uid),
                ..ObjectReference::default()
            },
            type_: Some(type_.to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(message.chars().take(1024).collect()),
            source: Some(EventSource { component: Some(COMPONENT.to_owned()), ..EventSource::default() }),
            reporting_component: Some(COMPONENT.to_owned()),
            first_timestamp: now.clone(),
            last_timestamp: now,
            count: Some(1),
            ..Event::default()
        };
        let written = self.events.create(&PostParams::default(), &event).await;
        if let Err(error) = &written {
            tracing::warn!(%error, reason, message, "event not written");
        }
        written.is_ok()
    }
}

fn is_due(told: Option<Instant>) -> bool {
    told.is_none_or(|told| told.elapsed() >= REMIND)
}
