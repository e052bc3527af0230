//! The scale plan, case by case (design §4).

use std::collections::BTreeSet;

use super::{
    world::{World, server, steps},
    *,
};
use crate::types::{OpsState, ScaleDownStrategyType};

fn set_of(replicas: i32, servers: &[(u32, &str)]) -> World {
    World {
        replicas,
        reserved: Ordinals::default(),
        seats: Some(servers.iter().map(|(o, _)| *o).collect()),
        strategy: ScaleDownStrategyType::General,
        max_unavailable: None,
        servers: servers
            .iter()
            .map(|&(o, state)| (o, Server { ready: true, ..server(o, OpsState::from(state)) }))
            .collect(),
        blocked: BTreeSet::new(),
    }
}

fn removed(plan: &ScalePlan) -> Vec<u32> {
    plan.remove.iter().map(|l| l.ordinal).collect()
}

/// The manual: of three, the one with a player stays; and it is that one which comes back when it is lost.
#[test]
fn the_one_in_use_stays_and_keeps_its_name() {
    let mut world = set_of(1, &[(0, "WaitToBeDeleted"), (1, "None"), (2, "WaitToBeDeleted")]);
    let plan = world.plan();
    assert_eq!(removed(&plan), [2, 0]);
    assert_eq!(plan.seats.to_string(), "1");
    world.run();
    world.servers.clear();
    assert_eq!(world.plan().create, [1]);
}

#[test]
fn a_shrink_that_is_taken_back_uses_free_names_only() {
    let mut world = set_of(1, &[(0, "None"), (1, "None"), (2, "None")]);
    let plan = world.plan();
    world.patch(&plan);
    steps(&plan).into_iter().for_each(|step| world.step(step));
    world.replicas = 3;
    // The pods of 1 and 2 still terminate.
    assert_eq!(world.plan().create, [3, 4]);
    assert_eq!(world.plan().seats.to_string(), "0,3,4");
}

#[test]
fn a_server_that_is_made_again_waits_for_its_name() {
    let mut world = set_of(3, &[(0, "None"), (5, "None"), (6, "None")]);
    world.servers.get_mut(&5).unwrap().leaving = true;
    assert_eq!(world.plan().create, Vec::<u32>::new());
    assert_eq!(world.plan().seats.to_string(), "0,5,6");
    world.servers.remove(&5);
    assert_eq!(world.plan().create, [5]);
}

#[test]
fn newly_reserved_servers_go_first_and_are_replaced_elsewhere() {
    let mut world = set_of(3, &[(0, "Maintaining"), (1, "WaitToBeDeleted"), (2, "None")]);
    world.reserved.insert_range(0, 0);
    world.reserved.insert_range(3, 2_000_000_000);
    let plan = world.plan();
    assert_eq!(plan.remove, [Leave { ordinal: 0, why: Why::Reserved }]);
    assert_eq!(plan.create, [2_000_000_001]);
    // Off the list again: nothing moves.
    world.run();
    world.reserved = Ordinals::default();
    let plan = world.plan();
    assert_eq!((removed(&plan), plan.create), (vec![], vec![]));
}

#[test]
fn reserve_ids_keeps_the_ordinals_of_the_removed() {
    let mut world = set_of(2, &[(0, "None"), (1, "Kill"), (2, "None"), (3, "None")]);
    world.strategy = ScaleDownStrategyType::ReserveIds;
    world.reserved.insert(9);
    let plan = world.plan();
    assert_eq!(removed(&plan), [1, 3]);
    assert_eq!(plan.add_reserve_ids, Vec::<u32>::new(), "they may still stay");
    for ordinal in [1, 3] {
        world.servers.get_mut(&ordinal).unwrap().committed = true;
    }
    let plan = world.plan();
    assert_eq!(plan.add_reserve_ids, [1, 3]);
    assert_eq!(plan.replicas, world.replicas, "the shrink by two covers the kill");
    world.run();
    world.replicas = 4;
    assert_eq!(world.plan().create, [4, 5]);
}

#[test]
fn a_kill_in_a_set_that_lacks_servers_counts_once() {
    let mut world = set_of(3, &[(0, "None"), (1, "Kill")]);
    world.seats = Some((0..3).collect());
    let plan = world.plan();
    assert_eq!((removed(&plan), plan.replicas, plan.create), (vec![1], 3, vec![2]));
    assert_eq!(plan.seats.to_string(), "0-2", "its seat is its own until it is decided");
    world.servers.get_mut(&1).unwrap().committed = true;
    let plan = world.plan();
    assert_eq!((removed(&plan), plan.replicas, plan.create.clone()), (vec![1], 2, vec![2]));
    world.patch(&plan);
    // Crash. The same state once more, but for the write.
    let plan = world.plan();
    assert_eq!((removed(&plan), plan.replicas, plan.create), (vec![1], 2, vec![2]));
}

#[test]
fn creation_is_bounded_by_what_is_not_ready() {
    let mut world = set_of(10, &[(0, "None"), (1, "None")]);
    world.max_unavailable = Some(3);
    assert_eq!(world.plan().create, [2, 3, 4]);
    world.servers.get_mut(&1).unwrap().ready = false;
    assert_eq!(world.plan().create, [2, 3]);
    world.max_unavailable = Some(1);
    assert_eq!(world.plan().create, Vec::<u32>::new());
}

#[test]
fn of_the_dead_and_the_living_the_dead_go_first() {
    let mut world = set_of(1, &[(0, "Allocated"), (1, "WaitToBeDeleted"), (2, "Kill")]);
    world.servers.get_mut(&0).unwrap().dead = true;
    assert_eq!(removed(&world.plan()), [2, 0]);
}

#[test]
fn who_is_protected_stays_and_is_named() {
    let mut world =
        set_of(1, &[(0, "WaitToBeDeleted"), (1, "None"), (2, "Allocated"), (3, "WaitToBeDeleted")]);
    for ordinal in [1, 2] {
        world.servers.get_mut(&ordinal).unwrap().protected = true;
    }
    let plan = world.plan();
    assert_eq!(removed(&plan), [3, 0]);
    assert_eq!(plan.kept, [Leave { ordinal: 1, why: Why::Excess }]);
    assert_eq!((plan.seats.to_string(), plan.create), ("2".to_owned(), vec![]));
}

#[test]
fn who_did_not_answer_is_not_made_up_for_by_one_in_use() {
    let mut world = set_of(2, &[(0, "None"), (1, "WaitToBeDeleted"), (2, "WaitToBeDeleted")]);
    world.servers.get_mut(&2).unwrap().unanswered = true;
    assert_eq!(removed(&world.plan()), [1]);
    world.servers.get_mut(&1).unwrap().ops_state = OpsState::None;
    assert_eq!(removed(&world.plan()), [2]);
}
