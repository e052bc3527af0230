//! The plan of whole sets: updates in place, hooks, and how many servers they may put out of service.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    fixture::{Cluster, NOW, messages, names_of},
    trouble::Trouble,
    *,
};
use crate::{lifecycle::Record, names, types::GameServerSet};

/// Four servers of the template with image v1, with what pods remember of it; the template's image is v2 now.
fn cluster(rolling: Value) -> Cluster {
    let mut cluster = Cluster::new(4, "0-3").with(0, "None").with(1, "None").with(2, "None").with(3, "None");
    let set: GameServerSet = serde_json::from_value(cluster.set.clone()).unwrap();
    for pod in &mut cluster.pods {
        pod["metadata"]["annotations"] =
            json!({names::TEMPLATE: Record::of_template(&set.spec.game_server_template).text()});
        pod["spec"] = json!({"containers": [{"name": "main", "image": "v1"}]});
        let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
        conditions.push(json!({"type": names::IN_PLACE_UPDATE_READY, "status": "True"}));
    }
    cluster.set["spec"]["updateStrategy"] = json!({"rollingUpdate": rolling});
    cluster.set["spec"]["gameServerTemplate"]["spec"]["containers"][0]["image"] = json!("v2");
    cluster
}

fn stepped(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.name.as_str()).collect()
}

fn label(cluster: &mut Cluster, index: usize, key: &str, value: &str) {
    cluster.pods[index]["metadata"]["labels"][key] = json!(value);
}

/// The pod's update has begun, and it is out of service.
fn updating(cluster: &mut Cluster, index: usize) {
    label(cluster, index, names::LIFECYCLE_STATE, "Updating");
    cluster.not_ready(index);
    cluster.pods[index]["status"]["conditions"][1]["status"] = json!("False");
}

#[test]
fn an_update_in_place_takes_as_many_as_may_be_unavailable_in_order() {
    for (policy, rolling, in_place, recreate) in [
        ("InPlaceIfPossible", json!({}), vec!["game-3"], vec![]),
        ("InPlaceOnly", json!({"maxUnavailable": 2}), vec!["game-2", "game-3"], vec![]),
        ("InPlaceOnly", json!({"maxUnavailable": "100%", "partition": 3}), vec!["game-3"], vec![]),
        ("InPlaceOnly", json!({"paused": true}), vec![], vec![]),
        ("ReCreate", json!({}), vec![], vec!["game-3"]),
    ] {
        let mut cluster = cluster(rolling.clone());
        cluster.set["spec"]["updateStrategy"]["rollingUpdate"]["podUpdatePolicy"] = json!(policy);
        let plan = cluster.plan();
        assert_eq!((stepped(&plan), names_of(&plan.replace)), (in_place, recreate), "{policy} {rolling}");
        assert_eq!(messages(&plan), [""; 0]);
    }
}

#[test]
fn one_that_is_updated_is_unavailable_until_it_is_back_and_goes_on_whatever_the_bound() {
    let mut cluster = cluster(json!({"podUpdatePolicy": "InPlaceOnly"}));
    updating(&mut cluster, 2);
    assert_eq!(stepped(&cluster.plan()), ["game-2"]);
    // The kubelet has not turned it not ready yet.
    cluster.pods[2]["status"]["conditions"][0]["status"] = json!("True");
    assert_eq!(stepped(&cluster.plan()), ["game-2"]);
    assert_eq!(cluster.ask(status).unwrap().ready_replicas, 3);
    // A pause begins no other, and what has been begun for another template is called off.
    cluster.set["spec"]["updateStrategy"]["rollingUpdate"]["paused"] = json!(true);
    assert_eq!(stepped(&cluster.plan()), ["game-2"]);
    // The update priority counts among those that have not begun.
    cluster.set["spec"]["updateStrategy"]["rollingUpdate"] =
        json!({"podUpdatePolicy": "InPlaceOnly", "maxUnavailable": 2});
    cluster.servers[0]["spec"]["updatePriority"] = json!(9);
    assert_eq!(stepped(&cluster.plan()), ["game-0", "game-2"]);
}

