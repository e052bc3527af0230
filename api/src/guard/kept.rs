//! What is kept of a set and of a GameServer: a fraction of the object, as there are ten thousand of them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    names,
    removal::{Claim, Phase, Protection, allows_removal, is_free, is_skipped},
    scale::{self, Ordinals, ReserveIds},
    server::controller,
    types::{GameServerState, OpsState, ScaleDownStrategyType},
};

/// What is kept of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptSet {
    pub(super) uid: String,
    /// It is being deleted.
    pub(super) going: bool,
    pub(super) protection: Protection,
    /// Somebody has said that all of its servers may go.
    pub(super) allows: bool,
    pub(super) replicas: i32,
    pub(super) reserved: Ordinals,
    /// The ordinals that its servers have, where the controller has noted them.
    pub(super) seats: Option<Ordinals>,
    pub(super) strategy: ScaleDownStrategyType,
}

impl KeptSet {
    /// What is kept of an object with this metadata. Read leniently: what is not as it should be counts as not said, for
    /// one odd object must not blind the guard.
    #[must_use]
    pub fn of(metadata: &ObjectMeta, object: &Value) -> Self {
        let annotations = metadata.annotations.as_ref();
        let spec = &object["spec"];
        let reserved: Vec<_> = read(&spec["reserveGameServerIds"]).unwrap_or_default();
        let seats = annotations.and_then(|all| all.get(names::ORDINALS));
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            going: metadata.deletion_timestamp.is_some(),
            protection: Protection::written(annotations),
            allows: allows_removal(annotations),
            replicas: read(&spec["replicas"]).unwrap_or_default(),
            reserved: ReserveIds::parse(&reserved).ids,
            seats: seats.and_then(|text| text.parse().ok()),
            strategy: read(&spec["scaleStrategy"]["scaleDownStrategyType"]).unwrap_or_default(),
        }
    }

    /// As a request has it.
    pub(super) fn read(object: &Value) -> Self {
        Self::of(&metadata(object), object)
    }

    /// The same with so many replicas.
    pub(super) fn with(&self, replicas: i32) -> Self {
        Self { replicas, ..self.clone() }
    }

    /// Whether its servers must not be lost while they may be in use.
    pub(super) fn holds(&self) -> bool {
        self.protection == Protection::Strict && !self.allows
    }
}

/// What is kept of a GameServer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptServer {
    /// Name of its set.
    pub(super) set: String,
    pub(super) ordinal: u32,
    /// Uid of its controller: its pod, or its set.
    pub(super) owner: Option<String>,
    /// It is being deleted, or its pod is.
    pub(super) leaving: bool,
    /// Somebody has said that it may go.
    allows: bool,
    pub(super) ops_state: OpsState,
    deletion_priority: i64,
    /// How it was when the controller last looked.
    state: GameServerState,
    /// How far its removal is.
    claim: Option<Claim>,
}

impl KeptServer {
    /// What is kept of an object with this metadata; `None` of one that is no set's server. Read leniently, as sets are.
    #[must_use]
    pub fn of(metadata: &ObjectMeta, object: &Value) -> Option<Self> {
        let labels = metadata.labels.as_ref()?;
        let set = labels.get(names::OWNER_GSS)?;
        let ordinal = names::ordinal_of(set, metadata.name.as_deref()?)?;
        let (spec, status) = (&object["spec"], &object["status"]);
        let state: GameServerState = read(&status["currentState"]).unwrap_or_default();
        let leaves = matches!(state, GameServerState::Deleting | GameServerState::PreDelete);
        let annotations = metadata.annotations.as_ref();
        let priority = read(&spec["deletionPriority"]);
        Some(Self {
            set: set.clone(),
            ordinal,
            owner: controller(metadata).map(|owner| owner.uid.clone()),
            leaving: metadata.deletion_timestamp.is_some() || leaves,
            allows: allows_removal(annotations),
            ops_state: read(&spec["opsState"]).unwrap_or_default(),
            deletion_priority: scale::priority(priority.as_ref()),
            state,
            claim: Claim::written(annotations),
        })
    }

    /// As a request has it.
    pub(super) fn read(object: &Value) -> Option<Self> {
        Self::of(&metadata(object), object)
    }

    /// Whether it may go by itself, whatever its set says.
    pub(super) fn is_free(&self) -> bool {
        is_free(&self.ops_state) || self.allows || self.is_dead()
    }

    /// Its pod has ended for good: nobody plays there.
    pub(super) fn is_dead(&self) -> bool {
        self.state == GameServerState::Crash
    }

    /// Its pod does not run yet: nobody has come to play there.
    pub(super) fn is_starting(&self) -> bool {
        self.state == GameServerState::Creating
    }

    /// What the scale plan wants to know of it.
    pub(super) fn scaled(&self, set: &KeptSet, now: Timestamp) -> scale::Server {
        let claim = self.claim.as_ref();
        scale::Server {
            ordinal: self.ordinal,
            ops_state: self.ops_state.clone(),
            deletion_priority: self.deletion_priority,
            leaving: self.leaving,
            dead: self.is_dead(),
            ready: self.state == GameServerState::Ready,
            protected: is_protected(set, Some(self)),
            unanswered: claim.is_some_and(|claim| is_skipped(claim, now)),
            committed: claim.is_some_and(|claim| claim.phase == Phase::Committed),
        }
    }
}

/// Whether a server of the set must not be lost.
pub(super) fn is_protected(set: &KeptSet, server: Option<&KeptServer>) -> bool {
    set.protection == Protection::Strict && is_in_use(set, server)
}

/// Whether people may use the server, and nobody has said that it may go all the same. One without a GameServer says
/// nothing else.
pub(super) fn is_in_use(set: &KeptSet, server: Option<&KeptServer>) -> bool {
    !set.allows && !server.is_some_and(KeptServer::is_free)
}

/// The metadata of an object as a request has it.
pub(super) fn metadata(object: &Value) -> ObjectMeta {
    read(&object["metadata"]).unwrap_or_default()
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}
