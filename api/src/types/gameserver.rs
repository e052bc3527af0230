//! GameServer: one server, as people watch and steer it.

#![allow(clippy::duplicated_attributes, reason = "several columns of a printed table have the same type")]

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{IntOrString, OpsState, schema};

/// What one game server should be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "game.kruise.io",
    version = "v1alpha1",
    kind = "GameServer",
    plural = "gameservers",
    shortname = "gs",
    namespaced,
    status = "GameServerStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "One game server: its operations state, its priorities, and how it is.",
    printcolumn(
        name = "STATE",
        type_ = "string",
        json_path = ".status.currentState",
        description = "How the server is."
    ),
    printcolumn(
        name = "OPSSTATE",
        type_ = "string",
        json_path = ".spec.opsState",
        description = "What the server is good for."
    ),
    printcolumn(
        name = "DP",
        type_ = "string",
        json_path = ".status.deletionPriority",
        description = "Deletion priority: the higher, the earlier scale-down takes it."
    ),
    printcolumn(
        name = "UP",
        type_ = "string",
        json_path = ".status.updatePriority",
        description = "Update priority: the higher, the earlier it is updated."
    ),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct GameServerSpec {
    /// The operations state: None, WaitToBeDeleted, Maintaining, Allocated, Kill, or one of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ops_state: Option<OpsState>,
    /// The higher, the earlier the server is updated. What is not a number counts as 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_priority: Option<IntOrString>,
    /// The higher, the earlier scale-down takes the server among those of the same opsState. What is not
    /// a number counts as 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_priority: Option<IntOrString>,
    /// Whether the server is cut off from its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_disabled: Option<bool>,
    /// Images and resources of this server that differ from the template's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<GameServerContainer>,
}

/// What differs from the template in one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GameServerContainer {
    /// Name of the container.
    pub name: String,
    /// Its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its resources; they take effect when the pod is made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::resources")]
    pub resources: Option<Map<String, Value>>,
}

/// How a server is, seen from its pod.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum GameServerState {
    /// Nothing is known of its pod.
    #[default]
    Unknown,
    /// Its pod is not running yet.
    Creating,
    /// Its pod is running and ready.
    Ready,
    /// Its pod is running and not ready.
    NotReady,
    /// Its pod has failed.
    Crash,
    /// It is being updated in place.
    Updating,
    /// Its pod is terminating.
    Deleting,
    /// A preDelete hook holds it.
    PreDelete,
    /// A hook holds it before its update.
    PreUpdate,
}

impl GameServerState {
    /// The text as people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Creating => "Creating",
            Self::Ready => "Ready",
            Self::NotReady => "NotReady",
            Self::Crash => "Crash",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
            Self::PreDelete => "PreDelete",
            Self::PreUpdate => "PreUpdate",
        }
    }
}

impl fmt::Display for GameServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How one game server is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GameServerStatus {
    /// How it should be: Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_state: Option<GameServerState>,
    /// How it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_state: Option<GameServerState>,
    /// How players reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_status: Option<NetworkStatus>,
    /// The status of its pod.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "schema::any_object")]
    pub pod_status: Map<String, Value>,
    /// The last answer of each service quality, in the order of the set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_qualities_conditions: Vec<ServiceQualityCondition>,
    /// The update priority in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_priority: Option<IntOrString>,
    /// The deletion priority in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_priority: Option<IntOrString>,
    /// When currentState last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// PodNormal, NodeNormal, PersistentVolumeNormal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<GameServerCondition>,
}

/// The last answer of one service quality.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceQualityCondition {
    /// Name of the quality.
    pub name: String,
    /// True, False, Unknown (it could not be asked), or empty before the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What the probe printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// When the answer was read that this condition tells. It moves only when something else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_probe_time: Option<Time>,
    /// When the status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// When an action of this quality last fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_action_transition_time: Option<Time>,
}

/// One aspect of a server's health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameServerCondition {
    /// PodNormal, NodeNormal or PersistentVolumeNormal.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// When it was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_probe_time: Option<Time>,
    /// When the status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// Why, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How players reach a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkStatus {
    /// Name of the network plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_type: Option<String>,
    /// Addresses inside the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub internal_addresses: Vec<NetworkAddress>,
    /// Addresses outside the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_addresses: Vec<NetworkAddress>,
    /// Ready, Waiting or NotReady: how it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_network_state: Option<String>,
    /// Ready, Waiting or NotReady: how it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_network_state: Option<String>,
    /// When the network was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Time>,
    /// When its state last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
}

/// An address of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkAddress {
    /// The IP address.
    pub ip: String,
    /// Its ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<NetworkPort>,
    /// Or a range of ports.
    #[serde(default, rename = "portRange", skip_serializing_if = "Option::is_none")]
    pub port_range: Option<NetworkPortRange>,
    /// Or a name.
    #[serde(default, rename = "endPoint", skip_serializing_if = "Option::is_none")]
    pub end_point: Option<String>,
}

/// A port of an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkPort {
    /// Its name.
    pub name: String,
    /// TCP, UDP or SCTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<IntOrString>,
}

/// A range of ports of an address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkPortRange {
    /// TCP, UDP or SCTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// First and last port, as "5000-5010".
    #[serde(default, rename = "portRange", skip_serializing_if = "Option::is_none")]
    pub port_range: Option<String>,
}
