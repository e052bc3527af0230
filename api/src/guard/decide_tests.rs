//! Tables of what is refused and what passes.

use serde_json::json;

use super::{fixture::*, *};
use crate::names;

#[test]
fn strict_keeps_the_pod_and_the_server_of_who_may_be_in_use() {
    for (state, passes) in [
        ("None", false),
        ("Allocated", false),
        ("Maintaining", false),
        ("InMatch", false),
        ("WaitToBeDeleted", true),
        ("Kill", true),
    ] {
        let world = World::new("Strict", 1, &[state]);
        for (what, verdict) in [("pod", world.delete_pod(0)), ("GameServer", world.delete_server(0))] {
            if passes {
                assert_eq!(verdict, Verdict::default(), "{what} {state}");
                continue;
            }
            assert_eq!(
                said(&verdict),
                format!(
                    "403 Forbidden: game-0 ({state}) may be in use, and set game is Strict (gamewarden.dev/protection): its {what} \
                     is not deleted. It can be as soon as its opsState is WaitToBeDeleted or Kill, or now after `kubectl annotate \
                     gs -n games game-0 gamewarden.dev/allow-removal=true`. To have fewer servers, shrink the set instead, which \
                     takes those that nobody uses: `kubectl scale gss -n games game --replicas=<number>`"
                )
            );
        }
    }
}

#[test]
fn who_is_allowed_to_go_goes() {
    let allowed = json!({names::ALLOW_REMOVAL: "true"});
    let mut one = World::new("Strict", 2, &["Allocated", "Allocated"]);
    one.servers[0]["metadata"]["annotations"] = allowed.clone();
    assert_eq!(said(&one.delete_pod(0)) + &said(&one.delete_server(0)) + &said(&one.evict(0)), "");
    assert!(said(&one.delete_pod(1)).contains("game-1 (Allocated) may be in use"));
    assert!(said(&one.delete_set()).contains("game-1 (Allocated) of set game may be in use"));
    let mut all = World::new("Strict", 2, &["Allocated", "Allocated"]);
    all.set["metadata"]["annotations"][names::ALLOW_REMOVAL] = json!("true");
    for verdict in [all.delete_pod(1), all.delete_server(1), all.evict(1), all.delete_set()] {
        assert_eq!(verdict, Verdict::default());
    }
    one.servers[1]["metadata"]["annotations"] = json!({names::ALLOW_REMOVAL: "yes"});
    assert!(!said(&one.delete_pod(1)).is_empty(), "only \"true\" is");
}

#[test]
fn a_strict_set_is_not_deleted_with_its_players() {
    let world = World::new("Strict", 3, &["WaitToBeDeleted", "Allocated", "None"]);
    assert_eq!(
        said(&world.delete_set()),
        "403 Forbidden: game-1 (Allocated), game-2 (None) of set game may be in use, and it is Strict \
         (gamewarden.dev/protection): it is not deleted. Shrink it first, which takes those that nobody uses as they become \
         free: `kubectl scale gss -n games game --replicas=0`; or let all of them go now: `kubectl annotate gss -n games game \
         gamewarden.dev/allow-removal=true`"
    );
    let orphaned = World { orphans: true, ..world.clone() };
    assert_eq!(orphaned.delete_set(), Verdict::default(), "nobody is lost");
    let free = World::new("Strict", 2, &["WaitToBeDeleted", "Kill"]);
    assert_eq!(free.delete_set(), Verdict::default());
    let many = World::new("Strict", 13, &["None"; 13]);
    assert!(said(&many.delete_set()).contains("game-8 (None), game-9 (None) and 3 more of set game"));
    for protection in ["Prefer", "Off"] {
        assert_eq!(
            World::new(protection, 1, &["Allocated"]).delete_set(),
            Verdict::default(),
            "{protection}"
        );
    }
}

