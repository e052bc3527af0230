//! Tables of what is abnormal, and of what is said.

use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim};
use serde_json::{Value, json};

use super::*;
use crate::names;

const BEFORE: &str = "2026-01-01T00:00:00Z";
const NOW: &str = "2026-01-01T00:05:00Z";

fn pod(status: Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "game-0", "namespace": "games"},
        "spec": {"nodeName": "node-0", "containers": []},
        "status": status,
    }))
    .unwrap()
}

fn node(conditions: Value) -> Found<Arc<Node>> {
    let node = json!({"metadata": {"name": "node-0"}, "status": {"conditions": conditions}});
    Found::Here(Arc::new(serde_json::from_value(node).unwrap()))
}

fn claim(volume: Option<Found<Value>>) -> Claim {
    let object: PersistentVolumeClaim =
        serde_json::from_value(json!({"metadata": {"name": "data"}})).unwrap();
    let volume = volume.map(|volume| match volume {
        Found::Here(status) => {
            let volume = json!({"metadata": {"name": "pv"}, "status": status});
            Found::Here(Arc::new(serde_json::from_value::<PersistentVolume>(volume).unwrap()))
        }
        Found::Missing => Found::Missing,
        Found::Unknown => Found::Unknown,
    });
    Claim { name: "data".into(), claim: Found::Here(Arc::new(object)), volume }
}

fn look(pod: &Pod, around: &Around, old: &[GameServerCondition]) -> Conditions {
    conditions(pod, around, old, NOW.parse().unwrap())
}

/// Status, reason and message of a condition.
fn of<'a>(conditions: &'a Conditions, type_: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let found = conditions.list.iter().find(|condition| condition.type_ == type_)?;
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    Some((found.status.as_str(), text(&found.reason), text(&found.message)))
}

fn old(type_: &str, status: &str, reason: &str) -> GameServerCondition {
    let before = Some(Time(BEFORE.parse().unwrap()));
    GameServerCondition {
        type_: type_.into(),
        status: status.into(),
        last_probe_time: before.clone(),
        last_transition_time: before,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        message: None,
    }
}

fn scheduled(status: &str) -> Value {
    json!({"type": "PodScheduled", "status": status, "reason": "Unschedulable", "message": "0/1 nodes"})
}

fn crashing() -> Value {
    let last = json!({"terminated": {"exitCode": 3, "reason": "Error", "message": "no map"}});
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}});
    json!({
        "conditions": [
            {"type": "ContainersReady", "status": "False", "reason": "ContainersNotReady", "message": "with unready status: [a]"},
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "with unready status: [a]"},
        ],
        "containerStatuses": [{"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 1,
            "state": waiting, "lastState": last}],
    })
}

