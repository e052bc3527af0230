//! Sets as JSON, with what the types cannot hold.

use anyhow::{Context, Result, bail};
use gamewarden_api::GameServerSet;
use kube::{
    Api, Error,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::{Value, json};

use crate::Namespace;

impl Namespace {
    /// The namespace's sets, untyped.
    #[must_use]
    pub fn untyped_sets(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &ApiResource::erase::<GameServerSet>(&()))
    }
}

/// The smallest set there is, with a merge patch.
#[must_use]
pub fn smallest(patch: Value) -> Value {
    let mut set = json!({
        "apiVersion": "game.kruise.io/v1alpha1",
        "kind": "GameServerSet",
        "metadata": {"name": "game"},
        "spec": {
            "replicas": 0,
            "gameServerTemplate": {"spec": {"containers": [{"name": "main", "image": "none"}]}},
        },
    });
    crate::manifest::merge(&mut set, patch);
    set
}

/// What the API server says to this object, which it does not keep: why it refuses it, if it does.
///
/// # Errors
/// It cannot be asked.
pub async fn refusal(api: &Api<DynamicObject>, object: &Value) -> Result<Option<String>> {
    let object = serde_json::from_value(object.clone())?;
    let asked = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&asked, &object).await {
        Ok(_) => Ok(None),
        Err(error) => why(error).map(Some),
    }
}

/// The API server's words; an error if it is no refusal.
///
/// # Errors
/// It could not be asked.
pub fn why(error: Error) -> Result<String> {
    match error {
        Error::Api(status) if status.code == 422 => Ok(status.message),
        Error::Api(status) => bail!("not refused as invalid, but with {}: {}", status.code, status.message),
        other => Err(other).context("asking the API server"),
    }
}
