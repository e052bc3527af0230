//! The CRDs as YAML, generated from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{GameServer, GameServerSet};

/// All CRDs, with the file name each is committed under.
#[must_use]
pub fn crds() -> [(&'static str, CustomResourceDefinition); 2] {
    [
        ("game.kruise.io_gameservers.yaml", GameServer::crd()),
        ("game.kruise.io_gameserversets.yaml", GameServerSet::crd()),
    ]
}

/// One CRD as the YAML that is committed.
///
/// # Errors
/// When the CRD cannot be written as YAML, which no CRD of ours does.
pub fn crd_yaml(crd: &CustomResourceDefinition) -> Result<String, serde_yaml_ng::Error> {
    let body = serde_yaml_ng::to_string(crd)?;
    Ok(format!("# Generated from the types in api/src/types; `make generate` writes it.\n{body}"))
}
