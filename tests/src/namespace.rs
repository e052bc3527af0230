//! A namespace for each test.

use std::{panic::AssertUnwindSafe, time::Instant};

use anyhow::{Context, Result, anyhow};
use futures::FutureExt;
use k8s_openapi::{NamespaceResourceScope, api::core::v1};
use kube::{Api, Client, Resource, ResourceExt, api::DeleteParams, api::PostParams};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{cluster, dump};

/// Where a test lives.
pub struct Namespace {
    /// A client of the cluster.
    pub client: Client,
    /// Its name.
    pub name: String,
}

impl Namespace {
    /// The same namespace, for what the webhook would refuse.
    ///
    /// # Errors
    /// As for [`cluster::client`].
    pub async fn past_the_webhook(&self) -> Result<Self> {
        Ok(Self { client: cluster::client_past_the_webhook().await?, name: self.name.clone() })
    }

    /// The objects of a kind in it.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }
}

/// Runs a test in a namespace of its own. However it ends (an error, a panic, the test runner's SIGTERM),
/// the namespace is deleted; unless it ends well, its state is shown before.
///
/// # Errors
/// Those of the test, and what keeps a namespace from being made or deleted.
pub async fn in_namespace(test: &str, body: impl AsyncFnOnce(&Namespace) -> Result<()>) -> Result<()> {
    let namespace = create(test).await?;
    let began = Instant::now();
    let mut terminated = signal(SignalKind::terminate())?;
    let result = tokio::select! {
        ended = AssertUnwindSafe(body(&namespace)).catch_unwind() => {
            ended.unwrap_or_else(|_| Err(anyhow!("the test panicked, see above")))
        }
        _ = terminated.recv() => Err(anyhow!("the test was told to end after {}s", began.elapsed().as_secs())),
    };
    if let Err(error) = &result {
        dump::state(&namespace.name, error).await;
    }
    let deleted = delete(&namespace).await;
    result.and(deleted)
}

async fn create(test: &str) -> Result<Namespace> {
    let client = cluster::client().await?;
    let api: Api<v1::Namespace> = Api::all(client.clone());
    let object = serde_json::from_value(json!({
        "metadata": {"generateName": format!("e2e-{test}-"), "labels": {"gamewarden.dev/e2e": "true"}},
    }))?;
    let made = api.create(&PostParams::default(), &object).await;
    let name = made.with_context(|| format!("making a namespace for {test}"))?.name_any();
    Ok(Namespace { client, name })
}

/// Asks for the deletion and does not wait for it: nothing else is in there.
async fn delete(namespace: &Namespace) -> Result<()> {
    let api: Api<v1::Namespace> = Api::all(namespace.client.clone());
    api.delete(&namespace.name, &DeleteParams::background())
        .await
        .with_context(|| format!("deleting namespace {}", namespace.name))?;
    Ok(())
}
