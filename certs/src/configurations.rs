//! The webhook configurations: what their caBundles hold, and the patch that sets them. Pure.

use k8s_openapi::ByteString;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::policy::Bundle;
use crate::read::{self, CaCertificate};

/// The caBundles of one configuration.
#[derive(Debug, Default)]
pub(crate) struct Bundles {
    /// One for each webhook.
    pub found: Vec<Bundle>,
    /// All certificates in them.
    pub cas: Vec<CaCertificate>,
}

impl Bundles {
    /// Reads a configuration.
    #[must_use]
    pub(crate) fn read(configuration: &DynamicObject) -> Self {
        let mut read = Self::default();
        for webhook in webhooks(configuration) {
            let pem = webhook.pointer("/clientConfig/caBundle").cloned().unwrap_or(json!(""));
            let cas = serde_json::from_value::<ByteString>(pem).ok();
            let cas = cas.and_then(|pem| read::bundle(&pem.0, "caBundle").ok());
            let garbage = cas.is_none();
            let cas = cas.unwrap_or_default();
            read.found.push(Bundle { cas: cas.iter().map(|ca| ca.facts).collect(), garbage });
            read.cas.extend(cas);
        }
        read
    }
}

/// The JSON Patch that sets every caBundle of the configuration as it was read: it is refused if the configuration
/// has changed since.
#[must_use]
pub(crate) fn patch(configuration: &DynamicObject, bundle: &str) -> Value {
    let version = configuration.resource_version().unwrap_or_default();
    let bundle = json!(ByteString(bundle.as_bytes().to_vec()));
    let mut operations =
        vec![json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version})];
    for (index, webhook) in webhooks(configuration).enumerate() {
        // (The API server refuses a configuration without one.)
        if webhook.get("clientConfig").is_some() {
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            operations.push(json!({"op": "add", "path": path, "value": bundle}));
        }
    }
    Value::Array(operations)
}

fn webhooks(configuration: &DynamicObject) -> impl Iterator<Item = &Value> {
    configuration.data["webhooks"].as_array().into_iter().flatten()
}
