//! What to show in the set's status (design §2).

use super::{
    Snapshot, revision,
    roster::{Member, Roster},
};
use crate::{
    names,
    types::{GameServerSetStatus, OpsState},
};

/// The status as it should be; to be written where it differs from what the set has. Conditions are those
/// that are there: whoever sets them takes them away.
///
/// `None` where the set's pods belong to a workload of OpenKruise: its own controller writes the status.
#[must_use]
pub fn status(snapshot: &Snapshot<'_>) -> Option<GameServerSetStatus> {
    let roster = Roster::of(snapshot);
    if roster.kruise_workload().is_some() {
        return None;
    }
    let revision = revision(snapshot.set);
    let min_ready = snapshot.min_ready_seconds();
    let pods =
        |counts: &dyn Fn(&Member<'_>) -> bool| number(roster.members.values().filter(|m| counts(m)).count());
    let servers = |state: OpsState| {
        let counts = roster.servers.iter().filter(|(ordinal, server)| {
            let outdated = roster.members.get(ordinal).is_some_and(|m| m.server.is_none());
            !outdated && server.spec.ops_state.as_ref() == Some(&state)
        });
        number(counts.count())
    };
    let updated = |m: &Member<'_>| !m.terminating && m.revision() == Some(revision.as_str());
    Some(GameServerSetStatus {
        observed_generation: snapshot.set.metadata.generation,
        replicas: pods(&|m| !m.terminating),
        ready_replicas: pods(&|m| !m.terminating && m.ready()),
        available_replicas: pods(&|m| !m.terminating && m.available(min_ready)),
        current_replicas: number(roster.members.len()),
        updated_replicas: pods(&updated),
        updated_ready_replicas: pods(&|m| updated(m) && m.ready()),
        maintaining_replicas: servers(OpsState::Maintaining),
        wait_to_be_deleted_replicas: servers(OpsState::WaitToBeDeleted),
        pre_delete_replicas: pods(&|m| !m.terminating && m.pre_delete),
        label_selector: format!("{}={}", names::OWNER_GSS, snapshot.name()),
        conditions: snapshot.set.status.as_ref().map(|s| s.conditions.clone()).unwrap_or_default(),
    })
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::fixture::{Cluster, NOW},
        *,
    };

    #[test]
    fn the_status_counts_what_is_there() {
        let mut cluster = Cluster::new(5, "0-4")
            .with(0, "Maintaining")
            .with(1, "WaitToBeDeleted")
            .with(2, "None")
            .with(3, "None")
            .with(4, "WaitToBeDeleted");
        cluster.not_ready(0);
        cluster.old(1);
        cluster.pods[2]["metadata"]["deletionTimestamp"] = json!(NOW);
        cluster.pods[3]["metadata"]["labels"][names::LIFECYCLE_STATE] =
            json!(names::LIFECYCLE_PREPARING_DELETE);
        let kept = json!([{"type": "Own", "status": "True", "reason": "R", "message": "", "lastTransitionTime": NOW}]);
        cluster.set["status"] = json!({"conditions": kept});
        let status = cluster.ask(status).unwrap();
        assert_eq!(
            serde_json::to_value(&status).unwrap(),
            json!({
                "observedGeneration": 3, "replicas": 4, "currentReplicas": 5, "readyReplicas": 3, "availableReplicas": 3,
                "updatedReplicas": 3, "updatedReadyReplicas": 2, "maintainingReplicas": 1, "waitToBeDeletedReplicas": 2,
                "preDeleteReplicas": 1, "labelSelector": "game.kruise.io/owner-gss=game", "conditions": kept,
            })
        );
    }
}
