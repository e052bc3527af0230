//! The protocol holds; without any one of its parts it does not.

use stateright::{Checker, Model};

use super::*;

const ANY: u8 = u8::MAX;

/// Explores everything; gives the names of the properties that were found broken, or never met.
fn broken(servers: usize, replicas: usize, left: Left, without: Without) -> Vec<&'static str> {
    let checker = Removals::new(servers, replicas, left, without).checker().threads(1).spawn_bfs().join();
    let discoveries = checker.discoveries();
    let broken = |property: &&'static str| {
        discoveries.contains_key(*property) != [GOES, IS_WITHDRAWN].contains(property)
    };
    [IN_USE, IN_TURN, ONE_WINS, WITHDRAWN, GOES, IS_WITHDRAWN].into_iter().filter(broken).collect()
}

fn left(joins: u8, verdicts: u8, by_hand: u8) -> Left {
    Left { joins, verdicts, by_hand }
}

#[test]
fn one_server_whatever_happens_for_ever() {
    assert_eq!(broken(1, 0, left(ANY, ANY, ANY), Without::Nothing), [""; 0]);
}

#[test]
fn two_servers_of_which_one_goes() {
    assert_eq!(broken(2, 1, left(1, 1, 0), Without::Nothing), [""; 0]);
    assert_eq!(broken(2, 1, left(0, 0, 1), Without::Nothing), [""; 0]);
}

#[test]
fn two_servers_that_both_go() {
    assert_eq!(broken(2, 0, left(1, 0, 0), Without::Nothing), [""; 0]);
}

#[test]
fn three_servers_of_which_one_goes() {
    assert_eq!(broken(3, 2, left(0, 0, 0), Without::Nothing), [""; 0]);
}

#[test]
#[ignore = "minutes: make model"]
fn two_servers_and_all_that_can_happen_once() {
    assert_eq!(broken(2, 1, left(1, 1, 1), Without::Nothing), [""; 0]);
}

#[test]
#[ignore = "minutes: make model"]
fn three_servers_of_which_two_go() {
    assert_eq!(broken(3, 1, left(0, 0, 0), Without::Nothing), [""; 0]);
}

#[test]
#[ignore = "minutes: make model"]
fn three_servers_and_a_player() {
    assert_eq!(broken(3, 2, left(1, 0, 0), Without::Nothing), [""; 0]);
}

#[test]
fn without_the_look_a_server_in_use_goes() {
    assert!(broken(1, 0, left(1, 0, 0), Without::Look).contains(&IN_USE));
}

#[test]
fn without_versions_a_claim_that_was_given_back_is_committed() {
    assert!(broken(1, 0, left(1, 1, 0), Without::Version).contains(&ONE_WINS));
}

#[test]
fn without_the_mark_a_commit_that_was_withdrawn_is_carried_out() {
    let broken = broken(1, 0, left(1, 0, 0), Without::Mark);
    assert!(broken.contains(&WITHDRAWN) && broken.contains(&IN_USE), "{broken:?}");
}

#[test]
fn without_the_order_one_goes_before_its_turn() {
    assert!(broken(2, 0, left(0, 0, 0), Without::Order).contains(&IN_TURN));
}

/// The pod tells of one withdrawal, the last: after two, who was to carry out the first commit does not see it there.
#[test]
fn without_the_claim_read_after_the_pod_a_commit_that_was_withdrawn_is_carried_out() {
    let broken = broken(1, 0, left(1, 1, 0), Without::Claim);
    assert!(broken.contains(&WITHDRAWN) && broken.contains(&IN_USE), "{broken:?}");
}
