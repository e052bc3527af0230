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
const DEPLOYMENTS: [&str; 2] = ["gamewarden-controller", "gamewarden-webhook"];
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
    own_definitions: bool,
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
            sets: Api::namespaced(client, namespace),
            own_definitions: config.own_definitions,
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
        for name in DEPLOYMENTS {
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
            deployments,
            webhooks,
            lease_before,
            lease,
            definitions,
            own_definitions: self.own_definitions,
            good_set: self.would_create(0).await,
            bad_set: self.would_create(-1).await,
        }
    }

    async fn would_create(&self, replicas: i32) -> Answer<()> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let set = self.sets.create(&params, &set(replicas)?).await;
        answer(set).map(drop)
    }
}

/// A set with a quality, as the manual has it.
fn set(replicas: i32) -> Answer<GameServerSet> {
    let set = json!({
        "apiVersion": "game.kruise.io/v1alpha1",
        "kind": "GameServerSet",
        "metadata": {"name": "gamewarden-check-install"},
        "spec": {
            "replicas": replicas,
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
    use super::*;

    #[test]
    fn the_set_that_is_tried_is_one() {
        let set = set(0).unwrap();
        assert_eq!((set.name_any().as_str(), set.spec.replicas), ("gamewarden-check-install", 0));
        assert_eq!(set.spec.service_qualities.len(), 1);
    }
}
