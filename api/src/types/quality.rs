//! Service qualities: a probe, and what its answer means for the server.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ExecAction, GRPCAction, HTTPGetAction, TCPSocketAction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GameServerContainer, IntOrString, OpsState};

/// A probe and the actions that its answers cause. The probe's fields are those of a Kubernetes Probe; a
/// number that is 0 or left out means the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceQuality {
    /// Name of the quality, unique in the set. The pods' condition is `game.kruise.io/<name>`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    pub name: String,
    /// Container that the probe looks at. May be left out where the template has one container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// Whether actions fire only once in a pod's life, whatever the probe says later.
    #[serde(default)]
    pub permanent: bool,

    /// Runs a command in the container; exit code 0 is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecAction>,
    /// Asks by HTTP; a status from 200 to 399 is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_get: Option<HTTPGetAction>,
    /// Opens a TCP connection; success is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_socket: Option<TCPSocketAction>,
    /// Asks the gRPC health service; SERVING is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GRPCAction>,

    /// Seconds after the container's start before the first probe. Default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub initial_delay_seconds: Option<i32>,
    /// Seconds after which a probe counts as failed. Default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub timeout_seconds: Option<i32>,
    /// Seconds from the start of one probe to the start of the next. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub period_seconds: Option<i32>,
    /// Successes in a row that make the quality true. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub success_threshold: Option<i32>,
    /// Failures in a row that make the quality false. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failure_threshold: Option<i32>,
    /// Accepted because a Kubernetes Probe has it; not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_grace_period_seconds: Option<i64>,

    /// What a new answer does to the GameServer. All that match are applied, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_quality_action: Vec<ServiceQualityAction>,
}

/// What to set on the GameServer when the quality's answer matches. Fields left out are not touched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceQualityAction {
    /// The answer this action is for.
    pub state: bool,
    /// Result text this action is for; empty: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The operations state to set. May be a template over `{{.Result}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ops_state: Option<OpsState>,
    /// The update priority to set. May be a template over `{{.Result}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_priority: Option<IntOrString>,
    /// The deletion priority to set. May be a template over `{{.Result}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_priority: Option<IntOrString>,
    /// Whether to cut the server off from its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_disabled: Option<bool>,
    /// Container overrides to set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<GameServerContainer>,
    /// Labels to set on the GameServer. Values may be templates over `{{.Result}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations to set on the GameServer. Values may be templates over `{{.Result}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
