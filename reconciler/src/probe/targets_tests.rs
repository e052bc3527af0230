//! Which pods are probed, and what a change of the stores does to what is scheduled.

use serde_json::{Value, json};

use super::super::fixtures::{Filled, STARTED, idle, pod, running, server, set};
use super::*;

struct Fixture {
    sets: Filled<GameServerSet>,
    pods: Filled<Pod>,
    targets: Targets,
}

impl Fixture {
    fn new(qualities: Value) -> Self {
        Self {
            sets: Filled::with([set(1, qualities)]),
            pods: Filled::with([pod("c://1", running())]),
            targets: Targets::default(),
        }
    }

    /// Looks, `seconds` after the container's start.
    fn look(&mut self, seconds: u64) -> Changed {
        let wall: Timestamp = STARTED.parse().unwrap();
        let now = Now {
            since_epoch: Duration::from_secs(1000 + seconds),
            wall: wall + Duration::from_secs(seconds),
        };
        self.targets.sync(&self.pods.store, &self.sets.store, now)
    }
}

fn key(quality: &str) -> Key {
    Key { pod_uid: "pod-uid".into(), quality: quality.into() }
}

#[test]
fn only_pods_that_a_known_set_controls_are_probed() {
    let owned_by = |change: &dyn Fn(&mut Value)| {
        let mut pod = pod("c://1", running());
        change(&mut pod["metadata"]["ownerReferences"][0]);
        let mut fixture = Fixture::new(json!([idle()]));
        fixture.pods = Filled::with([pod]);
        fixture.look(0);
        fixture.targets.scheduled.len()
    };
    assert_eq!(owned_by(&|_| {}), 1);
    assert_eq!(owned_by(&|owner| owner["controller"] = json!(false)), 0, "owned and not controlled");
    assert_eq!(owned_by(&|owner| owner["uid"] = json!("another")), 0, "an earlier set of the name");
    assert_eq!(owned_by(&|owner| owner["name"] = json!("other")), 0, "an unknown set");
    assert_eq!(owned_by(&|owner| owner["kind"] = json!("StatefulSet")), 0);
    assert_eq!(owned_by(&|owner| owner["apiVersion"] = json!("apps/v1")), 0);
}

#[test]
fn the_initial_delay_counts_from_the_containers_start_and_is_not_prolonged_by_looking_again() {
    let mut fixture = Fixture::new(json!([idle()]));
    fixture.look(0);
    let due = fixture.targets.schedule.next_wakeup().unwrap();
    assert!(due >= Duration::from_secs(1001) && due < Duration::from_secs(1004), "{due:?}");
    fixture.pods.apply(pod("c://1", running()));
    fixture.look(2);
    assert_eq!(fixture.targets.schedule.next_wakeup(), Some(due));
}

#[test]
fn a_clock_that_is_ahead_does_not_prolong_the_initial_delay() {
    let mut fixture = Fixture::new(json!([idle()]));
    let ahead = json!({"running": {"startedAt": "2026-01-01T01:00:00Z"}});
    fixture.pods = Filled::with([pod("c://1", ahead)]);
    fixture.look(0);
    let due = fixture.targets.schedule.next_wakeup().unwrap();
    assert!(due < Duration::from_secs(1004), "{due:?}");
}

#[test]
fn an_ended_container_is_told_once_and_a_restart_begins_anew() {
    let mut fixture = Fixture::new(json!([idle()]));
    fixture.look(0);
    fixture.pods.apply(pod("c://1", json!({"terminated": {"exitCode": 1}})));
    let changed = fixture.look(5);
    assert_eq!(changed.ended, [key("idle")]);
    assert_eq!(changed.obsolete, [key("idle")], "the probe of the ended container is not heard");
    fixture.pods.apply(pod("c://1", json!({"terminated": {"exitCode": 1}})));
    assert_eq!(fixture.look(6).ended, []);

    fixture.pods.apply(pod("c://2", running()));
    let changed = fixture.look(7);
    assert_eq!((changed.ended, changed.obsolete), (vec![], vec![key("idle")]));
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut fixture = Fixture::new(json!([idle()]));
    fixture.look(0);
    let mut terminating = pod("c://1", running());
    terminating["metadata"]["deletionTimestamp"] = json!(STARTED);
    fixture.pods.apply(terminating.clone());
    assert_eq!(fixture.look(1).obsolete, [key("idle")]);
    assert!(fixture.targets.schedule.is_empty());

    fixture.pods.delete(terminating);
    assert_eq!(fixture.look(2).gone, [Arc::from("pod-uid")]);
}

#[test]
fn an_edited_command_is_another_question_and_an_edited_action_is_not() {
    let mut fixture = Fixture::new(json!([idle()]));
    fixture.look(0);
    let mut edited = idle();
    edited["serviceQualityAction"] = json!([]);
    fixture.sets.apply(set(2, json!([edited])));
    let changed = fixture.look(1);
    assert_eq!(changed.obsolete, []);
    assert_eq!(changed.requalified, ["set-uid"]);

    edited["exec"] = json!({"command": ["other"]});
    fixture.sets.apply(set(3, json!([edited])));
    assert_eq!(fixture.look(2).obsolete, [key("idle")]);

    fixture.sets.apply(set(4, json!([])));
    assert_eq!(fixture.look(3).obsolete, [key("idle")]);
    assert!(fixture.targets.scheduled.is_empty());
}

