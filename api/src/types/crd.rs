//! The CRDs as YAML, generated from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{GameServer, GameServerSet, rules};

/// All CRDs, with the file name each is committed under.
///
/// # Errors
/// A rule speaks of a field that the types do not have.
pub fn crds() -> Result<[(&'static str, CustomResourceDefinition); 2], rules::NoSuchField> {
    Ok([
        ("game.kruise.io_gameservers.yaml", finished(GameServer::crd())?),
        ("game.kruise.io_gameserversets.yaml", finished(GameServerSet::crd())?),
    ])
}

/// With the rules that the types do not carry.
fn finished(mut crd: CustomResourceDefinition) -> Result<CustomResourceDefinition, rules::NoSuchField> {
    rules::add(&mut crd)?;
    Ok(bounded(crd))
}

/// One CRD as the YAML that is committed.
///
/// # Errors
/// When the CRD cannot be written as YAML, which no CRD of ours does.
pub fn crd_yaml(crd: &CustomResourceDefinition) -> Result<String, serde_yaml_ng::Error> {
    let body = serde_yaml_ng::to_string(crd)?;
    Ok(format!("# Generated from the types in api/src/types; `make generate` writes it.\n{body}"))
}

/// Lets no number through that the types cannot hold. The API server takes `format: int32` as a remark; an
/// object with a larger number would be stored, and nobody could read it back.
fn bounded(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for schema in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        bound(schema);
    }
    crd
}

fn bound(schema: &mut JSONSchemaProps) {
    let is_int32 = schema.type_.as_deref() == Some("integer") && schema.format.as_deref() == Some("int32");
    if is_int32 || schema.x_kubernetes_int_or_string == Some(true) {
        schema.minimum.get_or_insert(i32::MIN.into());
        schema.maximum.get_or_insert(i32::MAX.into());
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        bound(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => bound(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(bound),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        bound(values);
    }
}
