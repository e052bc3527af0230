//! `status.conditions` of a GameServer: PodNormal, NodeNormal, PersistentVolumeNormal.
//!
//! ```text
//!   pod     ─► PodNormal                ┐
//!   node    ─► NodeNormal               ├─ finding ─► against the condition that the status has
//!   volume  ─► PersistentVolumeNormal   ┘               ├─► condition, its times moved where it differs
//!   text    reasons and messages, put together          └─► Warning event where it turns false
//! ```
//!
//! What counts as abnormal, the reasons and the messages are OpenKruiseGame's, but for these: an init
//! container that has completed is normal; while a pod terminates its processes and volumes are no news; a
//! claim that nobody has complained about is not called unbound; a node that is gone is said to be gone.
//!
//! An event is written before the status that records the transition, under a name that a retry repeats.

mod node;
mod pod;
mod text;
mod volume;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};

pub use self::{
    node::{answers, kept as kept_of_node},
    volume::{claim_names, kept_of_claim, kept_of_volume},
};
use self::{pod::is_starting, text::Trouble};
use crate::{
    event::{Event, EventType, cut},
    time::truncated,
    types::GameServerCondition,
};

/// The pod, its processes.
const POD_NORMAL: &str = "PodNormal";
/// The node that the pod is on.
const NODE_NORMAL: &str = "NodeNormal";
/// The volumes of the pod's claims.
const PERSISTENT_VOLUME_NORMAL: &str = "PersistentVolumeNormal";

/// The longest reason that the API server takes in an event, in bytes.
const MAX_EVENT_REASON: usize = 128;

/// An object that another one names.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<T> {
    /// It is there.
    Here(T),
    /// It is not there: the API server says so.
    Missing,
    /// It could not be looked for. What was known before stays.
    Unknown,
}

/// What a server stands on.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The node that the pod names; `None` where it names none yet.
    pub node: Option<Found<Arc<Node>>>,
    /// The pod's claims, in the order of its volumes.
    pub claims: Vec<Claim>,
}

/// A claim of a pod.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// The claim.
    pub claim: Found<Arc<PersistentVolumeClaim>>,
    /// The volume that it names; `None` where it names none.
    pub volume: Option<Found<Arc<PersistentVolume>>>,
}

/// The conditions, and what to say before they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Conditions {
    pub(super) list: Vec<GameServerCondition>,
    pub(super) events: Vec<Event>,
}

/// What a look at one aspect has found; `None` where there is nothing to see (yet), or nothing could be seen.
enum Finding {
    /// This is how it is.
    Is(Trouble),
    /// The condition stays as it is.
    Keep,
    /// There is nothing to have a condition of.
    Nothing,
}

/// The conditions as they are now, given those that the status has.
pub(super) fn conditions(
    pod: &Pod,
    around: &Around,
    old: &[GameServerCondition],
    now: Timestamp,
) -> Conditions {
    let updating = pod::is_updating(pod);
    let mut conditions = Conditions::default();
    for (type_, finding) in [
        (POD_NORMAL, pod::look(pod)),
        (NODE_NORMAL, node::look(pod, around.node.as_ref())),
        (PERSISTENT_VOLUME_NORMAL, volume::look(pod, &around.claims)),
    ] {
        let old = old.iter().find(|condition| condition.type_ == type_);
        match finding {
            Finding::Is(trouble) => {
                let new = condition(type_, &trouble, old, now);
                if is_news(type_, &trouble, old, updating) {
                    conditions.events.push(warning(&new, old));
                }
                conditions.list.push(new);
            }
            Finding::Keep => conditions.list.extend(old.cloned()),
            Finding::Nothing => {}
        }
    }
    conditions
}

/// The condition; its times move only when the rest of it does.
fn condition(
    type_: &str,
    trouble: &Trouble,
    old: Option<&GameServerCondition>,
    now: Timestamp,
) -> GameServerCondition {
    let now = Some(Time(truncated(now)));
    let new = GameServerCondition {
        type_: type_.to_owned(),
        status: if trouble.is_none() { "True" } else { "False" }.to_owned(),
        last_probe_time: now.clone(),
        last_transition_time: now,
        reason: trouble.reason(),
        message: trouble.message(),
    };
    match old {
        Some(old) if old.status == new.status && old.reason == new.reason && old.message == new.message => {
            old.clone()
        }
        Some(old) if old.status == new.status => {
            GameServerCondition { last_transition_time: old.last_transition_time.clone(), ..new }
        }
        _ => new,
    }
}

/// Whether somebody is to be told: it turns false, or from what every start goes through into real trouble.
/// A new pod that starts, and containers that an update restarts, are no news.
fn is_news(type_: &str, trouble: &Trouble, old: Option<&GameServerCondition>, updating: bool) -> bool {
    if trouble.is_none() {
        return false;
    }
    let starting = |reason: Option<&str>| type_ == POD_NORMAL && reason.is_some_and(is_starting);
    let mild = starting(trouble.reason().as_deref());
    match old {
        Some(old) if old.status == "True" => !(mild && updating),
        Some(old) => !mild && starting(old.reason.as_deref()),
        None => !mild,
    }
}

/// The event of a transition. It is named by what was before, so that a retry repeats the name.
fn warning(new: &GameServerCondition, old: Option<&GameServerCondition>) -> Event {
    let since = old.and_then(|old| old.last_transition_time.as_ref());
    let since = since.map(|time| time.0.to_string()).unwrap_or_default();
    // A reason or a message may be empty (somebody else wrote it); an event without a reason is refused.
    let reason = new.reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or(&new.type_);
    Event {
        type_: EventType::Warning,
        reason: cut(reason, MAX_EVENT_REASON).to_owned(),
        message: new.message.clone().unwrap_or_default(),
        occurrence: format!("{} {since}", new.type_),
    }
}

#[cfg(test)]
mod tests;
