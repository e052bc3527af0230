//! External mode: pods are a Kruise StatefulSet's, OpenKruiseGame's controller says which of them go, Kruise's deletes them.

use serde_json::{Value, json};

use super::{fixture::*, *};
use crate::{admission::Mode, names};

fn external(protection: &str, replicas: i32, states: &[&str]) -> World {
    World { mode: Mode::External, ..World::new(protection, replicas, states) }
}

fn allowed(mut world: World, ordinal: usize) -> World {
    world.servers[ordinal]["metadata"]["annotations"] = json!({names::ALLOW_REMOVAL: "true"});
    world
}

/// A pod as Kruise makes it, of a set of OpenKruiseGame's.
fn kruise_pod(ordinal: usize) -> Value {
    let mut pod = pod(ordinal, false);
    pod["metadata"]["labels"][names::GS_OPS_STATE] = json!("None");
    pod["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps.kruise.io/v1beta1", "kind": "StatefulSet", "name": "game", "uid": "asts-uid", "controller": true,
    }]);
    pod
}

#[test]
fn pods_of_a_kruise_statefulset_are_the_sets() {
    let world = external("Strict", 2, &["Allocated", "WaitToBeDeleted"]);
    for version in ["v1beta1", "v1alpha1"] {
        for (ordinal, passes) in [(0, false), (1, true)] {
            let mut old = kruise_pod(ordinal);
            old["metadata"]["ownerReferences"][0]["apiVersion"] = json!(format!("apps.kruise.io/{version}"));
            let name = format!("game-{ordinal}");
            let delete = world.ask(Target::Pod, Operation::Delete, &name, Some(&old), None);
            let mut bare = old.clone();
            bare["metadata"]["labels"] = json!({});
            let unlabel = world.ask(Target::Pod, Operation::Update, &name, Some(&old), Some(&bare));
            for verdict in [delete, unlabel, world.delete_server(ordinal), world.evict(ordinal)] {
                assert_eq!(verdict.refusal.is_none(), passes, "{version} {verdict:?}");
            }
        }
    }
    let message = said(&world.delete_set());
    assert!(
        message.contains(
            "game-0 (Allocated) of set game may be in use, and it is Strict (gamewarden.dev/protection): it is not deleted. \
             Shrink it as they become free: `kubectl scale gss -n games game --replicas=<number>`"
        ),
        "{message}"
    );
}

#[test]
fn the_opsstate_of_a_pod_is_not_relabelled_past_its_gameserver() {
    let relabel = |world: &World, label: &str| {
        let (old, mut new) = (kruise_pod(0), kruise_pod(0));
        new["metadata"]["labels"][label] = json!("Kill");
        world.ask(Target::Pod, Operation::Update, "game-0", Some(&old), Some(&new))
    };
    let strict = external("Strict", 1, &["None"]);
    assert_eq!(
        said(&relabel(&strict, names::GS_OPS_STATE)),
        "403 Forbidden: set game is Strict (gamewarden.dev/protection), and OpenKruiseGame's controller takes servers by the \
         label game.kruise.io/gs-opsState of their pods: it is not changed by hand. Change the GameServer instead, and the label \
         follows: `kubectl patch gs -n games game-0 --type=merge -p '{\"spec\":{\"opsState\":\"<value>\"}}'`"
    );
    let priority = said(&relabel(&strict, names::GS_DELETE_PRIORITY));
    assert!(priority.contains("{\"spec\":{\"deletionPriority\":\"<value>\"}}"), "{priority}");
    assert_eq!(said(&relabel(&strict, "other")), "");
    let managed = World { mode: Mode::Managed, ..strict.clone() };
    assert_eq!(said(&relabel(&managed, names::GS_OPS_STATE)), "", "our controller goes by the GameServer");
    for protection in ["Prefer", "Off"] {
        assert_eq!(said(&relabel(&external(protection, 1, &["None"]), names::GS_OPS_STATE)), "");
    }
    let theirs = World { user: "system:serviceaccount:gw:controller", ..strict };
    assert_eq!(said(&relabel(&theirs, names::GS_OPS_STATE)), "");
}