#[test]
fn evictions_of_who_may_be_in_use_are_tried_again_later() {
    let world = World::new("Strict", 2, &["Allocated", "WaitToBeDeleted"]);
    assert_eq!(
        said(&world.evict(0)),
        "429 TooManyRequests: game-0 (Allocated) may be in use, and set game is Strict (gamewarden.dev/protection): its pod is \
         evicted when its opsState is WaitToBeDeleted or Kill, so wait until its players have left; or let it go now: `kubectl \
         annotate gs -n games game-0 gamewarden.dev/allow-removal=true`"
    );
    assert_eq!(world.evict(1), Verdict::default());
    assert_eq!(world.evict(7), Verdict::default(), "no server of ours");
    for protection in ["Prefer", "Off"] {
        assert_eq!(
            World::new(protection, 1, &["Allocated", "None"]).evict(0),
            Verdict::default(),
            "{protection}"
        );
    }
    let mut starting = world.clone();
    starting.servers[0]["status"]["currentState"] = json!("Creating");
    assert_eq!(starting.evict(0), Verdict::default(), "nobody plays there yet");
    assert!(!said(&starting.delete_pod(0)).is_empty());
}

#[test]
fn prefer_keeps_only_who_is_not_due_while_the_set_shrinks() {
    let shrinking = World::new("Prefer", 2, &["Allocated", "None", "WaitToBeDeleted"]);
    assert_eq!(
        said(&shrinking.delete_pod(0)),
        "403 Forbidden: set game is shrinking to 2, and game-2 (WaitToBeDeleted) goes before game-0 (Allocated), which may be \
         in use: its pod is not deleted now. Leave it to the set, or delete game-2 instead. If it has to be this one: `kubectl \
         annotate gs -n games game-0 gamewarden.dev/allow-removal=true`"
    );
    assert!(said(&shrinking.delete_server(1)).contains("game-2 (WaitToBeDeleted) goes before game-1 (None)"));
    assert_eq!(shrinking.delete_pod(2), Verdict::default(), "it is its turn");
    // Everything else is an ordinary deletion.
    let steady = World::new("Prefer", 3, &["Allocated", "None", "WaitToBeDeleted"]);
    assert_eq!((steady.delete_pod(0), steady.delete_server(1)), Default::default());
    let mut replaced = steady.clone();
    replaced.set["spec"]["reserveGameServerIds"] = json!([2]);
    assert_eq!(replaced.delete_pod(0), Verdict::default(), "another one comes for it");
    let idle = World::new("Prefer", 1, &["WaitToBeDeleted", "WaitToBeDeleted"]);
    assert_eq!(idle.delete_pod(0), Verdict::default(), "nobody uses it");
    let off = World::new("Off", 1, &["Allocated", "WaitToBeDeleted"]);
    assert_eq!(off.delete_pod(0), Verdict::default());
}

#[test]
fn labels_stay_on_the_pods_of_who_may_be_in_use() {
    let world = World::new("Strict", 2, &["Allocated", "WaitToBeDeleted"]);
    let mut bare = pod(0, true);
    bare["metadata"]["labels"] = json!({"other": "x"});
    assert_eq!(
        said(&world.label(0, &bare)),
        "403 Forbidden: game-0 (Allocated) may be in use, and set game is Strict (gamewarden.dev/protection): label \
         game.kruise.io/owner-gss stays on its pod, for without it the server would not be protected. Annotate the server if \
         it may go: `kubectl annotate gs -n games game-0 gamewarden.dev/allow-removal=true`"
    );
    let mut another = pod(0, true);
    another["metadata"]["labels"][names::OWNER_GSS] = json!("elsewhere");
    assert!(said(&world.label(0, &another)).contains("label game.kruise.io/owner-gss stays"));
    assert!(said(&world.label(0, &pod(0, false))).contains("label gamewarden.dev/guarded stays"));
    assert_eq!(world.label(1, &pod(1, false)), Verdict::default(), "nobody uses it");
    let mut more = pod(0, true);
    more["metadata"]["labels"]["more"] = json!("x");
    assert_eq!(world.label(0, &more), Verdict::default());
    for protection in ["Prefer", "Off"] {
        assert_eq!(World::new(protection, 1, &["Allocated"]).label(0, &bare), Verdict::default());
    }
}

