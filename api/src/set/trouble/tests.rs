//! What is seen, and what people read.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{
        fixture::{Cluster, NOW},
        plan,
    },
    *,
};

/// A set of some servers, the last of which are like this.
fn servers(count: u32, like: impl Fn(&mut Value)) -> Cluster {
    let mut cluster = Cluster::new(i32::try_from(count).unwrap(), "");
    for ordinal in 0..count {
        cluster = cluster.with(ordinal, "None");
    }
    cluster.pods.iter_mut().skip(1).for_each(like);
    cluster
}

fn waiting(reason: &str, message: &str, for_seconds: i64) -> impl Fn(&mut Value) {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    move |pod| {
        pod["status"] = json!({
            "phase": "Pending",
            "conditions": [{"type": "ContainersReady", "status": "False", "lastTransitionTime": ago(for_seconds)}],
            "containerStatuses": [{
                "name": "main", "image": "v1", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": message}},
            }],
        });
    }
}

fn unschedulable(for_seconds: i64) -> impl Fn(&mut Value) {
    move |pod| {
        pod["status"] = json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 node(s) didn't match.", "lastTransitionTime": ago(for_seconds),
        }]});
    }
}

fn ago(seconds: i64) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    (now - jiff::SignedDuration::from_secs(seconds)).to_string()
}

fn messages(cluster: &Cluster) -> Vec<(Kind, &'static str, String)> {
    cluster.ask(plan).troubles.iter().map(|t| (t.kind, t.reason, t.message())).collect()
}

#[test]
fn a_set_in_order_has_none() {
    assert_eq!(messages(&servers(3, |_| ())), []);
}

#[test]
fn troubles_of_pods_are_told_in_the_words_of_who_found_them() {
    let not_found = "failed to pull: not found";
    for (reason, message, kind, condition_reason, expected) in [
        (
            "ErrImagePull",
            not_found,
            Kind::ImageError,
            "ImagePullFailed",
            "game-1, game-2: container main: the image \"v1\" cannot be pulled: failed to pull: not found; correct the \
             image's name, its registry or imagePullSecrets; the kubelet goes on trying",
        ),
        (
            "ImagePullBackOff",
            "Back-off pulling image",
            Kind::ImageError,
            "ImagePullFailed",
            "game-1, game-2: container main: the image \"v1\" cannot be pulled: Back-off pulling image; correct the \
             image's name, its registry or imagePullSecrets; the kubelet goes on trying",
        ),
        (
            "InvalidImageName",
            "couldn't parse",
            Kind::ImageError,
            "InvalidImageName",
            "game-1, game-2: container main: \"v1\" is no name of an image: couldn't parse; correct it in \
             spec.gameServerTemplate",
        ),
        (
            "ErrImageNeverPull",
            "",
            Kind::ImageError,
            "ErrImageNeverPull",
            "game-1, game-2: container main: the image \"v1\" is not on the node, and imagePullPolicy is Never; load it \
             there, or change imagePullPolicy",
        ),
        (
            "CreateContainerConfigError",
            "secret \"s\" not found",
            Kind::ContainerError,
            "CreateContainerConfigError",
            "game-1, game-2: container main cannot be made: secret \"s\" not found; make the ConfigMap, Secret or key \
             that it names, or correct the template",
        ),
        (
            "CrashLoopBackOff",
            "back-off 10s",
            Kind::CrashLoop,
            "CrashLoopBackOff",
            "game-1, game-2: container main ends again and again; see kubectl logs --previous",
        ),
    ] {
        let seen = messages(&servers(3, waiting(reason, message, 60)));
        assert_eq!(seen, [(kind, condition_reason, expected.to_owned())], "{reason}");
    }
    for harmless in ["ContainerCreating", "PodInitializing"] {
        assert_eq!(messages(&servers(2, waiting(harmless, "", 600))), [], "{harmless}");
    }
    assert_eq!(
        messages(&servers(9, unschedulable(60)))[0].2,
        "game-1, game-2, game-3 and 5 more: no node takes the pod: 0/1 nodes are available: 1 node(s) didn't match.; add \
         nodes, or lower what the template asks for (resources, nodeSelector, affinity, tolerations, volumes)"
    );
}

#[test]
fn a_failure_of_a_moment_is_none_and_looked_at_again() {
    let pull = servers(2, waiting("ErrImagePull", "", 5));
    let node = servers(2, unschedulable(12));
    for (cluster, left) in [(pull, 10), (node, 3)] {
        let plan = cluster.plan();
        assert_eq!(plan.troubles, []);
        assert_eq!(plan.requeue_after, Some(Duration::from_secs(left)));
    }
}

#[test]
fn pods_that_go_or_wait_at_a_gate_are_in_no_trouble() {
    let mut going = servers(2, unschedulable(60));
    going.pods[1]["metadata"]["deletionTimestamp"] = json!(NOW);
    assert_eq!(messages(&going), []);
    let gated = servers(2, |pod| {
        pod["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastTransitionTime": ago(60)}]);
    });
    assert_eq!(messages(&gated), []);
}

