//! Conditions begin once, last, end and never flap.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use proptest::prelude::*;

use super::*;

fn now(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let servers = prop::collection::btree_set(0..6u32, 0..5);
    (0..Kind::ALL.len(), servers, "[a-c]{0,2}", prop::sample::select(vec!["FailedCreate", "ExceededQuota"]))
        .prop_map(|(kind, servers, words, reason)| Trouble {
            kind: Kind::ALL[kind],
            reason,
            servers: servers.into_iter().map(|o| format!("game-{o}")).collect(),
            what: "it is wrong".into(),
            words,
            advice: "put it right",
        })
}

fn troubles() -> impl Strategy<Value = Vec<Trouble>> {
    prop::collection::vec(trouble(), 0..6)
}

fn others() -> Condition {
    Condition {
        type_: "example.org/Backup".into(),
        status: "False".into(),
        reason: "Late".into(),
        message: "by somebody else".into(),
        last_transition_time: Time(now(-100)),
        observed_generation: None,
    }
}

proptest! {
    #[test]
    fn nothing_is_written_while_nothing_changes(troubles in troubles(), words in "[a-z ]{1,9}") {
        let first = conditions(&[others()], &troubles, Some(1), now(0));
        prop_assert_eq!(&conditions(&first, &troubles, Some(1), now(50)), &first);
        // Nor where only the words of who found it change.
        let mut reworded = troubles;
        for trouble in reworded.iter_mut().filter(|t| !t.words.is_empty()) {
            trouble.words = words.clone();
        }
        prop_assert_eq!(&conditions(&first, &reworded, Some(1), now(50)), &first);
    }

    #[test]
    fn a_condition_is_there_exactly_while_its_trouble_is(rounds in prop::collection::vec(troubles(), 1..8)) {
        let mut shown = vec![others()];
        for (second, troubles) in (0..).zip(&rounds) {
            let before = std::mem::take(&mut shown);
            shown = conditions(&before, troubles, Some(second), now(second));
            prop_assert_eq!(&shown[0], &others(), "those of others stay");
            let mut types: Vec<&str> = shown[1..].iter().map(|c| c.type_.as_str()).collect();
            let mut expected: Vec<&str> = troubles.iter().map(|t| t.kind.condition_type()).collect();
            types.sort_unstable();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(types, expected);
            for condition in &shown[1..] {
                let began = before.iter().find(|c| c.type_ == condition.type_);
                let since = began.map_or(now(second), |c| c.last_transition_time.0);
                prop_assert_eq!(condition.last_transition_time.0, since);
                prop_assert_eq!(condition.observed_generation, Some(second));
                prop_assert_eq!(&condition.status, "True");
            }
        }
    }

    #[test]
    fn what_lasts_is_said_once_and_what_comes_again_once_more(rounds in prop::collection::vec(troubles(), 1..8)) {
        let mut shown = Vec::new();
        let mut said = std::collections::BTreeSet::new();
        for (second, troubles) in (0..).zip(&rounds) {
            shown = conditions(&shown, troubles, Some(1), now(second));
            // Said at every look, and once more by the controller that takes over: the same name each time.
            for _ in 0..2 {
                said.extend(beginnings(&shown, now(second)).into_iter().map(|b| b.identity));
            }
            for condition in &shown {
                let name = format!("{} {} {}", condition.type_, condition.reason, condition.last_transition_time.0);
                prop_assert!(said.contains(&name));
            }
        }
    }
}

#[test]
fn what_began_long_ago_is_no_news_and_what_comes_again_is() {
    let trouble = Trouble {
        kind: Kind::ReplicaFailure,
        reason: "ExceededQuota",
        servers: vec!["game-0".into()],
        what: "pods cannot be made".into(),
        words: "exceeded quota".into(),
        advice: "raise it",
    };
    let first = conditions(&[], std::slice::from_ref(&trouble), Some(1), now(0));
    let said = beginnings(&first, now(599));
    assert_eq!(said[0].event.reason, "FailedCreate");
    assert_eq!(said[0].event.message, "game-0: pods cannot be made: exceeded quota; raise it");
    assert_eq!(beginnings(&first, now(600)), []);
    let healed = conditions(&first, &[], Some(1), now(700));
    assert_eq!(healed, []);
    let again = beginnings(&conditions(&healed, &[trouble], Some(1), now(701)), now(701));
    assert_ne!(again[0].identity, said[0].identity);
}
