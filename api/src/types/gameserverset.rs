//! GameServerSet: what people apply.

#![allow(clippy::duplicated_attributes, reason = "several columns of a printed table have the same type")]

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    IntOrString, Lifecycle, PersistentVolumeClaimRetentionPolicy, ScaleStrategy, ServiceQuality,
    UpdateStrategy, schema,
};

/// A set of game servers made from one template.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "game.kruise.io",
    version = "v1alpha1",
    kind = "GameServerSet",
    plural = "gameserversets",
    shortname = "gss",
    namespaced,
    status = "GameServerSetStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "A set of game servers made from one template, each with a name of its own.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.labelSelector"
    ),
    printcolumn(
        name = "DESIRED",
        type_ = "integer",
        json_path = ".spec.replicas",
        description = "How many game servers there should be."
    ),
    printcolumn(
        name = "CURRENT",
        type_ = "integer",
        json_path = ".status.currentReplicas",
        description = "How many pods there are, terminating ones included."
    ),
    printcolumn(
        name = "UPDATED",
        type_ = "integer",
        json_path = ".status.updatedReplicas",
        description = "How many have the current template."
    ),
    printcolumn(
        name = "READY",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "How many are ready."
    ),
    printcolumn(
        name = "Maintaining",
        type_ = "integer",
        json_path = ".status.maintainingReplicas",
        description = "How many are Maintaining."
    ),
    printcolumn(
        name = "WaitToBeDeleted",
        type_ = "integer",
        json_path = ".status.waitToBeDeletedReplicas",
        description = "How many are WaitToBeDeleted."
    ),
    printcolumn(
        name = "PreDelete",
        type_ = "integer",
        json_path = ".status.preDeleteReplicas",
        description = "How many are held by a preDelete hook."
    ),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct GameServerSetSpec {
    /// How many game servers there should be.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub replicas: i32,
    /// The template of the servers' pods.
    pub game_server_template: GameServerTemplate,
    /// Name of the headless Service that gives the pods their DNS names. Default: the set's name. The
    /// Service itself is not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Ordinals that are not used: numbers, or ranges as "5-7". Servers on newly listed ones are removed
    /// first and replaced on other ordinals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserve_game_server_ids: Vec<IntOrString>,
    /// What good service means for these servers: probes, and what their answers do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub service_qualities: Vec<ServiceQuality>,
    /// How changes of the template reach running servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,
    /// How the set grows and shrinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_strategy: Option<ScaleStrategy>,
    /// How players reach the servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Hooks that hold a server at a point of its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// What becomes of the servers' volume claims. Default: they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim_retention_policy: Option<PersistentVolumeClaimRetentionPolicy>,
}

/// A pod template, with the volume claims of each server and the life of its GameServer.
///
/// The pod spec is kept as JSON: a field newer than this build reaches the pod all the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameServerTemplate {
    /// Metadata of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::template_metadata")]
    pub metadata: Option<TemplateMetadata>,
    /// The pod spec.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "schema::pod_spec")]
    pub spec: Map<String, Value>,
    /// Volume claims that each server gets, named `<claim>-<server>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::volume_claims")]
    pub volume_claim_templates: Vec<Value>,
    /// Cascade (default): a GameServer lives as long as its pod. Delete: it outlives its pod and goes
    /// when the set shrinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaim_policy: Option<ReclaimPolicy>,
}

impl GameServerTemplate {
    /// Labels of the template; empty where it has none.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.metadata.as_ref().map(|m| m.labels.clone()).unwrap_or_default()
    }

    /// Annotations of the template; empty where it has none.
    #[must_use]
    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.metadata.as_ref().map(|m| m.annotations.clone()).unwrap_or_default()
    }
}

/// The metadata of a pod template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Labels of the pods and of new GameServers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods and of new GameServers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Whatever else was written (`finalizers`, `name`, …).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// How long a GameServer lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimPolicy {
    /// As long as its pod.
    #[default]
    Cascade,
    /// Until the set shrinks.
    Delete,
}

/// How players reach the servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Name of the network plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_type: Option<String>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_conf: Vec<KeyValue>,
}

/// A named parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyValue {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its value: text; a bare true or 5 is taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_value")]
    pub value: Option<Value>,
}

/// What the controller last saw of the set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GameServerSetStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Pods that are not terminating.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Pods that are ready for at least minReadySeconds.
    pub available_replicas: i32,
    /// All pods, terminating ones included.
    pub current_replicas: i32,
    /// Pods that have the current template.
    pub updated_replicas: i32,
    /// Pods that have the current template and are ready.
    pub updated_ready_replicas: i32,
    /// Servers whose opsState is Maintaining.
    pub maintaining_replicas: i32,
    /// Servers whose opsState is WaitToBeDeleted.
    pub wait_to_be_deleted_replicas: i32,
    /// Servers held by a preDelete hook.
    pub pre_delete_replicas: i32,
    /// Selects the set's pods, for the HPA.
    pub label_selector: String,
    /// What stands in the set's way, if anything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
}