#[test]
fn what_cannot_be_updated_in_place_is_made_again_or_kept_and_said() {
    for (policy, replaced, said) in [
        ("InPlaceIfPossible", vec!["game-3"], None),
        (
            "InPlaceOnly",
            vec![],
            Some(
                "podUpdatePolicy InPlaceOnly: a pod that differs from the template in more than images, labels and \
                 annotations keeps what it has; to update it delete the pod, or set podUpdatePolicy InPlaceIfPossible",
            ),
        ),
    ] {
        let mut cluster = cluster(json!({"podUpdatePolicy": policy}));
        cluster.set["spec"]["gameServerTemplate"]["spec"]["containers"][0]["env"] = json!([{"name": "A"}]);
        let plan = cluster.plan();
        assert_eq!((names_of(&plan.replace), stepped(&plan)), (replaced, vec![]));
        assert_eq!(plan.troubles.iter().map(Trouble::message).collect::<Vec<_>>(), Vec::from_iter(said));
    }
}

#[test]
fn labels_and_annotations_cost_no_availability() {
    let mut cluster = cluster(json!({"podUpdatePolicy": "InPlaceOnly"}));
    cluster.set["spec"]["gameServerTemplate"]["spec"]["containers"][0]["image"] = json!("v1");
    cluster.set["spec"]["gameServerTemplate"]["metadata"] = json!({"labels": {"tier": "2"}});
    assert_eq!(stepped(&cluster.plan()), ["game-0", "game-1", "game-2", "game-3"]);
}

#[test]
fn a_hooked_pod_is_marked_and_deleted_when_the_hook_lets_go() {
    let mut cluster = cluster(json!({}));
    cluster.set["spec"]["gameServerTemplate"]["spec"]["containers"][0]["image"] = json!("v1");
    cluster.set["spec"]["lifecycle"] = json!({"preDelete": {"labelsHandler": {"hook": "on"}}});
    cluster.set["spec"]["replicas"] = json!(3);
    label(&mut cluster, 3, "hook", "on");
    let gone = cluster.leave();
    assert_eq!((names_of(&gone), gone[0].hooked), (vec!["game-3"], true));
    // It is not deleted but marked.
    cluster.removed.clear();

    label(&mut cluster, 3, names::LIFECYCLE_STATE, "PreparingDelete");
    cluster.pods[3]["metadata"]["annotations"][names::PRE_DELETE] = json!("ScaleDown");
    cluster.set["metadata"]["annotations"][names::ORDINALS] = json!("0-2");
    assert_eq!(cluster.plan(), Plan::default(), "it is neither a candidate nor missed");
    assert_eq!(cluster.ask(status).unwrap().pre_delete_replicas, 1);

    label(&mut cluster, 3, "hook", "off");
    let plan = cluster.plan();
    assert_eq!((names_of(&plan.release), plan.release[0].reason), (vec!["game-3"], Reason::PreDelete));
    // The hook is taken out of the spec.
    label(&mut cluster, 3, "hook", "on");
    cluster.set["spec"]["lifecycle"] = json!({});
    assert_eq!(names_of(&cluster.plan().release), ["game-3"]);
    // A label that somebody else has written deletes nothing.
    cluster.pods[3]["metadata"]["annotations"].as_object_mut().unwrap().remove(names::PRE_DELETE);
    assert_eq!(cluster.plan().release, []);
}

#[test]
fn a_kill_goes_through_pre_delete_and_lowers_replicas_once() {
    let mut cluster = cluster(json!({}));
    cluster.set["spec"]["gameServerTemplate"]["spec"]["containers"][0]["image"] = json!("v1");
    cluster.set["spec"]["lifecycle"] = json!({"preDelete": {"finalizersHandler": ["a/b"]}});
    cluster.pods[1]["metadata"]["finalizers"] = json!(["a/b"]);
    cluster.servers[1]["spec"]["opsState"] = json!("Kill");
    let gone = cluster.leave();
    assert_eq!((gone[0].name.as_str(), gone[0].hooked), ("game-1", true));
    cluster.removed.clear();
    assert_eq!(cluster.set["spec"]["replicas"], 3);
    assert_eq!(cluster.set["metadata"]["annotations"][names::ORDINALS], "0,2,3");
    label(&mut cluster, 1, names::LIFECYCLE_STATE, "PreparingDelete");
    cluster.pods[1]["metadata"]["annotations"][names::PRE_DELETE] = json!("Kill");
    let patch = cluster.plan().set_patch.unwrap();
    assert_eq!(patch["metadata"]["annotations"], json!({names::LOWERED: null}), "it cannot come back");
    json_patch::merge(&mut cluster.set, &patch);
    assert_eq!(cluster.plan(), Plan::default());
}