/// What a Strict set may shrink to, by OpenKruiseGame's order: Kill, WaitToBeDeleted, None and custom, Allocated,
/// Maintaining; then the higher priority; then the higher ordinal.
#[test]
fn a_decrease_takes_who_is_free_and_nobody_else() {
    let states = ["Allocated", "WaitToBeDeleted", "None", "Kill", "InMatch", "Maintaining"];
    for (replicas, lost) in [
        (5, ""),
        (4, ""),
        (3, "game-4 (InMatch)"),
        (2, "game-4 (InMatch), game-2 (None)"),
        (1, "game-4 (InMatch), game-2 (None), game-0 (Allocated)"),
        (0, "game-4 (InMatch), game-2 (None), game-0 (Allocated), game-5 (Maintaining)"),
    ] {
        let world = external("Strict", 6, &states);
        for verdict in [world.scale(replicas), world.edit(&json!({"spec": {"replicas": replicas}}))] {
            let said = said(&verdict);
            if lost.is_empty() {
                assert_eq!(said, "", "{replicas}");
                continue;
            }
            let wanted = format!("403 Forbidden: set game would lose {lost}, which may be in use, and it is");
            assert!(said.starts_with(&wanted), "{replicas}: {said}");
            assert!(said.contains("; now it can shrink to 4; "), "{said}");
        }
    }
    assert_eq!(
        external("Strict", 6, &states).scale(4).warnings,
        ["goes, in this order: game-3 (Kill), game-1 (WaitToBeDeleted)"]
    );
}

#[test]
fn who_is_let_go_by_hand_does_not_go_before_its_turn() {
    // Our controller would take game-0, which may go; theirs takes game-1.
    let world = allowed(external("Strict", 2, &["Allocated", "None"]), 0);
    let refused = said(&world.scale(1));
    assert!(
        refused.contains("would lose game-1 (None)") && refused.contains("now it cannot shrink"),
        "{refused}"
    );
    let turn = allowed(external("Strict", 2, &["Allocated", "None"]), 1);
    assert_eq!(turn.scale(1).warnings, ["goes, in this order: game-1 (None)"]);
    assert!(said(&turn.scale(0)).contains("would lose game-0 (Allocated), which may be in use"));
    assert!(said(&turn.scale(0)).contains("now it can shrink to 1"));
    // A pod that has ended is free, and goes when its state's turn comes.
    let mut ended = external("Strict", 2, &["Allocated", "None"]);
    ended.servers[0]["status"]["currentState"] = json!("Crash");
    assert!(said(&ended.scale(1)).contains("would lose game-1 (None)"));
    let mut all = external("Strict", 2, &["Allocated", "None"]);
    all.set["metadata"]["annotations"][names::ALLOW_REMOVAL] = json!("true");
    assert_eq!(all.scale(0).warnings, ["goes, in this order: game-1 (None), game-0 (Allocated)"]);
}

#[test]
fn ids_of_servers_in_use_are_not_reserved() {
    let world = external("Strict", 3, &["Allocated", "WaitToBeDeleted", "None"]);
    let reserve = |ids: Value| world.edit(&json!({"spec": {"reserveGameServerIds": ids}}));
    let refused = said(&reserve(json!([0, "1-2"])));
    assert!(
        refused.contains("would lose game-2 (None), game-0 (Allocated), which may be in use"),
        "{refused}"
    );
    assert!(refused.contains("; leave their ids out of reserveGameServerIds until then; "), "{refused}");
    assert_eq!(reserve(json!([1])).warnings, ["goes, in this order: game-1 (id reserved, WaitToBeDeleted)"]);
    assert_eq!(said(&reserve(json!(["7-9"]))), "", "nobody is there");
    // Who is reserved already goes already, and a longer list takes nobody else.
    let mut going = world.clone();
    going.set["spec"]["reserveGameServerIds"] = json!([0]);
    let more = going.edit(&json!({"spec": {"reserveGameServerIds": [0, 9]}}));
    assert_eq!(said(&more), "");
    let fewer = going.edit(&json!({"spec": {"reserveGameServerIds": []}}));
    assert_eq!((said(&fewer), fewer.warnings.len()), (String::new(), 0));
}

#[test]
fn prefer_takes_in_their_order_and_refuses_out_of_turn() {
    let mut shrinking = external("Prefer", 2, &["Allocated", "None", "WaitToBeDeleted"]);
    // Noted by our controller, before; and what only it takes into account.
    shrinking.set["metadata"]["annotations"][names::ORDINALS] = json!("0-1");
    shrinking.servers[0]["status"]["currentState"] = json!("NotReady");
    let old = kruise_pod(0);
    let delete = |world: &World| world.ask(Target::Pod, Operation::Delete, "game-0", Some(&old), None);
    assert!(said(&delete(&shrinking)).starts_with(
        "403 Forbidden: set game is shrinking to 2, and game-2 (WaitToBeDeleted) goes before game-0 (Allocated)"
    ));
    let theirs = World { user: "system:serviceaccount:gw:controller", ..shrinking.clone() };
    assert_eq!(delete(&theirs), Verdict::default());
    assert_eq!(delete(&external("Prefer", 3, &["Allocated", "None", "WaitToBeDeleted"])), Verdict::default());
    assert_eq!(said(&shrinking.scale(0)), "");
}

