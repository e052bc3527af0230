//! Whose pod is whose: the servers of a set by ordinal, the pods that are not ours, the GameServers that
//! speak of a pod that is gone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};

use super::{Refusal, Refused, Snapshot};
use crate::{
    lifecycle::{Flight, State},
    names,
    removal::{Claim, Phase, has_ended, is_guarded, is_skipped, is_withdrawn},
    scale,
    server::{condition, controller, is_stale, owner_set},
    types::{GameServer, GameServerSpec, OpsState},
};

/// A pod of the set, with its GameServer.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    pub(super) ordinal: u32,
    pub(super) pod: &'a Pod,
    /// The GameServer, unless it is missing or [stale](is_stale).
    pub(super) server: Option<&'a GameServer>,
    /// How far its removal is.
    pub(super) claim: Option<Claim>,
    /// What the API server has refused lately.
    pub(super) refusal: Option<Refusal>,
    /// It is left alone for that now.
    pub(super) refused: Option<Refused>,
    /// It must not be removed.
    pub(super) protected: bool,
    /// The pod terminates.
    pub(super) terminating: bool,
    /// A preDelete hook holds the pod.
    pub(super) pre_delete: bool,
    /// The pod has ended for good.
    pub(super) dead: bool,
    /// For how long the pod has been ready; `None` where it is not.
    pub(super) ready_for: Option<SignedDuration>,
}

impl<'a> Member<'a> {
    fn new(ordinal: u32, pod: &'a Pod, server: Option<&'a GameServer>, snapshot: &Snapshot<'_>) -> Self {
        let removed = pod.metadata.uid.as_deref().is_some_and(|uid| (snapshot.removed)(uid));
        let dead = has_ended(pod);
        // The kubelet takes a moment to turn a pod not ready that is being updated.
        let updating = State::of(&pod.metadata) == State::Updating;
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let refusal = (snapshot.refused)(uid);
        let ready = condition(pod, "Ready").filter(|c| c.status == "True" && !dead && !updating);
        Self {
            ordinal,
            pod,
            server,
            claim: server.and_then(|server| Claim::of(server, uid)),
            refused: refusal
                .as_ref()
                .filter(|refusal| snapshot.now < refusal.until)
                .map(|refusal| refusal.what),
            refusal,
            protected: !dead && is_guarded(snapshot.set, server),
            terminating: pod.metadata.deletion_timestamp.is_some() || removed,
            pre_delete: State::of(&pod.metadata) == State::PreparingDelete,
            dead,
            ready_for: ready.map(|c| {
                // A condition without a time is as old as one can be: nothing says otherwise.
                c.last_transition_time
                    .as_ref()
                    .map_or(SignedDuration::MAX, |t| snapshot.now.duration_since(t.0))
            }),
        }
    }

    /// We have marked it for deletion. (Anybody can write the label that holds it.)
    pub(super) fn marked_for_deletion(&self) -> bool {
        self.pod.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(names::PRE_DELETE))
    }

    /// The commit that stands in its claim has been withdrawn.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.claim.as_ref().is_some_and(|claim| is_withdrawn(self.pod, &claim.id))
    }

    /// A commit stands, whoever made it.
    pub(super) fn is_committed(&self) -> bool {
        !self.is_withdrawn() && self.claim.as_ref().is_some_and(|claim| claim.phase == Phase::Committed)
    }

    /// Nobody may write its pod: what was committed cannot be withdrawn for now.
    pub(super) fn is_stuck(&self) -> bool {
        self.refused == Some(Refused::Withdraw)
    }

    /// Its ordinal was reserved by a removal that did not come to be.
    pub(super) fn reserved_in_vain(&self) -> bool {
        !self.leaving() && self.is_withdrawn() && self.claim.as_ref().is_some_and(|claim| claim.reserves)
    }

    /// Counts neither as existing nor as a candidate.
    pub(super) fn leaving(&self) -> bool {
        self.terminating || self.pre_delete
    }

    pub(super) fn ready(&self) -> bool {
        self.ready_for.is_some()
    }

    /// Ready for so long, and not held back by a preNormal hook.
    pub(super) fn available(&self, min_ready_seconds: i64) -> bool {
        self.state() != State::PreparingNormal
            && self.ready_for.is_some_and(|d| d.as_secs() >= min_ready_seconds)
    }

    pub(super) fn state(&self) -> State {
        State::of(&self.pod.metadata)
    }

    /// How far its update in place is.
    pub(super) fn flight(&self) -> Option<Flight> {
        Flight::of(&self.pod.metadata)
    }

    /// Its containers are being exchanged. The gate that takes it out of service closes right after this begins.
    pub(super) fn updating(&self) -> bool {
        self.state() == State::Updating
    }

    pub(super) fn revision(&self) -> Option<&'a str> {
        label(&self.pod.metadata, names::REVISION_HASH)
    }

    fn spec(&self) -> Option<&'a GameServerSpec> {
        self.server.map(|server| &server.spec)
    }

    pub(super) fn ops_state(&self) -> OpsState {
        self.spec().and_then(|spec| spec.ops_state.clone()).unwrap_or(OpsState::None)
    }

    pub(super) fn update_priority(&self) -> i64 {
        scale::priority(self.spec().and_then(|s| s.update_priority.as_ref()))
    }

    /// What the scale plan wants to know of it.
    pub(super) fn scale_server(&self, snapshot: &Snapshot<'_>) -> scale::Server {
        let claim = self.claim.as_ref();
        scale::Server {
            ordinal: self.ordinal,
            ops_state: self.ops_state(),
            deletion_priority: scale::priority(self.spec().and_then(|s| s.deletion_priority.as_ref())),
            leaving: self.leaving(),
            dead: self.dead,
            ready: self.ready() && self.state() != State::PreparingNormal,
            protected: self.protected,
            unanswered: self.refused.is_some() || claim.is_some_and(|claim| is_skipped(claim, snapshot.now)),
            committed: self.is_committed() && claim.is_some_and(|claim| (snapshot.committed)(&claim.id)),
        }
    }
}

