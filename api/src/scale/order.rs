//! Which of two servers scale-down takes first (design §4).

use std::cmp::{Ordering, Reverse};

use crate::types::{IntOrString, OpsState};

/// What decides when a server's turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    /// Its operations state.
    pub(super) ops_state: &'a OpsState,
    /// Its deletion priority, see [`priority`].
    pub(super) deletion_priority: i64,
    /// Its ordinal.
    pub(super) ordinal: u32,
    /// Whether it did not answer when it was last to go.
    pub(super) unanswered: bool,
}

/// A priority as a number; what is not a number counts as 0.
#[must_use]
pub fn priority(value: Option<&IntOrString>) -> i64 {
    match value {
        Some(IntOrString::Int(number)) => i64::from(*number),
        Some(IntOrString::String(text)) => text.trim().parse().unwrap_or(0),
        None => 0,
    }
}

/// `Less` where `a` goes before `b`: Kill, WaitToBeDeleted, None and custom, Allocated, Maintaining; then
/// the higher deletion priority; then the higher ordinal. `Equal` only for the same ordinal.
///
/// Who did not answer when it was last to go lets others of its state go first, and nobody of another state: no player
/// is thrown out because an idle server cannot be asked.
pub(super) fn removal_order(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    key(a).cmp(&key(b))
}

/// When a server's turn comes. Nearly the protectiveness of opinions (`quality/merge.rs`) turned round, and yet
/// another rule: see there.
fn key(candidate: &Candidate<'_>) -> (u8, bool, Reverse<i64>, Reverse<u32>) {
    let turn = match candidate.ops_state {
        OpsState::Kill => 0,
        OpsState::WaitToBeDeleted => 1,
        OpsState::None | OpsState::Custom(_) => 2,
        OpsState::Allocated => 3,
        OpsState::Maintaining => 4,
    };
    (turn, candidate.unanswered, Reverse(candidate.deletion_priority), Reverse(candidate.ordinal))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// §4 and the manual, as a list of (opsState, deletionPriority, ordinal) in the order of removal.
    #[test]
    fn the_order_is_that_of_the_manual() {
        let order = [
            ("Kill", 0, 0),
            ("WaitToBeDeleted", 9, 1),
            ("WaitToBeDeleted", 0, 8),
            ("WaitToBeDeleted", 0, 2),
            ("WaitToBeDeleted", -1, 9),
            ("None", 10, 3),
            ("Draining", 2, 4),
            ("None", 1, 7),
            ("", 1, 5),
            ("None", 0, 6),
            ("Allocated", 99, 10),
            ("Allocated", 0, 11),
            ("Maintaining", 100, 12),
            ("Maintaining", 0, 13),
        ];
        let states: Vec<OpsState> = order.iter().map(|(state, ..)| OpsState::from(*state)).collect();
        let mut candidates: Vec<Candidate<'_>> = order
            .iter()
            .zip(&states)
            .map(|(&(_, deletion_priority, ordinal), ops_state)| Candidate {
                ops_state,
                deletion_priority,
                ordinal,
                unanswered: false,
            })
            .collect();
        candidates.sort_by_key(|c| c.ordinal);
        candidates.sort_by(removal_order);
        let sorted: Vec<u32> = candidates.iter().map(|c| c.ordinal).collect();
        assert_eq!(sorted, order.map(|(_, _, ordinal)| ordinal));
    }

    #[test]
    fn what_is_not_a_number_counts_as_0() {
        let text = |t: &str| Some(IntOrString::String(t.into()));
        for (value, expected) in [
            (Some(IntOrString::Int(7)), 7),
            (text("12"), 12),
            (text("-3"), -3),
            (text("high"), 0),
            (text(""), 0),
            (None, 0),
        ] {
            assert_eq!(priority(value.as_ref()), expected, "{value:?}");
        }
    }

    fn state() -> impl Strategy<Value = OpsState> {
        prop::sample::select(vec![
            "None",
            "Kill",
            "WaitToBeDeleted",
            "Maintaining",
            "Allocated",
            "Own",
            "Other",
        ])
        .prop_map(OpsState::from)
    }

    fn server() -> impl Strategy<Value = (OpsState, i64, u32, bool)> {
        (state(), -2i64..3, 0u32..4, any::<bool>())
    }

    fn candidate(server: &(OpsState, i64, u32, bool)) -> Candidate<'_> {
        let (ops_state, deletion_priority, ordinal, unanswered) = server;
        Candidate {
            ops_state,
            deletion_priority: *deletion_priority,
            ordinal: *ordinal,
            unanswered: *unanswered,
        }
    }

    proptest! {
        /// §4: a total order, so that two who plan from the same snapshot plan the same.
        #[test]
        fn it_is_a_total_order(a in server(), b in server(), c in server()) {
            let (x, y, z) = (candidate(&a), candidate(&b), candidate(&c));
            prop_assert_eq!(removal_order(&x, &y), removal_order(&y, &x).reverse());
            prop_assert_eq!(removal_order(&x, &x), Ordering::Equal);
            if removal_order(&x, &y).is_le() && removal_order(&y, &z).is_le() {
                prop_assert!(removal_order(&x, &z).is_le());
            }
            if a.2 != b.2 {
                prop_assert_ne!(removal_order(&x, &y), Ordering::Equal);
            }
        }
    }
}
