//! Properties of the guard, over arbitrary sets.

use proptest::prelude::*;
use serde_json::json;

use super::{fixture::*, preview::LONGEST, say::MOST_NAMES, *};
use crate::{admission::Mode, names};

fn states() -> impl Strategy<Value = Vec<String>> {
    let known = prop::sample::select(vec!["None", "WaitToBeDeleted", "Kill", "Allocated", "Maintaining"]);
    let state = prop_oneof![4 => known.prop_map(String::from), 1 => "[a-zA-Zäß]{1,60}"];
    prop::collection::vec(state, 1..16)
}

fn sight() -> impl Strategy<Value = Sight> {
    prop::sample::select(vec![Sight::Clear, LOST, Sight::Never])
}

fn world() -> impl Strategy<Value = World> {
    let protection = prop::sample::select(vec!["Prefer", "Strict", "Off", ""]);
    let mode = prop::sample::select(vec![Mode::Managed, Mode::External]);
    let allowed = prop::collection::vec(prop::bool::weighted(0.2), 16);
    (protection, 0..18, states(), sight(), mode, allowed).prop_map(
        |(protection, replicas, states, sight, mode, allowed)| {
            let states: Vec<&str> = states.iter().map(String::as_str).collect();
            let mut world = World { sight, mode, ..World::new(protection, replicas, &states) };
            for (server, _) in world.servers.iter_mut().zip(allowed).filter(|(_, allowed)| *allowed) {
                server["metadata"]["annotations"] = json!({names::ALLOW_REMOVAL: "true"});
            }
            world
        },
    )
}

fn everything(world: &World) -> Vec<Verdict> {
    let mut all = vec![world.delete_set(), world.scale(0), world.edit(&json!({"spec": {"replicas": 0}}))];
    for ordinal in 0..world.servers.len() {
        all.extend([world.delete_pod(ordinal), world.delete_server(ordinal), world.evict(ordinal)]);
        all.push(world.label(ordinal, &pod(ordinal, false)));
    }
    all
}