#[test]
fn what_goes_already_passes() {
    let gone = |change: &dyn Fn(&mut World)| {
        let mut world = World::new("Strict", 1, &["Allocated"]);
        change(&mut world);
        [world.delete_pod(0), world.delete_server(0), world.evict(0)].map(|verdict| said(&verdict))
    };
    let going = json!("2026-01-01T00:00:00Z");
    assert_eq!(gone(&|world| world.set["metadata"]["deletionTimestamp"] = going.clone()), [""; 3]);
    assert_eq!(gone(&|world| world.set = json!(null)), [""; 3]);
    let leaving = gone(&|world| world.servers[0]["status"]["currentState"] = json!("Deleting"));
    assert_eq!(leaving, [""; 3]);
    assert_eq!(gone(&|world| world.servers[0]["metadata"]["deletionTimestamp"] = going.clone()), [""; 3]);
    assert_eq!(gone(&|world| world.servers[0]["status"]["currentState"] = json!("Crash")), [""; 3]);
    // Pods that terminate or have ended, whatever else is known, and even if nothing is.
    for sight in [Sight::Clear, LOST, Sight::Never] {
        let world = World { sight, ..World::new("Strict", 1, &["Allocated"]) };
        for patch in [
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            json!({"status": {"phase": "Failed"}}),
            json!({"status": {"phase": "Succeeded"}}),
        ] {
            let mut pod = pod(0, true);
            json_patch::merge(&mut pod, &patch);
            let verdict = world.ask(Target::Pod, Operation::Delete, "game-0", Some(&pod), None);
            assert_eq!(verdict, Verdict::default(), "{patch} {sight:?}");
        }
    }
}

#[test]
fn pods_of_others_are_not_ours_to_keep() {
    let world = World::new("Strict", 1, &["Allocated"]);
    let with = |owner: serde_json::Value| {
        let mut pod = pod(0, true);
        pod["metadata"]["ownerReferences"] = json!([owner]);
        said(&world.ask(Target::Pod, Operation::Delete, "game-0", Some(&pod), None))
    };
    let owner = |version: &str, kind: &str, uid: &str| json!({"apiVersion": version, "kind": kind, "name": "x", "uid": uid, "controller": true});
    assert_eq!(with(owner("batch/v1", "Job", "job")), "");
    assert_eq!(with(owner("game.kruise.io/v1alpha1", "GameServerSet", "an earlier one")), "");
    assert!(with(owner("apps.kruise.io/v1beta1", "StatefulSet", "kruise")).contains("may be in use"));
    let misnamed = world.ask(Target::Pod, Operation::Delete, "other", Some(&pod(0, true)), None);
    assert_eq!(misnamed, Verdict::default());
    // A GameServer that is an earlier pod's says nothing of this one.
    let mut idle = World::new("Strict", 1, &["WaitToBeDeleted"]);
    idle.servers[0]["metadata"]["ownerReferences"][0]["uid"] = json!("an earlier pod");
    assert!(said(&idle.delete_pod(0)).contains("game-0 (no GameServer yet) may be in use"));
}

#[test]
fn a_collection_is_deleted_without_a_name() {
    let world = World::new("Strict", 1, &["Allocated"]);
    let delete = |target, old| world.ask(target, Operation::Delete, "", Some(old), None);
    for verdict in [
        delete(Target::Pod, &pod(0, true)),
        delete(Target::Server, &world.servers[0]),
        delete(Target::Set, &world.set),
    ] {
        assert!(said(&verdict).contains("game-0 (Allocated)"), "{verdict:?}");
    }
}

#[test]
fn who_keeps_the_cluster_running_always_may() {
    for (user, groups) in [
        ("system:serviceaccount:gw:controller", vec![]),
        ("system:serviceaccount:kube-system:generic-garbage-collector", vec![]),
        ("system:serviceaccount:kube-system:namespace-controller", vec![]),
        ("system:kube-controller-manager", vec![]),
        ("system:kube-scheduler", vec![]),
        ("system:node:node-0", vec!["system:nodes", "system:authenticated"]),
    ] {
        for sight in [Sight::Clear, Sight::Never] {
            let world =
                World { user, groups: groups.clone(), sight, ..World::new("Strict", 1, &["Allocated"]) };
            for verdict in [world.delete_pod(0), world.delete_server(0), world.delete_set(), world.evict(0)] {
                assert_eq!(verdict, Verdict::default(), "{user}");
            }
        }
    }
}

