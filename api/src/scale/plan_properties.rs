//! The scale plan against arbitrary sets and arbitrary histories (design §4, I1, I4).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    order::removal_order,
    world::{World, steps},
    *,
};
use crate::types::{OpsState, ScaleDownStrategyType};

fn ops_state() -> impl Strategy<Value = OpsState> {
    prop::sample::select(vec!["None", "None", "WaitToBeDeleted", "Allocated", "Maintaining", "Kill", "Own"])
        .prop_map(OpsState::from)
}

fn any_server() -> impl Strategy<Value = Server> {
    let flags = (
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    );
    (0u32..12, ops_state(), -1i64..2, flags).prop_map(
        |(ordinal, ops_state, deletion_priority, (leaving, dead, ready, unanswered, committed))| Server {
            ordinal,
            ops_state,
            deletion_priority,
            leaving,
            dead,
            ready: ready && !dead,
            protected: false,
            unanswered,
            committed,
        },
    )
}

fn ordinals() -> impl Strategy<Value = Ordinals> {
    prop::collection::vec(0u32..14, 0..4).prop_map(|o| o.into_iter().collect())
}

fn world() -> impl Strategy<Value = World> {
    let strategy =
        prop::sample::select(vec![ScaleDownStrategyType::General, ScaleDownStrategyType::ReserveIds]);
    (
        0i32..8,
        ordinals(),
        prop::option::of(prop::collection::vec(0u32..14, 0..8).prop_map(|o| o.into_iter().collect())),
        strategy,
        prop::option::of(1usize..4),
        prop::collection::vec(any_server(), 0..10),
    )
        .prop_map(|(replicas, reserved, seats, strategy, max_unavailable, servers)| World {
            replicas,
            reserved,
            seats,
            strategy,
            max_unavailable,
            servers: servers.into_iter().map(|s| (s.ordinal, s)).collect(),
            blocked: BTreeSet::new(),
        })
}

