//! What is said of a scale-down, and what is refused in external mode.

use serde_json::json;

use super::{fixture::*, *};
use crate::admission::Mode;

#[test]
fn who_goes_is_told_in_order() {
    let world = World::new("Prefer", 4, &["Allocated", "None", "WaitToBeDeleted", "Maintaining"]);
    let wanted = ["goes, in this order: game-2 (WaitToBeDeleted), game-1 (None), game-0 (Allocated)"];
    assert_eq!(world.scale(1).warnings, wanted);
    assert_eq!(world.edit(&json!({"spec": {"replicas": 1}})).warnings, wanted);
    let dry = World { dry_run: true, ..world.clone() };
    assert_eq!(dry.scale(1).warnings, wanted);
    for verdict in [world.scale(4), world.scale(9), world.edit(&json!({"metadata": {"labels": {"a": "b"}}}))]
    {
        assert_eq!(verdict, Verdict::default());
    }
}

#[test]
fn who_stays_is_told_with_the_reason() {
    let world = World::new("Strict", 3, &["Allocated", "WaitToBeDeleted", "None"]);
    assert_eq!(
        world.scale(1).warnings,
        [
            "goes, in this order: game-1 (WaitToBeDeleted)",
            "stays while in use (Strict): game-2 (None)",
            "so there will be 2 servers, not 1, until those are WaitToBeDeleted or Kill",
        ]
    );
    let reserved = world.edit(&json!({"spec": {"reserveGameServerIds": [0]}}));
    assert_eq!(
        reserved.warnings,
        [
            "stays while in use (Strict): game-0 (id reserved, Allocated)",
            "so there will be 4 servers, not 3, until those are WaitToBeDeleted or Kill",
        ]
    );
    let prefer = World::new("Prefer", 3, &["Allocated", "WaitToBeDeleted", "None"]);
    let reserved = prefer.edit(&json!({"spec": {"reserveGameServerIds": [0]}}));
    assert_eq!(reserved.warnings, ["goes, in this order: game-0 (id reserved, Allocated)"]);
}

#[test]
fn who_goes_when_the_protection_is_lifted_is_told() {
    let held = World::new("Strict", 1, &["Allocated", "None"]);
    let lifted =
        |annotation: &str, value: &str| held.edit(&json!({"metadata": {"annotations": {annotation: value}}}));
    let wanted = ["goes, in this order: game-1 (None)"];
    assert_eq!(lifted("gamewarden.dev/protection", "Prefer").warnings, wanted);
    assert_eq!(lifted("gamewarden.dev/allow-removal", "true").warnings, wanted);
    assert_eq!(lifted("note", "x"), Verdict::default());
    // Who protects is refused nothing, whatever is to go.
    let external = World { mode: Mode::External, ..World::new("Prefer", 1, &["Allocated", "None"]) };
    let strict =
        external.edit(&json!({"metadata": {"annotations": {"gamewarden.dev/protection": "Strict"}}}));
    assert_eq!(said(&strict), "");
    let lost = World { sight: LOST, ..held.clone() };
    assert_eq!(
        lost.edit(&json!({"metadata": {"annotations": {"gamewarden.dev/protection": "Off"}}})),
        Verdict::default()
    );
}

#[test]
fn ten_names_are_told_and_then_a_count() {
    let world = World::new("Prefer", 25, &["None"; 25]);
    assert_eq!(
        world.scale(2).warnings,
        [
            "goes, in this order: game-24 (None), game-23 (None), game-22 (None), game-21 (None), game-20 (None), game-19 (None)",
            "then: game-18 (None), game-17 (None), game-16 (None), game-15 (None), and 13 more",
        ]
    );
}

#[test]
fn who_leaves_already_is_not_counted() {
    let mut world = World::new("Prefer", 3, &["None", "None", "None"]);
    world.servers[2]["status"]["currentState"] = json!("Deleting");
    assert_eq!(world.scale(2), Verdict::default(), "two are left");
    assert_eq!(world.scale(1).warnings, ["goes, in this order: game-1 (None)"]);
}

#[test]
fn in_external_mode_a_decrease_that_needs_a_protected_server_is_refused() {
    let strict =
        World { mode: Mode::External, ..World::new("Strict", 3, &["Allocated", "WaitToBeDeleted", "None"]) };
    for verdict in [strict.scale(1), strict.edit(&json!({"spec": {"replicas": 1}}))] {
        assert_eq!(
            said(&verdict),
            "403 Forbidden: set game would lose game-2 (None), which may be in use, and it is Strict \
             (gamewarden.dev/protection). It can be as soon as their opsState is WaitToBeDeleted or Kill; now it can shrink to \
             2; `kubectl annotate gs -n games <name> gamewarden.dev/allow-removal=true` lets a server go before that"
        );
    }
    assert_eq!(strict.scale(2).warnings, ["goes, in this order: game-1 (WaitToBeDeleted)"]);
    let full = World { mode: Mode::External, ..World::new("Strict", 2, &["Allocated", "None"]) };
    assert!(said(&full.scale(1)).contains("game-1 (None), which may be in use"));
    assert!(said(&full.scale(1)).contains("now it cannot shrink"));
    let reserved = full.edit(&json!({"spec": {"reserveGameServerIds": [0]}}));
    assert!(said(&reserved).contains("would lose game-0 (Allocated)"), "{reserved:?}");
    // Who lifts the protection in the same edit has said so.
    let lifted = json!({"metadata": {"annotations": {"gamewarden.dev/protection": "Prefer"}}, "spec": {"replicas": 1}});
    assert_eq!(said(&full.edit(&lifted)), "");
    let prefer = World { mode: Mode::External, ..World::new("Prefer", 2, &["Allocated", "None"]) };
    assert_eq!(said(&prefer.scale(0)), "");
}

#[test]
fn without_sight_nothing_is_told_and_external_strict_refuses() {
    for protection in ["Prefer", "Strict"] {
        let world = World { sight: LOST, ..World::new(protection, 2, &["None", "None"]) };
        let wanted = ["who goes cannot be told now: the webhook lost sight of the cluster 12 s ago"];
        assert_eq!(
            (said(&world.scale(1)), &*world.scale(1).warnings),
            (String::new(), &wanted.map(String::from)[..])
        );
        let external = World { mode: Mode::External, ..world };
        let refused = said(&external.scale(1));
        assert_eq!(
            refused.starts_with("503 ServiceUnavailable: whether the servers that set game would lose"),
            protection == "Strict"
        );
        assert_eq!(said(&external.scale(3)), "", "nobody is lost");
    }
    let never = World { sight: Sight::Never, set: json!(null), ..World::new("Prefer", 2, &[]) };
    let scale = |replicas: i32| json!({"spec": {"replicas": replicas}});
    let verdict = never.ask(Target::Scale, Operation::Update, "game", Some(&scale(2)), Some(&scale(1)));
    assert!(verdict.unguarded);
    assert_eq!(
        verdict.warnings,
        ["who goes cannot be told now: the webhook has not seen the cluster's game servers yet"]
    );
}
