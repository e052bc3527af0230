//! Pods and GameServers that carry the set's label and a name of its servers, and that nobody controls.
//!
//! `kubectl delete gss game --cascade=orphan` leaves them, and the set that is applied again takes them back, with
//! whoever plays on them. The rule is that of ReplicaSets and StatefulSets, which a name and a label make one's own
//! as well. What has another controller is somebody else's.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{Snapshot, roster::Roster};
use crate::{
    server::{ServerRef, controller, owner_reference},
    types::ReclaimPolicy,
};

/// Which kind of object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphan {
    /// A pod.
    Pod,
    /// A GameServer.
    GameServer,
}

/// An object to become the set's. Its patch carries uid and resourceVersion. Before it is written, the set is to be
/// read from the API server itself: what is being deleted, or is another by now, adopts nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// What it is.
    pub orphan: Orphan,
    /// Its name.
    pub name: String,
    /// Patch of its metadata: a merge patch for GameServers, and a strategic one for pods, which come to the same.
    pub patch: Value,
}

/// GameServers that have a pod are brought in line with it ([`crate::server::plan`]); those that outlive theirs are
/// adopted here. One without a pod that would not outlive it stays what it is: its next pod takes it over.
pub(super) fn adoptions(snapshot: &Snapshot<'_>, roster: &Roster<'_>) -> Vec<Adoption> {
    let adoption = |orphan, metadata: &ObjectMeta| {
        let ServerRef { name, uid, resource_version } = ServerRef::of(metadata);
        let mut owners = metadata.owner_references.clone().unwrap_or_default();
        owners.push(owner_reference(snapshot.set));
        let patch = json!({"metadata": {
            "uid": uid, "resourceVersion": resource_version, "ownerReferences": owners,
        }});
        Adoption { orphan, name, patch }
    };
    let pods = roster.orphans.iter().map(|pod| adoption(Orphan::Pod, &pod.metadata));
    let outlive = snapshot.set.spec.game_server_template.reclaim_policy == Some(ReclaimPolicy::Delete);
    let servers = roster.servers.iter().filter(|(ordinal, server)| {
        let metadata = &server.metadata;
        outlive
            && !roster.members.contains_key(ordinal)
            && controller(metadata).is_none()
            && metadata.deletion_timestamp.is_none()
    });
    let servers = servers.map(|(_, server)| adoption(Orphan::GameServer, &server.metadata));
    pods.chain(servers).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Removals, *};
    use crate::set::{
        fixture::{Cluster, NOW, owner},
        plan, status,
    };

    #[test]
    fn what_nobody_controls_is_adopted_before_anything_else_is_decided() {
        // A set of three that had shrunk from five, orphaned and applied anew: it remembers nothing.
        let mut cluster = Cluster::new(3, "");
        cluster.set["metadata"]["annotations"] = json!({});
        cluster = cluster.with(0, "None").with(3, "Allocated").with(4, "Allocated");
        let note = json!({"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "n"});
        for pod in &mut cluster.pods {
            pod["metadata"]["ownerReferences"] = json!([note]);
        }
        let first = cluster.plan();
        let names: Vec<&str> = first.adopt.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["game-0", "game-3", "game-4"]);
        let mut ours = owner("GameServerSet", "game", "set-uid");
        ours["blockOwnerDeletion"] = json!(true);
        assert_eq!(
            first.adopt[1].patch,
            json!({"metadata": {
                "uid": "pod-uid-3", "resourceVersion": "100", "ownerReferences": [note, ours],
            }})
        );
        assert_eq!((&first.create, &first.set_patch, first.removals), (&vec![], &None, Removals::default()));
        assert_eq!(cluster.ask(status).unwrap().replicas, 3, "they count at once");

        for pod in &mut cluster.pods {
            pod["metadata"]["ownerReferences"] = json!([note, ours]);
        }
        let then = cluster.plan();
        assert_eq!((&then.adopt, &then.create, then.removals), (&vec![], &vec![], Removals::default()));
        assert_eq!(
            then.set_patch.unwrap()["metadata"]["annotations"],
            json!({"gamewarden.dev/ordinals": "0,3,4"})
        );
    }

    #[test]
    fn nothing_else_is_adopted() {
        type Change = fn(&mut Cluster);
        let changes: [(&str, Change); 4] = [
            ("terminates", |c| c.pods[0]["metadata"]["deletionTimestamp"] = json!(NOW)),
            ("no server's name", |c| c.pods[0]["metadata"]["name"] = json!("game-x")),
            ("somebody else's", |c| {
                c.pods[0]["metadata"]["ownerReferences"] = json!([owner("Job", "job", "job")]);
            }),
            ("the set goes", |c| c.set["metadata"]["deletionTimestamp"] = json!(NOW)),
        ];
        for (what, change) in changes {
            let mut cluster = Cluster::new(1, "0").with(0, "None");
            cluster.pods[0]["metadata"]["ownerReferences"] = json!([]);
            change(&mut cluster);
            assert_eq!(cluster.plan().adopt, [], "{what}");
        }
    }

    #[test]
    fn a_server_that_outlives_its_pod_is_adopted_without_one_and_keeps_its_seat() {
        let mut cluster = Cluster::new(1, "").with(4, "Allocated").outliving();
        cluster.set["metadata"]["annotations"] = json!({});
        cluster.set["spec"]["gameServerTemplate"]["reclaimPolicy"] = json!("Delete");
        cluster.pods.clear();
        cluster.servers[0]["metadata"]["ownerReferences"] = json!([]);
        let adopt = cluster.ask(plan).adopt;
        assert_eq!((adopt[0].orphan, adopt[0].name.as_str()), (Orphan::GameServer, "game-4"));
        cluster.servers[0]["metadata"]["ownerReferences"] =
            json!([owner("GameServerSet", "game", "set-uid")]);
        assert_eq!(cluster.plan().create, [4]);
    }
}