/// A set with everything in place.
fn settled_world() -> impl Strategy<Value = World> {
    world().prop_map(|mut world| {
        world.run();
        world
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// I1: nobody is removed while one that goes before it stays.
    #[test]
    fn i1_nobody_goes_before_its_turn(world in world()) {
        let plan = world.plan();
        let gone: BTreeMap<u32, Why> = plan.remove.iter().map(|l| (l.ordinal, l.why)).collect();
        prop_assert_eq!(gone.len(), plan.remove.len());
        for stays in world.existing().filter(|s| !gone.contains_key(&s.ordinal)) {
            prop_assert!(!world.reserved.contains(stays.ordinal), "{} is reserved and stays", stays.ordinal);
            prop_assert!(stays.ops_state != OpsState::Kill, "{} is to be killed and stays", stays.ordinal);
            for goes in world.existing().filter(|s| gone.get(&s.ordinal) == Some(&Why::Excess)) {
                prop_assert!(
                    goes.dead && !stays.dead
                        || goes.dead == stays.dead
                            && removal_order(&goes.candidate(), &stays.candidate()).is_lt(),
                    "{:?} goes while {:?} stays", goes, stays
                );
            }
        }
        prop_assert!(plan.remove.iter().all(|l| !world.servers[&l.ordinal].leaving));
    }

    /// §4: with enough seats and nobody reserved or killed, everybody stays.
    #[test]
    fn nobody_goes_without_a_cause(mut world in world()) {
        world.reserved = Ordinals::default();
        for server in world.servers.values_mut().filter(|s| s.ops_state == OpsState::Kill) {
            server.ops_state = OpsState::None;
        }
        world.replicas = world.replicas.max(i32::try_from(world.existing().count()).unwrap());
        let plan = world.plan();
        prop_assert_eq!(plan.remove, []);
        prop_assert_eq!(plan.replicas, world.replicas);
        prop_assert_eq!(plan.add_reserve_ids, Vec::<u32>::new());
    }

    /// I4: where no pod is seen, nothing is removed, nothing lowered, and the seats stay.
    #[test]
    fn i4_an_empty_snapshot_removes_nothing(mut world in settled_world()) {
        let seats = world.seats.clone();
        world.servers.clear();
        let plan = world.plan();
        prop_assert_eq!(&plan.remove, &[]);
        prop_assert_eq!(plan.replicas, world.replicas);
        prop_assert_eq!(Some(plan.seats), seats);
    }

    /// I4: who sees only some of the servers takes nobody whom the whole would not lose.
    #[test]
    fn i4_who_sees_less_removes_nobody_else(
        mut world in world(),
        unseen in prop::collection::btree_set(0u32..12, 0..6),
    ) {
        let all: BTreeSet<u32> = world.plan().remove.iter().map(|leave| leave.ordinal).collect();
        world.servers.retain(|ordinal, _| !unseen.contains(ordinal));
        let few: BTreeSet<u32> = world.plan().remove.iter().map(|leave| leave.ordinal).collect();
        prop_assert!(few.is_subset(&all), "{:?} {:?}", few, all);
    }

    /// A name is never used twice, a reserved ordinal never, and the bound holds.
    #[test]
    fn what_is_created_is_free(mut world in world(), blocked in prop::collection::btree_set(0u32..14, 0..4)) {
        world.blocked = blocked;
        let plan = world.plan();
        let unique: BTreeSet<&u32> = plan.create.iter().collect();
        prop_assert_eq!(unique.len(), plan.create.len());
        for ordinal in &plan.create {
            prop_assert!(!world.servers.contains_key(ordinal), "{} has a pod", ordinal);
            prop_assert!(!world.reserved.contains(*ordinal), "{} is reserved", ordinal);
            prop_assert!(!plan.add_reserve_ids.contains(ordinal), "{} is being reserved", ordinal);
            prop_assert!(!world.blocked.contains(ordinal), "{} is blocked", ordinal);
            prop_assert!(plan.seats.contains(*ordinal), "{} has no seat", ordinal);
        }
        if let Some(max) = world.max_unavailable {
            let removed: BTreeSet<u32> = plan.remove.iter().map(|l| l.ordinal).collect();
            let not_ready = world.existing().filter(|s| !s.ready && !removed.contains(&s.ordinal)).count();
            prop_assert!(plan.create.is_empty() || not_ready + plan.create.len() <= max);
        }
        prop_assert_eq!(plan.seats.count(), u64::try_from(plan.replicas).unwrap());
    }

    /// n servers, r replicas, k of them killed for good: r is lowered by the kills that no shrink covers.
    #[test]
    fn kills_lower_replicas_beyond_a_shrink(mut world in world()) {
        world.seats = None;
        let counted: Vec<&Server> = world.existing().filter(|s| !world.reserved.contains(s.ordinal)).collect();
        let n = i32::try_from(counted.len()).unwrap();
        let killed = counted.iter().filter(|s| s.ops_state == OpsState::Kill && s.committed);
        let k = i32::try_from(killed.count()).unwrap();
        let expected = (k - (n - world.replicas).max(0)).clamp(0, world.replicas);
        let plan = world.plan();
        prop_assert_eq!(plan.replicas, world.replicas - expected);
    }

    /// §4: applied again and again, the plan ends with `replicas` servers, none on a reserved ordinal.
    #[test]
    fn it_converges(mut world in world()) {
        world.run();
        let ordinals: Ordinals = world.servers.keys().copied().collect();
        prop_assert_eq!(ordinals.count(), u64::try_from(world.replicas).unwrap());
        prop_assert!(world.servers.keys().all(|o| !world.reserved.contains(*o)));
        prop_assert_eq!(Some(ordinals), world.seats);
    }

    /// Killed between any two steps, in whatever order they were taken, the controller goes on with the same
    /// plan: the set's record is not written again, nothing is lowered or reserved twice.
    #[test]
    fn a_crash_changes_nothing(
        mut world in world(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 40),
        gone in prop::collection::vec(any::<bool>(), 40),
    ) {
        world.max_unavailable = None;
        let first = world.plan();
        world.patch(&first);
        let mut expected = world.clone();
        expected.run();
        for (pick, gone) in order.iter().zip(gone) {
            let plan = world.plan();
            prop_assert!(!world.needs_patch(&plan), "after {:?}: {:?} on {:?}", first, plan, world);
            let steps = steps(&plan);
            if steps.is_empty() {
                break;
            }
            world.step(*pick.get(&steps));
            if gone {
                world.servers.retain(|_, s| !s.leaving);
            }
        }
        world.run();
        prop_assert_eq!(world.replicas, expected.replicas);
        prop_assert_eq!(world.servers, expected.servers);
    }

    /// Every Kill lowers replicas by one, once, however servers are lost and made again meanwhile and
    /// wherever the controller crashes; and who is not killed keeps its ordinal.
    #[test]
    fn a_kill_counts_once(
        mut world in settled_world(),
        history in prop::collection::vec((0u8..4, any::<prop::sample::Index>()), 0..30),
    ) {
        world.max_unavailable = None;
        let (start, seats) = (world.replicas, world.seats.clone().unwrap());
        let mut killed = BTreeSet::new();
        for (what, pick) in history {
            let alive: Vec<u32> = world.existing().map(|s| s.ordinal).filter(|o| !killed.contains(o)).collect();
            match what {
                0 if !alive.is_empty() => {
                    let ordinal = *pick.get(&alive);
                    killed.insert(ordinal);
                    world.servers.get_mut(&ordinal).unwrap().ops_state = OpsState::Kill;
                }
                1 if !alive.is_empty() => world.servers.get_mut(pick.get(&alive)).unwrap().leaving = true,
                2 => world.servers.retain(|_, s| !s.leaving),
                _ => {
                    let plan = world.plan();
                    world.patch(&plan);
                    let steps = steps(&plan);
                    if !steps.is_empty() {
                        world.step(*pick.get(&steps));
                    }
                }
            }
        }
        world.run();
        prop_assert_eq!(world.replicas, start - i32::try_from(killed.len()).unwrap());
        let expected: BTreeSet<u32> = seats.iter().filter(|o| !killed.contains(o)).collect();
        prop_assert_eq!(world.servers.keys().copied().collect::<BTreeSet<u32>>(), expected);
    }
}
