//! Asks the cluster what `judge` wants to know. Changes nothing.

use std::time::Duration;

use gamewarden_api::types::{GameServerSet, NoSuchField, crds};
use k8s_openapi::{
    api::{
        admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
        apps::v1::Deployment,
        coordination::v1::Lease,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config as ClientConfig, ResourceExt,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::json;

use super::{Answer, Config, Refusal, Seen};

/// Names that the chart gives.
const CONTROLLER: &str = "gamewarden-controller";
const WEBHOOK: &str = "gamewarden-webhook";
const LEASE: &str = "gamewarden-controller";
const WEBHOOKS: &str = "gamewarden";

/// How long one request may take.
const SILENCE: Duration = Duration::from_secs(10);

/// A client configuration for looks: none is repeated behind our back, none hangs.
#[must_use]
pub fn client_config(mut config: ClientConfig) -> ClientConfig {
    config.default_retry = false;
    config.connect_timeout = Some(SILENCE);
    config.read_timeout = Some(SILENCE);
    config.write_timeout = Some(SILENCE);
    config
}

/// Looks at one installation.
pub struct Look {
    definitions: Api<CustomResourceDefinition>,
    deployments: Api<Deployment>,
    webhooks: [(String, Api<DynamicObject>); 2],
    leases: Api<Lease>,
    sets: Api<GameServerSet>,
    expected: Vec<CustomResourceDefinition>,
    config: Config,
    lease_before: Option<Lease>,
}

impl Look {
    /// At the installation that `config` names.
    ///
    /// # Errors
    /// The definitions of this program do not hold together.
    pub fn new(client: Client, config: &Config) -> Result<Self, NoSuchField> {
        let namespace = &config.namespace;
        Ok(Self {
            expected: crds()?.map(|(_, expected)| expected).into(),
            definitions: Api::all(client.clone()),
            deployments: Api::namespaced(client.clone(), namespace),
            webhooks: [
                ApiResource::erase::<MutatingWebhookConfiguration>(&()),
                ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
            ]
            .map(|resource| (resource.kind.clone(), Api::all_with(client.clone(), &resource))),
            leases: Api::namespaced(client.clone(), namespace),
            sets: Api::namespaced(client, &config.try_in),
            config: config.clone(),
            lease_before: None,
        })
    }

    /// One look. The first lease that is seen is kept for the looks that follow.
    pub async fn at_cluster(&mut self) -> Seen {
        let mut definitions = Vec::new();
        for expected in &self.expected {
            let found = self.definitions.get(&expected.name_any()).await;
            definitions.push((expected.clone(), answer(found)));
        }
        let mut deployments = Vec::new();
        for name in [Some(CONTROLLER), self.config.has_webhook.then_some(WEBHOOK)].into_iter().flatten() {
            deployments.push((name.to_owned(), answer(self.deployments.get(name).await)));
        }
        let mut webhooks = Vec::new();
        for (kind, api) in &self.webhooks {
            webhooks.push((kind.clone(), answer(api.get(WEBHOOKS).await)));
        }
        let lease = answer(self.leases.get(LEASE).await);
        let lease_before = self.lease_before.clone();
        if lease_before.is_none() {
            self.lease_before = lease.as_ref().ok().cloned();
        }
        Seen {
            namespace: self.config.namespace.clone(),
            tried_in: self.config.try_in.clone(),
            has_webhook: self.config.has_webhook,
            deployments,
            webhooks,
            lease_before,
            lease,
            definitions,
            own_definitions: self.config.own_definitions,
            good_set: self.would_create(set(0, &[])).await,
            bad_set: self.would_create(set(-1, &["7-5"])).await,
        }
    }

    /// A dry run.
    async fn would_create(&self, set: Answer<GameServerSet>) -> Answer<GameServerSet> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        answer(self.sets.create(&params, &set?).await)
    }
}

/// A set with a quality, as the manual has it.
fn set(replicas: i32, reserved: &[&str]) -> Answer<GameServerSet> {
    let set = json!({
        "apiVersion": "game.kruise.io/v1alpha1",
        "kind": "GameServerSet",
        "metadata": {"name": "gamewarden-check-install"},
        "spec": {
            "replicas": replicas,
            "reserveGameServerIds": reserved,
            "gameServerTemplate": {"spec": {"containers": [{"name": "game", "image": "registry.invalid/game:1"}]}},
            "serviceQualities": [{
                "name": "idle",
                "containerName": "game",
                "exec": {"command": ["/idle"]},
                "serviceQualityAction": [
                    {"state": true, "opsState": "WaitToBeDeleted"},
                    {"state": false, "opsState": "None"},
                ],
            }],
        },
    });
    serde_json::from_value(set).map_err(|error| Refusal { code: None, why: error.to_string() })
}

fn answer<T>(result: kube::Result<T>) -> Answer<T> {
    result.map_err(|error| match error {
        kube::Error::Api(status) => Refusal { code: Some(status.code), why: status.message.clone() },
        other => Refusal { code: None, why: chain(&other) },
    })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use gamewarden_api::admission::{Settings, Severity, check_set};

    use super::*;
    use crate::install::judge::BAD;

    /// Both sets are what the rules say of them: the good one, and the bad one in the words that are looked for.
    #[test]
    fn the_sets_that_are_tried() {
        let judged = |set: GameServerSet| {
            let object = serde_json::to_value(set).unwrap();
            assert_eq!(
                object["spec"]["serviceQualities"][0].get("periodSeconds"),
                None,
                "the webhook's to fill in"
            );
            let refused = check_set(&object, &Settings::default()).into_iter();
            let refused = refused.filter(|finding| finding.severity == Severity::Error);
            refused.map(|finding| finding.to_string()).collect::<Vec<_>>()
        };
        let good = set(0, &[]).unwrap();
        assert_eq!(BAD[0], format!("GameServerSet.game.kruise.io \"{}\" is invalid:", good.name_any()));
        assert!(judged(good).is_empty());
        let refused = judged(set(-1, &["7-5"]).unwrap());
        assert_eq!(refused.len(), 2, "{refused:?}");
        for (said, part) in refused.iter().zip(&BAD[1..]) {
            assert!(format!("* {said}").starts_with(part), "{said}");
        }
    }
}