fn may_go(server: &serde_json::Value) -> bool {
    let state = server["spec"]["opsState"].as_str().unwrap();
    state == "WaitToBeDeleted"
        || state == "Kill"
        || server["metadata"]["annotations"][names::ALLOW_REMOVAL] == "true"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// §4: whoever sees the cluster clearly takes of a Strict set who may go, and nobody else.
    #[test]
    fn strict_refuses_exactly_those_in_use(mut world in world()) {
        world.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
        world.sight = Sight::Clear;
        let mut all_may = true;
        for (ordinal, server) in world.servers.iter().enumerate() {
            let may = may_go(server);
            all_may &= may;
            for verdict in [world.delete_pod(ordinal), world.delete_server(ordinal), world.evict(ordinal), world.label(ordinal, &pod(ordinal, false))] {
                prop_assert_eq!(verdict.refusal.is_none(), may, "{}: {:?}", server, verdict);
            }
        }
        prop_assert_eq!(world.delete_set().refusal.is_none(), all_may);
    }

    /// Without sight nothing that is Strict is lost.
    #[test]
    fn strict_never_passes_unseen(mut world in world(), never in any::<bool>()) {
        world.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
        world.sight = if never { Sight::Never } else { LOST };
        prop_assert!(world.delete_set().refusal.is_some());
        for ordinal in 0..world.servers.len() {
            for verdict in [world.delete_pod(ordinal), world.evict(ordinal), world.label(ordinal, &pod(ordinal, false))] {
                prop_assert!(verdict.refusal.is_some(), "{verdict:?}");
            }
        }
    }

    /// Never stand in Kubernetes' way.
    #[test]
    fn who_keeps_the_cluster_running_is_never_refused(world in world()) {
        let world = World { user: "system:serviceaccount:kube-system:namespace-controller", ..world };
        prop_assert!(everything(&world).iter().all(|verdict| *verdict == Verdict::default()));
    }

    #[test]
    fn off_refuses_nothing_that_is_known_to_be_off(mut world in world()) {
        world.set["metadata"]["annotations"][names::PROTECTION] = json!("Off");
        world.sight = Sight::Clear;
        prop_assert!(everything(&world).iter().all(|verdict| verdict.refusal.is_none() && !verdict.unguarded));
    }

    /// Prefer: who is refused is in use, does not go, and somebody else does.
    #[test]
    fn prefer_refuses_only_out_of_turn(mut world in world()) {
        world.set["metadata"]["annotations"][names::PROTECTION] = json!("Prefer");
        let existing = world.servers.len();
        let replicas = usize::try_from(world.set["spec"]["replicas"].as_i64().unwrap()).unwrap();
        let kill = world.servers.iter().any(|server| server["spec"]["opsState"] == "Kill");
        for (ordinal, server) in world.servers.iter().enumerate() {
            let verdict = world.delete_server(ordinal);
            prop_assert_eq!(world.evict(ordinal).refusal, None);
            if world.sight == Sight::Clear && verdict.refusal.is_some() {
                prop_assert!(!may_go(server));
                prop_assert!(existing > replicas || kill, "the set does not shrink");
            }
        }
    }

    /// A dry run is told what would be, and nothing of it counts.
    #[test]
    fn a_dry_run_is_judged_alike(world in world()) {
        let dry = World { dry_run: true, ..world.clone() };
        for (real, dry) in everything(&world).into_iter().zip(everything(&dry)) {
            prop_assert_eq!(Verdict { unguarded: false, ..real }, dry);
        }
    }

    /// Warnings are short, and name at most ten who go and ten who stay.
    #[test]
    fn warnings_fit(mut world in world(), replicas in 0..18) {
        world.sight = Sight::Clear;
        let verdict = world.scale(replicas);
        for warning in &verdict.warnings {
            prop_assert!(warning.chars().count() <= LONGEST && !warning.contains('\n'), "{}", warning);
        }
        let names = verdict.warnings.iter().map(|warning| warning.matches("game-").count()).sum::<usize>();
        prop_assert!(names <= 2 * MOST_NAMES);
        // External Strict: either nobody who is protected goes, or it is refused.
        if world.mode == Mode::External && verdict.refusal.is_none() {
            prop_assert!(verdict.warnings.iter().all(|warning| !warning.starts_with("stays")));
        }
    }

    /// External Strict: a decrease passes exactly when those whom OpenKruiseGame's controller would take for it may go.
    #[test]
    fn external_strict_refuses_exactly_what_would_take_one_in_use(mut world in world(), replicas in 0_usize..18) {
        world.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
        (world.sight, world.mode) = (Sight::Clear, Mode::External);
        // Its own rule, said once more: by state, then the higher ordinal.
        let mut order: Vec<_> = world.servers.iter().enumerate().collect();
        order.sort_by_key(|(ordinal, server)| {
            let turn = match server["spec"]["opsState"].as_str().unwrap() {
                "Kill" => 0,
                "WaitToBeDeleted" => 1,
                "Allocated" => 3,
                "Maintaining" => 4,
                _ => 2,
            };
            (turn, std::cmp::Reverse(*ordinal))
        });
        let old = usize::try_from(world.set["spec"]["replicas"].as_i64().unwrap()).unwrap();
        let excess = |replicas: usize| order.len().saturating_sub(replicas);
        let taken = order.get(excess(old)..excess(replicas)).unwrap_or_default();
        let all_may = taken.iter().all(|(_, server)| may_go(server));
        let verdict = world.scale(i32::try_from(replicas).unwrap());
        prop_assert_eq!(verdict.refusal.is_none(), all_may, "{:?}: {:?}", taken, verdict);
    }

    /// Longest names there are.
    #[test]
    fn warnings_fit_whatever_the_names(set in "[a-z]{52}", state in ".{1,80}") {
        let mut world = World::new("Strict", 2, &[&state, "WaitToBeDeleted"]);
        world.set["metadata"]["name"] = json!(set);
        let mut cache = Cache::default();
        cache.sets.put("games", &set, Some(KeptSet::read(&world.set)));
        for (ordinal, server) in (4_000_000_000_u32..).zip(&mut world.servers) {
            let name = names::server_name(&set, ordinal);
            server["metadata"]["name"] = json!(name);
            server["metadata"]["labels"][names::OWNER_GSS] = json!(set);
            cache.servers.put("games", &name, KeptServer::read(server));
        }
        let scale = |replicas: i32| json!({"spec": {"replicas": replicas}});
        let (old, new) = (scale(2), scale(0));
        let asked = Asked {
            target: Target::Scale, operation: Operation::Update, namespace: "games", name: &set, user: "alice", groups: &[],
            old: Some(&old), new: Some(&new), dry_run: false, orphans: false,
        };
        let verdict = judge(&asked, &cache, Sight::Clear, &Rules::default(), jiff::Timestamp::UNIX_EPOCH);
        prop_assert!(!verdict.warnings.is_empty());
        for warning in verdict.warnings {
            prop_assert!(warning.chars().count() <= LONGEST && !warning.contains('\n'), "{} {}", warning.chars().count(), warning);
        }
    }
}
