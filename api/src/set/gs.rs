//! Which GameServers to mark, to unmark and to delete.
//!
//! Only those that outlive their pods (reclaim policy Delete: the set owns them) are ours to end. One that
//! its pod owns (Cascade) goes with it by garbage collection; we only hurry that along where a new pod of the
//! same name waits for its own.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    Snapshot,
    roster::{Roster, label},
};
use crate::{names, scale::Ordinals, server::ServerRef, types::GameServer};

/// What to do with the set's GameServers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct GsPlan {
    pub(super) mark: Vec<ServerRef>,
    pub(super) unmark: Vec<ServerRef>,
    pub(super) delete: Vec<ServerRef>,
}

/// `seats`: the ordinals the set will have; `remove`: those that scale-down takes now.
pub(super) fn server_plan(
    snapshot: &Snapshot<'_>,
    roster: &Roster<'_>,
    seats: &Ordinals,
    remove: &BTreeSet<u32>,
) -> GsPlan {
    let mut plan = GsPlan::default();
    let blocked = roster.blocked();
    for (ordinal, server) in &roster.servers {
        if server.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let reference = ServerRef::of(&server.metadata);
        let member = roster.members.get(ordinal);
        if !outlives_its_pod(snapshot, server) {
            let replaced = member.is_some_and(|m| {
                !m.leaving() && m.server.is_none() && is_older(&server.metadata, &m.pod.metadata)
            });
            if replaced {
                plan.delete.push(reference);
            }
            continue;
        }
        let seated = seats.contains(*ordinal);
        match (member, marked(server)) {
            (Some(_), false) if remove.contains(ordinal) => plan.mark.push(reference),
            (_, true) if seated => plan.unmark.push(reference),
            (None, _) if !seated && !blocked.contains(ordinal) => plan.delete.push(reference),
            _ => {}
        }
    }
    plan
}

/// Whether the set owns the GameServer: reclaim policy Delete.
pub(super) fn outlives_its_pod(snapshot: &Snapshot<'_>, server: &GameServer) -> bool {
    server.metadata.owner_references.iter().flatten().any(|o| o.uid == snapshot.uid())
}

/// Whether scale-down has chosen it.
pub(super) fn marked(server: &GameServer) -> bool {
    label(&server.metadata, names::GS_DELETING) == Some("true")
}

/// A GameServer that is younger than the pod we see may belong to a pod that we do not see yet.
fn is_older(server: &ObjectMeta, pod: &ObjectMeta) -> bool {
    match (&server.creation_timestamp, &pod.creation_timestamp) {
        (Some(server), Some(pod)) => server.0 <= pod.0,
        _ => false,
    }
}
