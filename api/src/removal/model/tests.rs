//! The protocol holds; without any one of its parts it does not.

use std::time::Instant;

use stateright::{Checker, Model};

use super::*;

/// Nobody but controllers and prober does anything.
const NONE: Left = Left { joins: 0, verdicts: 0, by_hand: 0, refusals: 0 };
const ONCE: Left = Left { joins: 1, verdicts: 1, by_hand: 1, refusals: 1 };
const ANYTHING: Left = Left { joins: u8::MAX, verdicts: u8::MAX, by_hand: u8::MAX, refusals: u8::MAX };

/// Explores everything; gives the names of the properties that were found broken, or never met.
fn broken(servers: usize, replicas: usize, left: Left, without: Without) -> Vec<&'static str> {
    explored(servers, replicas, left, Grain::Fine, without)
}

/// The same with three servers, of which fewer steps come late.
fn three(replicas: usize, left: Left) -> Vec<&'static str> {
    explored(3, replicas, left, Grain::Coarse, Without::Nothing)
}

#[allow(clippy::print_stdout, reason = "the figures of docs/results/model.md")]
fn explored(
    servers: usize,
    replicas: usize,
    left: Left,
    grain: Grain,
    without: Without,
) -> Vec<&'static str> {
    let began = Instant::now();
    let model = Removals::new(servers, replicas, left, grain, without);
    let checker = model.checker().threads(1).spawn_bfs().join();
    println!(
        "{servers} servers, {replicas} replicas, {left:?}, {grain:?}, without {without:?}: {} states, {:.1?}",
        checker.unique_state_count(),
        began.elapsed(),
    );
    let discoveries = checker.discoveries();
    let broken = |property: &&'static str| {
        discoveries.contains_key(*property) != [GOES, IS_WITHDRAWN].contains(property)
    };
    [IN_USE, IN_TURN, ONE_WINS, WITHDRAWN, GOES, IS_WITHDRAWN].into_iter().filter(broken).collect()
}

#[test]
fn one_server_whatever_happens_for_ever() {
    assert_eq!(broken(1, 0, ANYTHING, Without::Nothing), [""; 0]);
}

#[test]
fn two_servers_of_which_one_goes() {
    assert_eq!(broken(2, 1, Left { joins: 1, verdicts: 1, ..NONE }, Without::Nothing), [""; 0]);
    assert_eq!(broken(2, 1, Left { by_hand: 1, ..NONE }, Without::Nothing), [""; 0]);
    assert_eq!(broken(2, 1, Left { refusals: 1, ..NONE }, Without::Nothing), [""; 0]);
}

#[test]
fn two_servers_that_both_go() {
    assert_eq!(broken(2, 0, Left { joins: 1, ..NONE }, Without::Nothing), [""; 0]);
}

#[test]
fn three_servers_of_which_some_go() {
    assert_eq!(three(2, Left { joins: 1, ..NONE }), [""; 0]);
    assert_eq!(three(1, Left { refusals: 1, ..NONE }), [""; 0]);
}

#[test]
#[ignore = "minutes: make model"]
fn two_servers_and_all_that_can_happen_once() {
    assert_eq!(broken(2, 1, ONCE, Without::Nothing), [""; 0]);
}

#[test]
#[ignore = "minutes: make model"]
fn three_servers_of_which_one_goes_and_all_that_can_happen_once() {
    assert_eq!(three(2, ONCE), [""; 0]);
}

#[test]
#[ignore = "minutes: make model"]
fn three_servers_of_which_two_go_and_all_that_can_happen_once() {
    assert_eq!(three(1, ONCE), [""; 0]);
}

#[test]
#[ignore = "minutes: make model"]
fn three_servers_that_all_go_and_all_that_can_happen_once() {
    assert_eq!(three(0, ONCE), [""; 0]);
}

/// Servers, replicas, joins, verdicts, states set by hand, refusals, `fine` or `coarse`, as `GAMEWARDEN_MODEL` asks for.
#[test]
#[ignore = "what is asked for: make model"]
fn as_asked() {
    let Ok(asked) = std::env::var("GAMEWARDEN_MODEL") else { return };
    let (numbers, grain) = asked.rsplit_once(' ').unwrap();
    let numbers: Vec<u8> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
    let [servers, replicas, joins, verdicts, by_hand, refusals] = numbers[..] else { panic!("{asked}") };
    let grain = if grain == "fine" { Grain::Fine } else { Grain::Coarse };
    let left = Left { joins, verdicts, by_hand, refusals };
    assert_eq!(explored(servers.into(), replicas.into(), left, grain, Without::Nothing), [""; 0]);
}

#[test]
fn without_the_look_a_server_in_use_goes() {
    assert!(broken(1, 0, Left { joins: 1, ..NONE }, Without::Look).contains(&IN_USE));
    assert!(explored(3, 2, Left { joins: 1, ..NONE }, Grain::Coarse, Without::Look).contains(&IN_USE));
}

#[test]
fn without_versions_a_claim_that_was_given_back_is_committed() {
    assert!(broken(1, 0, Left { joins: 1, verdicts: 1, ..NONE }, Without::Version).contains(&ONE_WINS));
}

#[test]
fn without_the_mark_a_commit_that_was_withdrawn_is_carried_out() {
    let broken = broken(1, 0, Left { joins: 1, ..NONE }, Without::Mark);
    assert!(broken.contains(&WITHDRAWN) && broken.contains(&IN_USE), "{broken:?}");
}

#[test]
fn without_the_order_one_goes_before_its_turn() {
    assert!(broken(2, 0, NONE, Without::Order).contains(&IN_TURN));
    assert!(explored(3, 1, NONE, Grain::Coarse, Without::Order).contains(&IN_TURN));
}

/// The pod tells of one withdrawal, the last: after two, who was to carry out the first commit does not see it there.
#[test]
fn without_the_claim_read_after_the_pod_a_commit_that_was_withdrawn_is_carried_out() {
    let broken = broken(1, 0, Left { joins: 1, verdicts: 1, ..NONE }, Without::Claim);
    assert!(broken.contains(&WITHDRAWN) && broken.contains(&IN_USE), "{broken:?}");
}