#[test]
fn a_pod_that_pre_normal_holds_is_not_available() {
    let mut cluster = cluster(json!({"podUpdatePolicy": "InPlaceOnly"}));
    cluster.set["spec"]["lifecycle"] = json!({"preNormal": {"labelsHandler": {"go": "yes"}}});
    label(&mut cluster, 0, names::LIFECYCLE_STATE, "PreparingNormal");
    assert_eq!(cluster.ask(status).unwrap().available_replicas, 3);
    // Updating it costs nothing, and the others wait for it.
    assert_eq!(stepped(&cluster.plan()), ["game-0"]);
}

#[derive(Clone, Copy, Debug)]
enum Pod {
    Ready,
    Broken,
    Young,
    Held,
    Updating,
    Updated,
    Leaving,
}

proptest! {
    /// What a plan takes out of service that is in service now leaves no more unavailable than may be.
    #[test]
    fn no_plan_takes_more_out_of_service_than_may_be(
        pods in prop::collection::vec(prop::sample::select(vec![
            Pod::Ready, Pod::Broken, Pod::Young, Pod::Held, Pod::Updating, Pod::Updated, Pod::Leaving,
        ]), 4),
        let_go in any::<bool>(),
        hook in any::<bool>(),
        bound in 1usize..5,
        policy in prop::sample::select(vec!["ReCreate", "InPlaceIfPossible", "InPlaceOnly"]),
    ) {
        let mut cluster = cluster(json!({"podUpdatePolicy": policy, "maxUnavailable": bound, "minReadySeconds": 5}));
        if hook {
            cluster.set["spec"]["lifecycle"] = json!({"inPlaceUpdate": {"labelsHandler": {"hook": "on"}}});
        }
        let set: GameServerSet = serde_json::from_value(cluster.set.clone()).unwrap();
        let mut in_service = 0;
        for (index, pod) in pods.iter().enumerate() {
            label(&mut cluster, index, "hook", if let_go { "off" } else { "on" });
            match pod {
                Pod::Ready => {}
                Pod::Broken => cluster.not_ready(index),
                Pod::Young => cluster.pods[index]["status"]["conditions"][0]["lastTransitionTime"] = json!(NOW),
                Pod::Held => label(&mut cluster, index, names::LIFECYCLE_STATE, "PreparingUpdate"),
                Pod::Updating => updating(&mut cluster, index),
                Pod::Updated => {
                    label(&mut cluster, index, names::REVISION_HASH, &revision(&set));
                    let record = Record::of_template(&set.spec.game_server_template);
                    cluster.pods[index]["metadata"]["annotations"] = json!({names::TEMPLATE: record.text()});
                }
                Pod::Leaving => cluster.pods[index]["metadata"]["deletionTimestamp"] = json!(NOW),
            }
            in_service += usize::from(matches!(pod, Pod::Ready | Pod::Held | Pod::Updated));
        }
        let plan = cluster.plan();
        let serves = |name: &str| {
            let ordinal = names::ordinal_of("game", name).unwrap();
            matches!(pods[usize::try_from(ordinal).unwrap()], Pod::Ready | Pod::Held)
        };
        let taken = |step: &&PodStep| {
            let crate::lifecycle::Write::Pod(patch) = &step.write else { return false };
            patch["metadata"]["labels"][names::LIFECYCLE_STATE] == "Updating" && serves(&step.name)
        };
        let taken = plan.steps.iter().filter(taken).count()
            + plan.replace.iter().filter(|removal| serves(&removal.name)).count();
        prop_assert!(taken == 0 || 4 - in_service + taken <= bound, "{taken} of {in_service} are taken: {plan:#?}");
    }
}