#[test]
fn without_sight_strict_refuses_and_prefer_lets_pass_and_counts() {
    let world = |protection, sight| World { sight, ..World::new(protection, 1, &["Allocated"]) };
    let why = "whether game-0 may be in use cannot be told now: the webhook lost sight of the cluster 12 s ago. Set game is, or \
               may be, Strict (gamewarden.dev/protection), so nothing is lost meanwhile: try again in a moment. If that lasts, \
               see whether the pods of gamewarden-webhook are well and reach the API server";
    let strict = world("Strict", LOST);
    assert_eq!(said(&strict.delete_pod(0)), format!("503 ServiceUnavailable: {why}"));
    assert_eq!(said(&strict.delete_server(0)), format!("503 ServiceUnavailable: {why}"));
    assert_eq!(said(&strict.evict(0)), format!("429 TooManyRequests: {why}"));
    assert!(
        said(&strict.delete_set())
            .contains("whether the servers of set game may be in use cannot be told now")
    );
    assert!(said(&strict.label(0, &pod(0, false))).contains("cannot be told now"));

    let unguarded = Verdict { unguarded: true, ..Verdict::default() };
    let unlabelled =
        |world: &World| world.ask(Target::Pod, Operation::Delete, "game-0", Some(&pod(0, false)), None);
    let prefer = world("Prefer", LOST);
    assert_eq!(unlabelled(&prefer), unguarded);
    assert_eq!(prefer.delete_server(0), unguarded);
    assert_eq!(unlabelled(&World { dry_run: true, ..prefer }), Verdict::default(), "nothing happens");
    assert_eq!(unlabelled(&world("Off", LOST)), Verdict::default());

    // Nothing was ever seen: the pod's label says what it is, of a GameServer nothing does.
    let never = World { set: json!(null), servers: vec![], ..world("Strict", Sight::Never) };
    assert!(said(&never.delete_pod(0)).contains("the webhook has not seen the cluster's game servers yet"));
    assert_eq!(unlabelled(&never), unguarded);
    assert_eq!(never.evict(0), unguarded);
    let delete =
        |state| never.ask(Target::Server, Operation::Delete, "game-0", Some(&server(0, state)), None);
    assert!(said(&delete("Allocated")).contains("cannot be told now"));
    assert_eq!(delete("WaitToBeDeleted"), Verdict::default(), "it says so itself");
}

#[test]
fn a_dry_run_is_told_what_would_be() {
    let mut world = World::new("Strict", 1, &["Allocated"]);
    world.dry_run = true;
    assert!(!said(&world.delete_pod(0)).is_empty());
    let eviction = json!({"deleteOptions": {"dryRun": ["All"]}});
    let lost = World { sight: LOST, servers: vec![], ..World::new("Prefer", 1, &[]) };
    let evict = |new| lost.ask(Target::Eviction, Operation::Create, "game-0", None, Some(new));
    assert!(!evict(&eviction).unguarded, "it only asks");
    assert!(evict(&json!({})).unguarded);
}

#[test]
fn what_nobody_guards_passes() {
    let world = World::new("Strict", 1, &["Allocated"]);
    for (target, operation) in [
        (Target::Pod, Operation::Create),
        (Target::Server, Operation::Update),
        (Target::Server, Operation::Create),
        (Target::Set, Operation::Create),
        (Target::Eviction, Operation::Delete),
        (Target::Pod, Operation::Delete),
        (Target::Server, Operation::Delete),
    ] {
        for object in [None, Some(&json!(7)), Some(&json!({"metadata": 7, "spec": []}))] {
            let verdict = world.ask(target, operation, "game-0", object, object);
            assert_eq!(verdict, Verdict::default(), "{target:?} {operation:?} {object:?}");
        }
    }
}