#[test]
fn pod_normal_tells_what_keeps_the_pod_from_running() {
    let container = |state: Value| json!([{"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}]);
    let gate = json!([
        {"type": "ContainersReady", "status": "True"},
        {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": "gate"},
    ]);
    let pulling = container(json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}));
    let done = container(json!({"terminated": {"exitCode": 0, "reason": "Completed"}}));
    for (status, expected) in [
        (json!({}), ("True", "", "")),
        (json!({"conditions": [{"type": "Ready", "status": "True"}]}), ("True", "", "")),
        (json!({"reason": "Evicted", "message": "low on memory"}), ("False", "Evicted", "low on memory")),
        (json!({"conditions": [scheduled("False")]}), ("False", "Unschedulable", "0/1 nodes")),
        (json!({"conditions": gate}), ("False", "ReadinessGatesNotReady", "gate")),
        (json!({"containerStatuses": pulling}), ("False", "ImagePullBackOff", "no such image")),
        (
            json!({"containerStatuses": container(json!({"waiting": {"reason": "ContainerCreating"}}))}),
            ("True", "", ""),
        ),
        (json!({"containerStatuses": done}), ("False", "ContainerTerminated:Completed", "ExitCode: 0")),
        (json!({"initContainerStatuses": done}), ("True", "", "")),
        (
            crashing(),
            (
                "False",
                "ContainersNotReady; CrashLoopBackOff; ContainerTerminated:Error",
                "with unready status: [a]; back-off; no map ExitCode: 3",
            ),
        ),
        (json!({"conditions": [{"type": "game.kruise.io/idle", "status": "False"}]}), ("True", "", "")),
    ] {
        let seen = look(&pod(status.clone()), &Around::default(), &[]);
        assert_eq!(of(&seen, "PodNormal"), Some(expected), "{status}");
    }
}

#[test]
fn node_normal_tells_what_is_wrong_with_the_node() {
    let ready = |status: &str| json!({"type": "Ready", "status": status, "reason": "R", "message": "m"});
    let pressure =
        |status: &str| json!({"type": "DiskPressure", "status": status, "reason": "D", "message": "d"});
    for (node, expected) in [
        (None, None),
        (Some(node(json!([ready("True"), pressure("False")]))), Some(("True", "", ""))),
        (
            Some(node(json!([ready("False"), pressure("True")]))),
            Some(("False", "Ready:R; DiskPressure:D", "m; d")),
        ),
        (Some(node(json!([ready("Unknown")]))), Some(("False", "Ready:R", "m"))),
        (Some(Found::Missing), Some(("False", "Node Not Found", "There is no node named node-0 in cluster"))),
        (Some(Found::Unknown), None),
    ] {
        let around = Around { node: node.clone(), claims: Vec::new() };
        assert_eq!(of(&look(&pod(json!({})), &around, &[]), "NodeNormal"), expected, "{node:?}");
    }
}

#[test]
fn persistent_volume_normal_tells_which_claim_has_no_volume() {
    let unbound =
        ("False", "PersistentVolume Not Found", "There is no pv which pvc games/data is bound with");
    let missing = Claim { claim: Found::Missing, ..claim(None) };
    let no_claim =
        ("False", "PersistentVolumeClaim Not Found", "There is no pvc named games/data in cluster");
    for (claims, expected) in [
        (vec![], Some(("True", "", ""))),
        (vec![claim(Some(Found::Here(json!({}))))], Some(("True", "", ""))),
        (
            vec![claim(Some(Found::Here(json!({"reason": "Lost", "message": "l"}))))],
            Some(("False", "Lost", "l")),
        ),
        (vec![claim(None)], Some(unbound)),
        (vec![claim(Some(Found::Missing))], Some(unbound)),
        (vec![missing], Some(no_claim)),
        (vec![claim(Some(Found::Unknown))], None),
    ] {
        let around = Around { node: None, claims };
        let seen = look(&pod(json!({})), &around, &[]);
        assert_eq!(of(&seen, "PersistentVolumeNormal"), expected, "{:?}", around.claims);
    }
}

#[test]
fn a_claim_that_waits_for_its_volume_is_no_trouble_before_the_scheduler_says_so() {
    let around = Around { node: None, claims: vec![claim(None)] };
    let mut pod = pod(json!({}));
    pod.spec.as_mut().unwrap().node_name = None;
    assert_eq!(of(&look(&pod, &around, &[]), "PersistentVolumeNormal"), None);
    pod.status = serde_json::from_value(json!({"conditions": [scheduled("False")]})).unwrap();
    let seen = look(&pod, &around, &[]);
    assert_eq!(of(&seen, "PersistentVolumeNormal").unwrap().0, "False");
    let said: Vec<_> = seen.events.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!(said, ["Unschedulable", "PersistentVolume Not Found"]);
}

#[test]
fn turning_false_is_said_once_and_starting_is_not() {
    let starting = json!({"conditions": [
        {"type": "ContainersReady", "status": "False", "reason": "ContainersNotReady", "message": "a"},
    ]});
    let updating = |mut pod: Pod| {
        let labels = std::collections::BTreeMap::from([(names::LIFECYCLE_STATE.into(), "Updating".into())]);
        pod.metadata.labels = Some(labels);
        pod
    };
    let ill = "ContainersNotReady; CrashLoopBackOff";
    for (pod, before, said) in [
        (pod(starting.clone()), None, false),
        (pod(crashing()), None, true),
        (pod(crashing()), Some(("True", "")), true),
        (pod(crashing()), Some(("False", "ContainersNotReady")), true),
        (pod(crashing()), Some(("False", ill)), false),
        (pod(starting.clone()), Some(("False", ill)), false),
        (pod(starting.clone()), Some(("True", "")), true),
        (updating(pod(starting.clone())), Some(("True", "")), false),
        (updating(pod(crashing())), Some(("False", "ContainersNotReady")), true),
        (pod(json!({})), Some(("False", ill)), false),
    ] {
        let before: Vec<_> =
            before.map(|(status, reason)| old("PodNormal", status, reason)).into_iter().collect();
        let seen = look(&pod, &Around::default(), &before);
        assert_eq!(!seen.events.is_empty(), said, "{before:?} to {:?}", of(&seen, "PodNormal"));
        // At rest: the same again says nothing and moves no time.
        let again = conditions(&pod, &Around::default(), &seen.list, Timestamp::now());
        assert_eq!((again.events.len(), again.list), (0, seen.list));
    }
}

#[test]
fn a_pod_that_starts_is_not_called_normal_before_its_containers_are_spoken_of() {
    let start = pod(json!({"phase": "Pending", "conditions": [scheduled("True")]}));
    let seen = look(&start, &Around::default(), &[]);
    assert_eq!((of(&seen, "PodNormal"), seen.events.len()), (None, 0));
    let pods = json!([{"type": "ContainersReady", "status": "False", "reason": "ContainersNotReady", "message": "m"}]);
    let next = look(&pod(json!({"phase": "Pending", "conditions": pods})), &Around::default(), &seen.list);
    assert_eq!((of(&next, "PodNormal"), next.events.len()), (Some(("False", "ContainersNotReady", "m")), 0));
}

#[test]
fn a_retry_of_an_event_is_named_alike_and_the_next_transition_is_not() {
    let transition = |before: &GameServerCondition| {
        let seen = look(&pod(crashing()), &Around::default(), std::slice::from_ref(before));
        seen.events.into_iter().next().unwrap().occurrence
    };
    let normal = old("PodNormal", "True", "");
    assert_eq!(transition(&normal), transition(&normal));
    let mut healed = normal.clone();
    healed.last_transition_time = Some(Time(NOW.parse().unwrap()));
    assert_ne!(transition(&normal), transition(&healed));
}

#[test]
fn times_move_with_what_they_are_of() {
    let time = |time: &Option<Time>| time.as_ref().unwrap().0.to_string();
    for (before, moved) in
        [(old("PodNormal", "True", ""), (NOW, NOW)), (old("PodNormal", "False", "Other"), (NOW, BEFORE))]
    {
        let seen = look(&pod(crashing()), &Around::default(), &[before]);
        let times = (time(&seen.list[0].last_probe_time), time(&seen.list[0].last_transition_time));
        assert_eq!((times.0.as_str(), times.1.as_str()), moved);
    }
}

#[test]
fn how_a_terminating_pod_ends_is_no_news_but_its_node_is() {
    let mut pod = pod(crashing());
    pod.metadata.deletion_timestamp = Some(Time(NOW.parse().unwrap()));
    let before = [old("PodNormal", "True", ""), old("PersistentVolumeNormal", "True", "")];
    let around = Around { node: Some(Found::Missing), claims: vec![claim(None)] };
    let seen = look(&pod, &around, &before);
    let states: Vec<_> = seen.list.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
    assert_eq!(states, [("PodNormal", "True"), ("NodeNormal", "False"), ("PersistentVolumeNormal", "True")]);
    assert_eq!(seen.events.len(), 1);
}

#[test]
fn a_heartbeat_changes_nothing_that_is_kept_of_a_node() {
    let node = |time: &str, status: &str| -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "n", "resourceVersion": time, "annotations": {"a": time}},
            "spec": {"podCIDR": "10.0.0.0/24", "unschedulable": true},
            "status": {
                "conditions": [{"type": "Ready", "status": status, "lastHeartbeatTime": time, "lastTransitionTime": time}],
                "images": [{"names": ["i"], "sizeBytes": 1}],
            },
        }))
        .unwrap()
    };
    let kept = |time, status| kept_of_node(node(time, status));
    assert_eq!(kept(BEFORE, "True"), kept(NOW, "True"));
    assert_ne!(kept(BEFORE, "True"), kept(BEFORE, "Unknown"));
    assert!(answers(&kept(BEFORE, "True")) && answers(&kept(BEFORE, "False")));
    assert!(!answers(&kept(BEFORE, "Unknown")));
}