#[test]
fn a_pod_is_asked_at_its_address_once_it_has_one_and_at_another_it_is_another_question() {
    let mut fixture = Fixture::new(json!([{"name": "web", "httpGet": {"port": 80}}]));
    let at = |ip: &str| {
        let mut pod = pod("c://1", running());
        pod["status"]["podIP"] = json!(ip);
        pod
    };
    assert_eq!(fixture.look(0).notes, [], "it will have one");
    assert!(fixture.targets.scheduled.is_empty());
    let asked = |fixture: &Fixture| match &fixture.targets.scheduled[&key("web")].what {
        What::Probe { target } => format!("{:?}", target.handler),
        What::NotRunning { container } => container.clone(),
    };
    fixture.pods.apply(at("10.0.0.5"));
    assert_eq!(fixture.look(1).obsolete, []);
    assert!(asked(&fixture).contains("10.0.0.5"), "{}", asked(&fixture));
    fixture.pods.apply(at("fd00::6"));
    assert_eq!(fixture.look(2).obsolete, [key("web")]);
    assert!(asked(&fixture).contains("fd00::6"), "{}", asked(&fixture));
}

#[test]
fn what_cannot_be_probed_is_said_once_for_each_generation() {
    let said = |quality: Value| {
        let mut fixture = Fixture::new(json!([quality]));
        let notes = fixture.look(0).notes;
        fixture.pods.apply(pod("c://2", running()));
        assert_eq!(fixture.look(1).notes, [], "said again");
        fixture.sets.apply(set(2, json!([quality, idle()])));
        assert_eq!(fixture.look(2).notes.len(), 1, "another generation");
        let event = &notes[0].event;
        (event.reason.clone(), event.message.clone())
    };
    let pair = |reason: &str, message: &str| (reason.to_owned(), message.to_owned());
    assert_eq!(
        said(json!({"name": "none"})),
        pair(
            "ProbeMisconfigured",
            "serviceQualities[none]: there is no probe: say exec, httpGet, tcpSocket or grpc"
        )
    );
    assert_eq!(
        said(json!({"name": "web", "httpGet": {"port": "web"}})),
        pair(
            "ProbeMisconfigured",
            "serviceQualities[web]: httpGet.port: container \"main\" declares no port named \"web\"; it names none"
        )
    );
    assert_eq!(
        said(json!({"name": "empty", "exec": {"command": []}})),
        pair("ProbeMisconfigured", "serviceQualities[empty]: exec has no command")
    );
    assert_eq!(
        said(json!({"name": "typo", "containerName": "mian", "exec": {"command": ["x"]}})),
        pair("ProbeMisconfigured", "serviceQualities[typo]: the pod has no container \"mian\"; it has main")
    );
}

#[test]
fn sets_that_left_are_told_by_their_uid() {
    let mut fixture = Fixture::new(json!([idle()]));
    fixture.look(0);
    let mut again = set(1, json!([idle()]));
    again["metadata"]["uid"] = json!("another");
    fixture.sets.apply(again.clone());
    let changed = fixture.look(1);
    assert_eq!((changed.left, changed.requalified), (vec!["set-uid".to_owned()], vec![]), "made again");
    assert_eq!(changed.gone, [Arc::from("pod-uid")], "its pods are not the new set's");

    // Without a pod of it, too.
    fixture.sets.apply(set(2, json!([])));
    fixture.look(2);
    fixture.sets.delete(set(2, json!([])));
    assert_eq!(fixture.look(3).left, ["set-uid"]);
    assert_eq!(fixture.look(4).left, Vec::<String>::new(), "once");
}

#[test]
fn a_new_game_server_is_told_once() {
    let mut fixture = Fixture::new(json!([idle()]));
    let mut servers = Filled::with([]);
    fixture.look(0);
    let none: [Key; 0] = [];
    assert_eq!(fixture.targets.new_servers(&servers.store), none, "there is none");
    servers.apply(server(1));
    assert_eq!(fixture.targets.new_servers(&servers.store), [key("idle")]);
    servers.apply(server(2));
    assert_eq!(fixture.targets.new_servers(&servers.store), none, "another version of it");
    // A pod that is looked at anew is still the one that was.
    fixture.pods.apply(pod("c://2", running()));
    fixture.look(1);
    assert_eq!(fixture.targets.new_servers(&servers.store), none, "the pod has changed");

    let mut other = server(3);
    other["metadata"]["uid"] = json!("another");
    other["metadata"]["ownerReferences"][0]["uid"] = json!("a newer pod");
    servers.apply(other.clone());
    assert_eq!(fixture.targets.new_servers(&servers.store), none, "another pod's");
    other["metadata"]["ownerReferences"][0]["uid"] = json!("pod-uid");
    servers.apply(other);
    assert_eq!(fixture.targets.new_servers(&servers.store), [key("idle")], "ours by now");
}
