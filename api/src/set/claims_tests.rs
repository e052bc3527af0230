use serde_json::json;

use super::*;
use crate::set::{
    fixture::{Cluster, NOW},
    plan,
};

/// A set of one server that had two; game-1 is the one that scale-down takes.
fn cluster(when_deleted: &str, when_scaled: &str) -> Cluster {
    let mut cluster = Cluster::new(1, "0,1").with(0, "None").with(1, "WaitToBeDeleted");
    cluster.set["spec"]["gameServerTemplate"]["volumeClaimTemplates"] =
        json!([{"metadata": {"name": "data"}}]);
    cluster.set["spec"]["persistentVolumeClaimRetentionPolicy"] =
        json!({"whenDeleted": when_deleted, "whenScaled": when_scaled});
    cluster
}

fn reference(kind: &str, name: &str, uid: &str) -> Value {
    let api_version = if kind == "Pod" { "v1" } else { "game.kruise.io/v1alpha1" };
    json!({
        "apiVersion": api_version, "kind": kind, "name": name, "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    })
}

fn of_set() -> Value {
    reference("GameServerSet", "game", "set-uid")
}

fn of_pod(ordinal: u32) -> Value {
    reference("Pod", &format!("game-{ordinal}"), &format!("pod-uid-{ordinal}"))
}

fn claim(name: &str, owners: Value) -> Value {
    json!({"metadata": {
        "name": name, "uid": format!("uid-of-{name}"), "resourceVersion": "9", "ownerReferences": owners,
        "labels": {names::OWNER_GSS: "game"},
    }})
}

/// The owners that the claims get, by name.
fn patched(cluster: &Cluster, claims: &[Value]) -> Vec<(String, Value)> {
    let claims: Vec<PersistentVolumeClaim> =
        claims.iter().map(|c| serde_json::from_value(c.clone()).unwrap()).collect();
    let retention = cluster.ask(plan).retention.unwrap();
    let patches = claim_patches(&retention, &claims);
    patches.into_iter().map(|p| (p.name, p.patch["metadata"]["ownerReferences"].clone())).collect()
}

#[test]
fn the_owners_are_those_that_a_stateful_set_would_give() {
    for (when_deleted, when_scaled, stays, goes) in [
        ("Retain", "Retain", json!([]), json!([])),
        ("Delete", "Retain", json!([of_set()]), json!([of_set()])),
        ("Retain", "Delete", json!([]), json!([of_pod(1)])),
        ("Delete", "Delete", json!([of_set()]), json!([of_pod(1)])),
    ] {
        let cluster = cluster(when_deleted, when_scaled);
        let wanted = [("data-game-0", stays), ("data-game-1", goes)];
        // From whatever an earlier policy left.
        for before in [json!([]), json!([of_set()])] {
            let claims = wanted.clone().map(|(name, _)| claim(name, before.clone()));
            let expected: Vec<(String, Value)> = wanted
                .iter()
                .filter(|(_, owners)| *owners != before)
                .map(|(name, owners)| ((*name).to_owned(), owners.clone()))
                .collect();
            assert_eq!(patched(&cluster, &claims), expected, "{when_deleted} {when_scaled} from {before}");
        }
    }
}

#[test]
fn a_server_that_is_wanted_again_keeps_its_claim() {
    let mut cluster = cluster("Retain", "Delete");
    let claims = [claim("data-game-1", json!([of_pod(1)]))];
    assert_eq!(patched(&cluster, &claims), []);
    cluster.set["spec"]["replicas"] = json!(2);
    assert_eq!(patched(&cluster, &claims), [("data-game-1".to_owned(), json!([]))]);
    // Its pod goes already, and the claim with it: as in a StatefulSet, the next one is new.
    cluster.pods[1]["metadata"]["deletionTimestamp"] = json!(NOW);
    assert_eq!(patched(&cluster, &claims), []);
}

#[test]
fn claims_of_others_and_owners_of_others_stay() {
    let cluster = cluster("Delete", "Delete");
    let job = reference("Job", "job", "job");
    let mut note = reference("ConfigMap", "note", "note");
    note["controller"] = json!(false);
    let mut unlabelled = claim("data-game-0", json!([]));
    unlabelled["metadata"]["labels"] = json!({});
    let mut going = claim("data-game-0", json!([]));
    going["metadata"]["deletionTimestamp"] = json!(NOW);
    for (claim, owners) in [
        (claim("data-game-0", json!([note])), Some(json!([note, of_set()]))),
        (claim("data-game-0", json!([job])), None),
        (claim("other-game-0", json!([])), None),
        (claim("data-game-x", json!([])), None),
        (unlabelled, None),
        (going, None),
    ] {
        let expected: Vec<(String, Value)> =
            owners.into_iter().map(|owners| ("data-game-0".to_owned(), owners)).collect();
        assert_eq!(patched(&cluster, std::slice::from_ref(&claim)), expected, "{claim}");
    }
}

#[test]
fn what_an_earlier_scale_down_kept_goes_with_the_set_only_where_it_would_have_gone_then() {
    for (when_deleted, before, expected) in [
        ("Retain", json!([of_set()]), Some(json!([]))),
        ("Delete", json!([of_set()]), None),
        ("Delete", json!([]), None),
    ] {
        let mut cluster = cluster(when_deleted, "Retain");
        cluster.pods.pop();
        cluster.set["metadata"]["annotations"][names::ORDINALS] = json!("0");
        let expected: Vec<(String, Value)> =
            expected.into_iter().map(|owners| ("data-game-1".to_owned(), owners)).collect();
        assert_eq!(
            patched(&cluster, &[claim("data-game-1", before.clone())]),
            expected,
            "{when_deleted} {before}"
        );
    }
}

#[test]
fn a_pod_waits_until_the_claim_of_its_predecessor_is_gone() {
    let set: GameServerSet = serde_json::from_value(cluster("Retain", "Delete").set).unwrap();
    let mut going = claim("data-game-1", json!([]));
    going["metadata"]["deletionTimestamp"] = json!(NOW);
    for (claim, expected) in [
        (claim("data-game-1", json!([])), false),
        (claim("data-game-1", json!([of_set()])), false),
        (claim("data-game-1", json!([of_pod(1)])), true),
        (going, true),
    ] {
        let claim: PersistentVolumeClaim = serde_json::from_value(claim).unwrap();
        assert_eq!(claim_is_going(&claim, &set, "game-1"), expected);
    }
}

#[test]
fn claims_are_looked_at_again_only_where_their_owners_may_differ() {
    let retention = |when_deleted: &str, when_scaled: &str, replicas: i32, pods: usize| {
        let mut cluster = cluster(when_deleted, when_scaled);
        cluster.set["spec"]["replicas"] = json!(replicas);
        cluster.pods.truncate(pods);
        cluster.ask(plan).retention.unwrap()
    };
    for (when_deleted, when_scaled, seats_matter, pods_matter) in [
        ("Retain", "Retain", false, false),
        ("Delete", "Retain", true, false),
        ("Retain", "Delete", true, true),
        ("Delete", "Delete", true, true),
    ] {
        let of = |replicas, pods| retention(when_deleted, when_scaled, replicas, pods);
        assert!(of(2, 2).is_settled_by(&of(2, 2)));
        assert_eq!(!of(1, 2).is_settled_by(&of(2, 2)), seats_matter, "{when_deleted} {when_scaled}");
        assert_eq!(!of(2, 1).is_settled_by(&of(2, 2)), pods_matter, "{when_deleted} {when_scaled}");
    }
    assert!(!retention("Retain", "Retain", 2, 2).is_settled_by(&retention("Delete", "Retain", 2, 2)));
}