/// A Kruise StatefulSet of the set.
fn workload(replicas: i32, reserved: Value) -> Value {
    json!({
        "kind": "StatefulSet",
        "metadata": {
            "name": "game", "namespace": "games",
            "ownerReferences": [{
                "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet", "name": "game", "uid": "set-uid",
                "controller": true,
            }],
        },
        "spec": {"replicas": replicas, "reserveOrdinals": reserved},
    })
}

/// Shrunk, by both ways; with a reserved ordinal; taken from the set; deleted.
fn past_the_set(world: &World) -> [Verdict; 5] {
    let old = workload(2, json!([]));
    let update = |target, new: &Value| world.ask(target, Operation::Update, "game", Some(&old), Some(new));
    let mut nobodys = workload(2, json!([]));
    nobodys["metadata"]["ownerReferences"] = json!([]);
    [
        update(Target::Workload, &workload(1, json!([]))),
        update(Target::WorkloadScale, &json!({"kind": "Scale", "spec": {"replicas": 1}})),
        update(Target::Workload, &workload(2, json!([0]))),
        update(Target::Workload, &nobodys),
        world.ask(Target::Workload, Operation::Delete, "game", Some(&old), None),
    ]
}

#[test]
fn a_strict_set_is_not_shrunk_past_it() {
    let strict = external("Strict", 2, &["Allocated", "WaitToBeDeleted"]);
    let whats = ["shrunk", "shrunk", "given other reserveOrdinals", "taken from its set", "deleted"];
    for (verdict, what) in past_the_set(&strict).iter().zip(whats) {
        assert_eq!(
            said(verdict),
            format!(
                "403 Forbidden: game-0 (Allocated) of set game may be in use, and it is Strict (gamewarden.dev/protection): its \
                 StatefulSet is not {what} by hand, for that would take them. Change the set instead: `kubectl scale gss -n games \
                 game --replicas=<number>`; or let all of them go now: `kubectl annotate gss -n games game \
                 gamewarden.dev/allow-removal=true`"
            )
        );
    }
    let passes = |world: &World, why: &str| {
        for verdict in past_the_set(world) {
            assert_eq!(verdict, Verdict::default(), "{why}");
        }
    };
    passes(&external("Prefer", 2, &["Allocated"]), "not Strict");
    passes(&external("Strict", 2, &["Kill", "WaitToBeDeleted"]), "all are free");
    passes(&World { user: "system:serviceaccount:gw:controller", ..strict.clone() }, "theirs to do");
    passes(&World { mode: Mode::Managed, ..strict.clone() }, "no pods of ours");
    passes(&World { set: json!(null), ..strict.clone() }, "no set of this name");
    let old = workload(2, json!([]));
    let up =
        strict.ask(Target::Workload, Operation::Update, "game", Some(&old), Some(&workload(3, json!([]))));
    assert_eq!(up, Verdict::default());
    let orphans = World { orphans: true, ..strict.clone() };
    assert_eq!(
        orphans.ask(Target::Workload, Operation::Delete, "game", Some(&old), None),
        Verdict::default()
    );
    let mut other = workload(2, json!([]));
    other["metadata"]["ownerReferences"] = json!([]);
    assert_eq!(
        strict.ask(Target::Workload, Operation::Delete, "game", Some(&other), None),
        Verdict::default(),
        "a StatefulSet of somebody's own"
    );
}

#[test]
fn without_sight_a_workload_that_may_be_stricts_stays() {
    let lost = World { sight: LOST, ..external("Strict", 2, &["Allocated"]) };
    for verdict in past_the_set(&lost) {
        assert!(
            said(&verdict)
                .starts_with("503 ServiceUnavailable: whether the servers of set game may be in use")
        );
    }
    let prefer = World { sight: LOST, ..external("Prefer", 2, &["Allocated"]) };
    assert!(past_the_set(&prefer).iter().all(|verdict| verdict.refusal.is_none()));
    let [shrunk, scaled, reserved, taken, deleted] =
        past_the_set(&World { sight: Sight::Never, set: json!(null), ..external("Prefer", 2, &[]) });
    assert!(
        shrunk.refusal.is_some()
            && reserved.refusal.is_some()
            && taken.refusal.is_some()
            && deleted.refusal.is_some()
    );
    assert_eq!(scaled, Verdict { unguarded: true, ..Verdict::default() }, "any StatefulSet's");
}