/// A pod that carries our owner label and is not ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreign<'a> {
    pub(super) pod: &'a Pod,
    /// The ordinal, where it holds one of our names.
    pub(super) ordinal: Option<u32>,
    pub(super) controller: Option<&'a OwnerReference>,
    /// It goes by itself: it terminates, or the garbage collector takes it with an earlier set of our name.
    pub(super) going: bool,
}

/// The set's pods and GameServers, sorted out.
#[derive(Debug, Default)]
pub(super) struct Roster<'a> {
    /// Our pods by ordinal.
    pub(super) members: BTreeMap<u32, Member<'a>>,
    /// Those of them that nobody controls: they are still to be adopted.
    pub(super) orphans: Vec<&'a Pod>,
    /// Our pods whose name no server has.
    pub(super) misnamed: Vec<&'a Pod>,
    /// The others.
    pub(super) foreign: Vec<Foreign<'a>>,
    /// GameServers by ordinal, whatever they speak of.
    pub(super) servers: BTreeMap<u32, &'a GameServer>,
}

impl<'a> Roster<'a> {
    pub(super) fn of(snapshot: &Snapshot<'a>) -> Self {
        let mut roster = Self::default();
        for server in snapshot.servers {
            if let Some(ordinal) = ordinal(snapshot, &server.metadata) {
                roster.servers.insert(ordinal, server);
            }
        }
        for pod in snapshot.pods {
            let ordinal = ordinal(snapshot, &pod.metadata);
            let owner = owner_set(pod);
            let orphan = ordinal.is_some()
                && controller(&pod.metadata).is_none()
                && pod.metadata.deletion_timestamp.is_none();
            if orphan {
                roster.orphans.push(pod);
            }
            if !orphan && owner.is_none_or(|set| set.uid != snapshot.uid()) {
                let earlier = owner.is_some_and(|set| set.name == snapshot.name());
                let going = earlier || pod.metadata.deletion_timestamp.is_some();
                roster.foreign.push(Foreign { pod, ordinal, controller: controller(&pod.metadata), going });
            } else if let Some(ordinal) = ordinal {
                let uid = pod.metadata.uid.as_deref().unwrap_or_default();
                let server = roster.servers.get(&ordinal).copied();
                let server = server.filter(|server| !is_stale(server, uid, snapshot.uid()));
                roster.members.insert(ordinal, Member::new(ordinal, pod, server, snapshot));
            } else {
                roster.misnamed.push(pod);
            }
        }
        roster
    }

    /// The ordinals whose name a foreign pod holds.
    pub(super) fn blocked(&self) -> BTreeSet<u32> {
        self.foreign.iter().filter_map(|f| f.ordinal).collect()
    }

    /// The foreign pod's controller, where OpenKruise's own workload runs this set.
    pub(super) fn kruise_workload(&self) -> Option<&'a OwnerReference> {
        let kruise =
            |c: &&OwnerReference| c.kind == "StatefulSet" && c.api_version.starts_with("apps.kruise.io/");
        self.foreign.iter().filter_map(|f| f.controller).find(kruise)
    }
}

pub(super) fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

fn ordinal(snapshot: &Snapshot<'_>, metadata: &ObjectMeta) -> Option<u32> {
    names::ordinal_of(snapshot.name(), metadata.name.as_deref()?)
}
