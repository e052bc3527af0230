//! What OpenKruiseGame's controller takes of a set (external mode).
//!
//! It orders the pods by opsState, deletion priority and ordinal, as we do, and takes as many as there are more than
//! replicas, at once; pods on newly reserved ordinals besides, which come back elsewhere. It knows no protection and no last
//! look. So what would need a server in use is refused before it is told of it.
//!
//! It counts pods, and this GameServers: a pod whose GameServer is not there yet is not seen here. A GameServer whose pod is
//! lost (reclaim policy Delete) is counted here and not there, which refuses more, never less.

use serde_json::Value;

use super::{
    cache::Cache,
    decide::{View, named},
    kept::{KeptServer, KeptSet, is_in_use},
    request::Asked,
    say::{List, Named, Refusal},
};
use crate::{
    names,
    scale::{self, Leave, ScalePlan, Why},
};

/// The server, as that controller sees it: only its state, its priority and its ordinal count.
pub(super) fn taken(server: scale::Server) -> scale::Server {
    scale::Server { protected: false, unanswered: false, dead: false, committed: false, ..server }
}

/// Servers in use that a change would take, which is this `plan`, and that are not to go already.
pub(super) fn would_lose(
    asked: &Asked<'_>,
    view: &View<'_>,
    old: &KeptSet,
    new: &KeptSet,
    plan: &ScalePlan,
) -> Option<Refusal> {
    let set = asked.name();
    let gone = |set_then: &KeptSet| view.plan(asked.namespace, set, set_then).remove;
    let server = |leave: &Leave| -> Option<&KeptServer> {
        view.cache.servers.get(asked.namespace, &Cache::name(set, leave.ordinal))
    };
    let is_used = |leave: &Leave| is_in_use(new, server(leave));
    let before = gone(old);
    let is_new = |leave: &Leave| !before.iter().any(|already| already.ordinal == leave.ordinal);
    let servers: Vec<Named> = plan
        .remove
        .iter()
        .filter(|leave| is_used(leave) && is_new(leave))
        .map(|leave| named(&Cache::name(set, leave.ordinal), server(leave)))
        .collect();
    if servers.is_empty() {
        return None;
    }
    // All of them, in the order in which they would go.
    let mut all = gone(&new.with(0));
    all.retain(|leave| leave.why != Why::Reserved);
    let least = all.len() - all.iter().take_while(|leave| !is_used(leave)).count();
    let instead = if new.replicas >= old.replicas {
        "leave their ids out of reserveGameServerIds until then".to_owned()
    } else if i64::try_from(least).is_ok_and(|least| least < i64::from(old.replicas)) {
        format!("now it can shrink to {least}")
    } else {
        "now it cannot shrink".to_owned()
    };
    Some(Refusal::WouldLose {
        servers: List(servers),
        set: set.to_owned(),
        instead,
        namespace: asked.namespace.to_owned(),
    })
}

/// The label that changes between the two, of those by which pods are taken. The field of the GameServer that it stands for
/// comes with it.
pub(super) fn reordered(old: &Value, new: &Value) -> Option<(&'static str, &'static str)> {
    let labels = [(names::GS_OPS_STATE, "opsState"), (names::GS_DELETE_PRIORITY, "deletionPriority")];
    let label = |pod: &Value, (label, _): (&str, &str)| pod["metadata"]["labels"][label].clone();
    labels.into_iter().find(|of| label(old, *of) != label(new, *of))
}

impl View<'_> {
    /// Why a label by which pods are taken is not to be changed by hand: it decides who goes, whatever the GameServer says.
    pub(super) fn relabelled(
        &self,
        asked: &Asked<'_>,
        (label, field): (&'static str, &'static str),
        pod: &str,
        set_name: &str,
        set: &KeptSet,
    ) -> Option<Refusal> {
        set.holds().then(|| Refusal::Relabelled {
            label,
            field,
            name: pod.to_owned(),
            set: set_name.to_owned(),
            namespace: self.namespace(asked),
        })
    }
}
