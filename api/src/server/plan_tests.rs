//! Tests of the plan for one server.

use proptest::prelude::*;
use serde_json::json;

use super::super::told_on_pod;
use super::*;

const NOW: &str = "2026-01-01T00:00:00Z";

fn set() -> GameServerSet {
    serde_json::from_value(json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
        "metadata": {"name": "minecraft", "namespace": "games", "uid": "set-uid"},
        "spec": {
            "replicas": 1,
            "gameServerTemplate": {
                "metadata": {"labels": {"app": "mc"}},
                "spec": {"containers": [{"name": "minecraft", "image": "i"}]},
            },
        },
    }))
    .unwrap()
}

fn pod() -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "minecraft-0", "namespace": "games", "uid": "pod-uid"},
        "spec": {"nodeName": "node-0", "containers": [{"name": "minecraft", "image": "i"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .unwrap()
}

fn run(set: &GameServerSet, pod: &Pod, server: Option<&GameServer>) -> ServerPlan {
    run_where(false, set, pod, server)
}

/// With a prober on the pod's node, or without.
fn run_where(on_node: bool, set: &GameServerSet, pod: &Pod, server: Option<&GameServer>) -> ServerPlan {
    let (around, now) = (Around::default(), NOW.parse().unwrap());
    plan(&Snapshot { set, pod, server, around: &around, results: &|_| None, on_node, now })
}

/// Writes a plan as the API server would take it.
fn apply(plan: &ServerPlan, pod: &mut Pod, server: &mut Option<GameServer>) {
    if let Some(new) = &plan.create {
        let mut new = new.clone();
        new.metadata.uid = Some("gs-uid".into());
        new.metadata.generation = Some(1);
        *server = Some(new);
    }
    if plan.delete_stale.is_some() {
        *server = None;
    }
    if let Some(server) = server {
        for patch in [&plan.server_patch, &plan.server_status_patch].into_iter().flatten() {
            let mut value = serde_json::to_value(&*server).unwrap();
            json_patch::merge(&mut value, patch);
            *server = serde_json::from_value(value).unwrap();
        }
    }
    if let Some(patch) = &plan.pod_patch {
        let mut value = serde_json::to_value(&*pod).unwrap();
        json_patch::merge(&mut value["metadata"], &patch["metadata"]);
        *pod = serde_json::from_value(value).unwrap();
    }
    if let Some(patch) = &plan.pod_status_patch {
        let mut value = serde_json::to_value(&*pod).unwrap();
        let conditions = value["status"]["conditions"].as_array_mut().unwrap();
        for change in patch["status"]["conditions"].as_array().unwrap() {
            conditions.retain(|c| c["type"] != change["type"]);
            if change["$patch"] != "delete" {
                conditions.push(change.clone());
            }
        }
        *pod = serde_json::from_value(value).unwrap();
    }
}

/// Plans and applies until nothing is left to do; returns what was said on the way.
fn settle(set: &GameServerSet, pod: &mut Pod, server: &mut Option<GameServer>) -> Vec<String> {
    let mut said = Vec::new();
    for _ in 0..5 {
        let plan = run(set, pod, server.as_ref());
        if plan == ServerPlan::default() {
            return said;
        }
        said.extend(plan.events.iter().map(|e| e.message.clone()));
        apply(&plan, pod, server);
    }
    panic!("still planning: {:?}", run(set, pod, server.as_ref()));
}

#[test]
fn a_new_pod_gets_a_server_labels_conditions_and_a_status() {
    let (set, mut pod, mut server) = (set(), pod(), None);
    let said = settle(&set, &mut pod, &mut server);
    assert_eq!(said, [""; 0], "nothing has turned from anything yet");
    let server = server.unwrap();
    assert_eq!(
        server.metadata.labels.unwrap(),
        pairs(&[("app", "mc"), (names::OWNER_GSS, "minecraft"), (names::NODE_NAME, "node-0")])
    );
    assert_eq!(server.spec.ops_state, Some(OpsState::None));
    let status = server.status.unwrap();
    assert_eq!(status.current_state, Some(GameServerState::Ready));
    assert_eq!(status.deletion_priority, Some(IntOrString::String("0".into())));
    assert_eq!(status.pod_status["phase"], "Running");
    let labels = pod.metadata.labels.unwrap();
    assert_eq!(labels[names::GS_OPS_STATE], "None");
    assert_eq!(labels[names::GS_STATE], "Ready");
    assert_eq!(pod.metadata.annotations.unwrap()[names::OPS_STATE_LAST_CHANGED], NOW);
    let gate = pod.status.unwrap().conditions.unwrap().into_iter().find(|c| c.type_ == "InPlaceUpdateReady");
    assert_eq!(gate.unwrap().status, "True");
}

fn stale(server: &Option<GameServer>) -> Option<ServerRef> {
    let server = server.as_ref()?;
    assert_eq!(server.metadata.uid.as_deref(), Some("gs-uid"));
    Some(ServerRef::of(&server.metadata))
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn a_server_of_an_earlier_pod_goes_and_a_new_one_starts_anew() {
    let (set, mut pod, mut server) = (set(), pod(), None);
    settle(&set, &mut pod, &mut server);
    server.as_mut().unwrap().spec.ops_state = Some(OpsState::Maintaining);
    pod.metadata.uid = Some("second-pod".into());
    let plan = run(&set, &pod, server.as_ref());
    assert_eq!(plan, ServerPlan { delete_stale: stale(&server), ..ServerPlan::default() });
    settle(&set, &mut pod, &mut server);
    assert_eq!(server.unwrap().spec.ops_state, Some(OpsState::None));
}

#[test]
fn a_server_of_an_earlier_set_of_the_same_name_is_not_taken_over() {
    let (mut set, mut pod, mut server) = (set(), pod(), None);
    set.spec.game_server_template.reclaim_policy = Some(crate::types::ReclaimPolicy::Delete);
    settle(&set, &mut pod, &mut server);
    set.metadata.uid = Some("second-set".into());
    pod.metadata.uid = Some("second-pod".into());
    let plan = run(&set, &pod, server.as_ref());
    assert_eq!(plan, ServerPlan { delete_stale: stale(&server), ..ServerPlan::default() });
}

#[test]
fn under_reclaim_policy_delete_a_server_outlives_its_pod() {
    let (mut set, mut pod, mut server) = (set(), pod(), None);
    set.spec.game_server_template.reclaim_policy = Some(crate::types::ReclaimPolicy::Delete);
    settle(&set, &mut pod, &mut server);
    server.as_mut().unwrap().spec.ops_state = Some(OpsState::Allocated);
    pod.metadata.uid = Some("second-pod".into());
    settle(&set, &mut pod, &mut server);
    assert_eq!(server.unwrap().spec.ops_state, Some(OpsState::Allocated));
}

#[test]
fn a_terminating_pod_gets_no_new_server() {
    let mut pod = pod();
    pod.metadata.deletion_timestamp = Some(Time(NOW.parse().unwrap()));
    assert_eq!(run(&set(), &pod, None).create, None);
}

#[test]
fn new_template_labels_are_merged_once_and_what_a_person_set_since_then_stays() {
    let (mut set, mut pod, mut server) = (set(), pod(), None);
    settle(&set, &mut pod, &mut server);
    set.spec.game_server_template.metadata.as_mut().unwrap().labels.insert("tier".into(), "gold".into());
    settle(&set, &mut pod, &mut server);
    let labels = |server: &Option<GameServer>| server.clone().unwrap().metadata.labels.unwrap();
    assert_eq!(labels(&server)["tier"], "gold");
    server.as_mut().unwrap().metadata.labels.as_mut().unwrap().insert("tier".into(), "silver".into());
    settle(&set, &mut pod, &mut server);
    assert_eq!(labels(&server)["tier"], "silver");
}

#[test]
fn what_a_server_says_of_itself_reaches_its_pod() {
    let (set, mut pod, mut server) = (set(), pod(), None);
    settle(&set, &mut pod, &mut server);
    let gs = server.as_mut().unwrap();
    gs.metadata.labels.as_mut().unwrap().insert("gs-sync/room".into(), "7".into());
    gs.metadata.annotations.as_mut().unwrap().insert("gs-sync/map".into(), "any text".into());
    gs.spec.deletion_priority = Some(IntOrString::Int(5));
    let said = settle(&set, &mut pod, &mut server);
    assert_eq!(said, ["DeletionPriority turn from 0 to 5 minecraft-0"]);
    let labels = pod.metadata.labels.unwrap();
    assert_eq!((labels["gs-sync/room"].as_str(), labels[names::GS_DELETE_PRIORITY].as_str()), ("7", "5"));
    assert_eq!(pod.metadata.annotations.unwrap()["gs-sync/map"], "any text");
}

proptest! {
    /// At rest nothing is written (design §6), whatever the server and its pod look like.
    #[test]
    fn a_plan_that_was_applied_leaves_nothing_to_do(
        ops_state in prop::sample::select(vec!["None", "Kill", "in use", "", "custom"]),
        priority in prop::option::of(prop_oneof![any::<i32>().prop_map(IntOrString::Int), "[a-z]{0,3}".prop_map(IntOrString::String)]),
        phase in prop::sample::select(vec!["Pending", "Running", "Failed", "Unknown"]),
    ) {
        let (set, mut pod, mut server) = (set(), pod(), None);
        pod.status.as_mut().unwrap().phase = Some(phase.into());
        settle(&set, &mut pod, &mut server);
        let spec = &mut server.as_mut().unwrap().spec;
        spec.ops_state = Some(ops_state.into());
        spec.deletion_priority = priority;
        let mut plan = ServerPlan::default();
        for _ in 0..4 {
            plan = run(&set, &pod, server.as_ref());
            apply(&plan, &mut pod, &mut server);
        }
        // An opsState that no label can hold is said again, under the same name, which writes nothing.
        plan.events.retain(|e| e.reason != names::reason::INVALID_LABEL_VALUE);
        prop_assert_eq!(plan, ServerPlan::default());
    }
}

/// Design §8: a flip costs two writes to the GameServer, one of them the verdict's own.
#[test]
fn the_status_shows_our_own_pod_condition_before_it_comes_back() {
    let (mut set, mut pod, mut server) = (set(), pod(), None);
    set.spec.service_qualities = serde_json::from_value(json!([
        {"name": "idle", "exec": {"command": ["true"]}, "serviceQualityAction": []},
    ]))
    .unwrap();
    settle(&set, &mut pod, &mut server);
    for verdict in [true, false, true] {
        let record = json!({"v": 1, "pod": "pod-uid", "q": {"idle": {"s": verdict}}});
        let annotations = server.as_mut().unwrap().metadata.annotations.get_or_insert_default();
        annotations.insert(names::VERDICTS.into(), record.to_string());
        let first = run(&set, &pod, server.as_ref());
        assert!(first.pod_status_patch.is_some() && first.server_status_patch.is_some(), "{verdict}");
        apply(&first, &mut pod, &mut server);
        // Back from the API server, in whatever order it keeps conditions.
        pod.status.as_mut().unwrap().conditions.as_mut().unwrap().reverse();
        assert_eq!(run(&set, &pod, server.as_ref()), ServerPlan::default(), "{verdict}");
    }
}

#[test]
fn labels_that_were_taken_off_come_back_and_a_node_that_is_left_goes() {
    let (set, mut pod, mut server) = (set(), pod(), None);
    settle(&set, &mut pod, &mut server);
    let (labelled, before) = (pod.clone(), server.clone().unwrap());
    pod.metadata.labels = None;
    server.as_mut().unwrap().metadata.labels = None;
    server.as_mut().unwrap().metadata.owner_references = None;
    server.as_mut().unwrap().metadata.annotations = None;
    server.as_mut().unwrap().status = None;
    let said = settle(&set, &mut pod, &mut server);
    assert_eq!(said, [""; 0], "nothing has turned");
    assert_eq!(pod.metadata.labels, labelled.metadata.labels);
    assert_eq!(server, Some(before));
    pod.spec.as_mut().unwrap().node_name = None;
    settle(&set, &mut pod, &mut server);
    assert_eq!(server.unwrap().metadata.labels.unwrap().get(names::NODE_NAME), None);
}

#[test]
fn a_revision_that_somebody_changed_comes_back_where_the_pod_has_the_template() {
    let (set, mut pod, mut server) = (set(), pod(), None);
    let record = crate::lifecycle::Record::of_template(&set.spec.game_server_template).text();
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(names::TEMPLATE.to_owned(), record);
    settle(&set, &mut pod, &mut server);
    let wanted = Template::of(&set).revision;
    for changed in [None, Some("zz".to_owned())] {
        let labels = pod.metadata.labels.get_or_insert_default();
        labels.remove(names::REVISION_HASH);
        labels.extend(changed.map(|value| (names::REVISION_HASH.to_owned(), value)));
        assert!(Template::of(&set).is_on(&pod.metadata), "it is not made again for that");
        settle(&set, &mut pod, &mut server);
        assert_eq!(pod.metadata.labels.as_ref().unwrap().get(names::REVISION_HASH), Some(&wanted));
    }
}

#[test]
fn a_game_server_that_its_ending_pod_lets_go_of_waits_for_the_next() {
    let (set, mut pod, mut server) = (set(), pod(), None);
    settle(&set, &mut pod, &mut server);
    let mut server = server.unwrap();
    server.metadata.owner_references = None;
    pod.metadata.deletion_timestamp = Some(Time(NOW.parse().unwrap()));
    let patch = run(&set, &pod, Some(&server)).server_patch;
    assert_eq!(patch.and_then(|patch| patch["metadata"].get("ownerReferences").cloned()), None);
    pod.metadata.deletion_timestamp = None;
    pod.metadata.uid = Some("next-uid".into());
    let patch = run(&set, &pod, Some(&server)).server_patch.unwrap();
    assert_eq!(patch["metadata"]["ownerReferences"][0]["uid"], "next-uid");
}

#[test]
fn a_set_that_is_going_makes_nothing_its_own() {
    let (mut set, mut pod, mut server) = (set(), pod(), None);
    set.spec.game_server_template.reclaim_policy = Some(crate::types::ReclaimPolicy::Delete);
    settle(&set, &mut pod, &mut server);
    let mut orphan = server.unwrap();
    orphan.metadata.owner_references = None;
    let plan = run(&set, &pod, Some(&orphan));
    assert!(plan.adopts());
    assert_eq!(plan.server_patch.unwrap()["metadata"]["ownerReferences"][0]["uid"], "set-uid");

    // `kubectl delete gss --cascade=orphan`, where the GameServer has been let go of and the pod not yet.
    set.metadata.deletion_timestamp = Some(Time(NOW.parse().unwrap()));
    let plan = run(&set, &pod, Some(&orphan));
    assert_eq!((plan.adopts(), plan.server_patch), (false, None));
    assert_eq!(run(&set, &pod, None).create, None);
}

#[test]
fn keys_of_ours_in_the_template_do_not_reach_the_game_server() {
    let (mut set, pod) = (set(), pod());
    set.spec.game_server_template.metadata = serde_json::from_value(json!({
        "labels": {"app": "mc", names::GS_STATE: "X", names::POD_INDEX: "77"},
        "annotations": {names::VERDICTS: "{}", "note": "kept"},
    }))
    .unwrap();
    let server = run(&set, &pod, None).create.unwrap();
    let labels = server.metadata.labels.unwrap();
    assert_eq!(labels.keys().collect::<Vec<_>>(), ["app", names::NODE_NAME, names::OWNER_GSS]);
    let annotations = server.metadata.annotations.unwrap();
    assert_eq!(annotations.keys().collect::<Vec<_>>(), [names::TEMPLATE_METADATA_HASH, "note"]);
}

#[test]
fn the_prober_of_the_node_tells_verdicts_on_the_pod_and_the_status_waits_for_it() {
    let mut set = set();
    set.spec.service_qualities =
        serde_json::from_value(json!([{"name": "idle", "exec": {"command": ["x"]}}])).unwrap();
    let (mut pod, mut server) = (pod(), None);
    settle(&set, &mut pod, &mut server);
    let mut server = server.unwrap();
    let verdict = |text: &str| {
        use crate::quality::{Input, Verdict, decide};
        let mut server = server.clone();
        server.metadata.resource_version = Some("1".into());
        let verdict = Verdict::True { result: text.into() };
        let qualities = &set.spec.service_qualities;
        let decision = decide(&Input {
            qualities,
            quality: "idle",
            verdict: &verdict,
            server: &server,
            pod_uid: "pod-uid",
            now: NOW.parse().unwrap(),
            owes_containers: false,
        });
        decision.unwrap().patch["metadata"]["annotations"].clone()
    };
    let annotations: BTreeMap<String, String> = serde_json::from_value(verdict("0 players")).unwrap();
    server.metadata.annotations.get_or_insert_default().extend(annotations);

    // Without a prober the controller tells it all.
    let alone = run(&set, &pod, Some(&server));
    assert_eq!(alone.pod_status_patch.unwrap()["status"]["conditions"][0]["status"], "True");
    let shown = |plan: &ServerPlan| {
        plan.server_status_patch.as_ref().map(|p| p["status"]["serviceQualitiesConditions"].clone())
    };
    // With one it waits …
    let waiting = run_where(true, &set, &pod, Some(&server));
    assert_eq!(waiting, ServerPlan::default());
    // … and takes the text from what the prober has told.
    let heard = |_: &str| Some("0 players".to_owned());
    let qualities = &set.spec.service_qualities;
    let told = told_on_pod(&pod, &server, qualities, &heard, NOW.parse().unwrap()).unwrap();
    let change = told["status"]["conditions"][0].clone();
    assert_eq!((&change["status"], &change["message"]), (&json!("True"), &json!("0 players")));
    let condition = serde_json::from_value(change).unwrap();
    pod.status.as_mut().unwrap().conditions.as_mut().unwrap().push(condition);
    assert_eq!(told_on_pod(&pod, &server, qualities, &heard, NOW.parse().unwrap()), None, "told once");
    for on_node in [true, false] {
        let plan = run_where(on_node, &set, &pod, Some(&server));
        assert_eq!(plan.pod_status_patch, None, "neither undoes what the other wrote: {on_node}");
        let shown = shown(&plan).unwrap();
        assert_eq!((&shown[0]["status"], &shown[0]["result"]), (&json!("True"), &json!("0 players")));
    }
}
