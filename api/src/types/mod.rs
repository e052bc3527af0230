//! The custom resources of `game.kruise.io/v1alpha1`, field for field OpenKruiseGame's.
//!
//! The CRD YAML in `charts/gamewarden/files/crds` is generated from these types; doc comments here are what
//! `kubectl explain` prints.

mod crd;
mod gameserver;
mod gameserverset;
mod ops_state;
mod quality;
mod rules;
mod schema;
mod strategy;

pub use crd::{crd_yaml, crds};
pub use gameserver::{
    GameServer, GameServerCondition, GameServerContainer, GameServerSpec, GameServerState, GameServerStatus,
    NetworkAddress, NetworkPort, NetworkPortRange, NetworkStatus, ServiceQualityCondition,
};
pub use gameserverset::{
    GameServerSet, GameServerSetSpec, GameServerSetStatus, GameServerTemplate, KeyValue, Network,
    ReclaimPolicy, TemplateMetadata,
};
pub use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
pub use ops_state::OpsState;
pub use quality::{ServiceQuality, ServiceQualityAction};
pub use rules::NoSuchField;
pub use strategy::{
    InPlaceUpdateStrategy, Lifecycle, LifecycleHook, PersistentVolumeClaimRetentionPolicy, PodUpdatePolicy,
    RetentionPolicy, RollingUpdate, ScaleDownStrategyType, ScaleStrategy, UpdateStrategy, UpdateStrategyType,
};