#[test]
fn a_crash_loop_lasts_until_the_container_has_run_for_a_minute() {
    let running = |restarts: i32, for_seconds: i64, said: bool| {
        let mut cluster = servers(2, |pod| {
            pod["status"]["containerStatuses"] = json!([{
                "name": "main", "image": "v1", "imageID": "", "ready": true, "restartCount": restarts,
                "state": {"running": {"startedAt": ago(for_seconds)}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
            }]);
        });
        if said {
            cluster.set["status"] = json!({"conditions": [
                {"type": "CrashLoop", "status": "True", "reason": "R", "message": "", "lastTransitionTime": NOW},
            ]});
        }
        cluster
    };
    let told =
        "game-1: container main ends again and again: Error with exit code 1; see kubectl logs --previous";
    for (restarts, for_seconds, said, expected) in
        [(3, 5, true, vec![told]), (3, 60, true, vec![]), (3, 5, false, vec![]), (1, 5, true, vec![])]
    {
        let seen: Vec<String> =
            messages(&running(restarts, for_seconds, said)).into_iter().map(|(_, _, m)| m).collect();
        assert_eq!(seen, expected, "{restarts} restarts, running for {for_seconds} s, said: {said}");
    }
    assert_eq!(running(3, 5, true).plan().requeue_after, Some(Duration::from_secs(55)));
}

#[test]
fn a_network_plugin_has_no_effect_here() {
    let mut cluster = servers(1, |_| ());
    cluster.set["spec"]["network"] = json!({"networkType": "Kubernetes-HostPort"});
    let seen = messages(&cluster);
    assert_eq!((seen[0].0, seen[0].1), (Kind::NetworkUnsupported, "ManagedMode"));
    assert!(seen[0].2.starts_with("spec.network has no effect: the network plugin Kubernetes-HostPort is"));
    cluster.set["spec"]["network"] = json!({});
    assert_eq!(messages(&cluster), []);
}

#[test]
fn what_could_not_be_made_is_told_in_the_api_servers_words() {
    let quota = Failure::of_answer(Some(403), "pods \"game-1\" is forbidden: exceeded quota: few");
    let refused = Failure::of_answer(Some(422), "Pod \"game-2\" is invalid: spec: bad");
    assert!(matches!((&quota, &refused), (Failure::Quota(_), Failure::Refused(_))));
    let taken = Failure::NameTaken("Job cleanup".into());
    let told = |failures: &[(u32, &Failure)]| {
        let failures: BTreeMap<u32, Failure> = failures.iter().map(|(o, f)| (*o, (*f).clone())).collect();
        let troubles = failed_creates("game", &failures);
        troubles.iter().map(|t| (t.kind, t.reason, t.message())).collect::<Vec<_>>()
    };
    assert_eq!(told(&[]), []);
    let refusal = "game-2: pods cannot be made: Pod \"game-2\" is invalid: spec: bad; correct spec.gameServerTemplate, or \
                   what refuses it; it is tried again within a minute, and at once when the spec changes";
    assert_eq!(told(&[(2, &refused)]), [(Kind::ReplicaFailure, "FailedCreate", refusal.to_owned())]);
    let both = told(&[(1, &quota), (2, &refused), (3, &taken)]);
    assert_eq!((both[0].0, both[0].1), (Kind::ReplicaFailure, "ExceededQuota"));
    assert!(both[0].2.starts_with(
        "game-1: pods cannot be made: pods \"game-1\" is forbidden: exceeded quota: few; raise"
    ));
    assert_eq!((both[1].0, both[1].1), (Kind::NameConflict, "NameConflict"));
    assert!(both[1].2.contains(
        "game-3: a pod that is not the set's has the name of a server: it belongs to Job cleanup;"
    ));
}

#[test]
fn an_update_that_waits_for_its_image_is_no_crash_loop_and_names_the_image_asked_for() {
    let updating = |reason: &'static str| {
        move |pod: &mut Value| {
            waiting(reason, "back-off", 60)(pod);
            pod["spec"] = json!({"containers": [{"name": "main", "image": "nosuch"}]});
            pod["metadata"]["labels"][crate::names::LIFECYCLE_STATE] = json!("Updating");
        }
    };
    let pulled = |cluster: &Cluster| {
        let messages = messages(cluster);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(messages[0].0, Kind::ImageError);
        assert!(messages[0].2.contains("the image \"nosuch\" cannot be pulled"), "{messages:?}");
    };
    pulled(&servers(2, updating("ImagePullBackOff")));
    let mut cluster = servers(2, updating("CrashLoopBackOff"));
    assert_eq!(messages(&cluster), []);
    cluster.set["status"]["conditions"] = json!([{
        "type": "ImageError", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": ago(60),
    }]);
    pulled(&cluster);
}

#[test]
fn reserved_ordinals_that_leave_no_room_are_told() {
    let mut cluster = servers(1, |_| {});
    cluster.set["spec"]["reserveGameServerIds"] = json!(["0-4294967295"]);
    let messages = messages(&cluster);
    assert_eq!(messages[0].0, Kind::InvalidSpec);
    assert!(messages[0].2.contains("leaves no ordinals for 1 servers; reserve fewer"), "{messages:?}");
}
