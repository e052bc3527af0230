//! The opsState that follows from what several qualities and people say (design §3.5).

use crate::types::OpsState;

/// What to write, and whose it is afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// The opsState the server should have.
    pub(super) ops_state: OpsState,
    /// What the qualities have written last; `None` where the value is a person's.
    pub(super) wrote: Option<OpsState>,
}

/// Merges the qualities' `opinions` (in the order of the set) with `current`, the opsState that the server
/// has; `wrote` is what qualities wrote last.
///
/// `None` is no opinion. Among the rest the most protective wins, equal ones by list order. A `current`
/// that no quality wrote is a person's or a matchmaker's: their Maintaining stays, and their Allocated
/// gives way only to an opinion.
pub(super) fn merge<'a>(
    opinions: impl IntoIterator<Item = &'a OpsState>,
    current: &OpsState,
    wrote: Option<&OpsState>,
) -> Merged {
    // min_by_key gives the first of equal ones.
    let opinion = opinions
        .into_iter()
        .filter(|opinion| **opinion != OpsState::None)
        .min_by_key(|opinion| rank(opinion))
        .cloned()
        .unwrap_or_default();
    let by_hand = !is_ours(current, wrote);
    // A value that a quality wants too has still not been written by it.
    let stays = *current == opinion
        || match current {
            OpsState::Maintaining => true,
            OpsState::Allocated => opinion == OpsState::None,
            _ => false,
        };
    if by_hand && stays {
        return Merged { ops_state: current.clone(), wrote: None };
    }
    Merged { ops_state: opinion.clone(), wrote: Some(opinion) }
}

/// Whether qualities wrote this value (or nobody did: a new server has None).
pub(super) fn is_ours(current: &OpsState, wrote: Option<&OpsState>) -> bool {
    wrote.unwrap_or(&OpsState::None) == current
}

/// Whether the first of two opinions that differ is the one that counts.
#[must_use]
pub(crate) fn wins(first: &OpsState, second: &OpsState) -> bool {
    rank(first) <= rank(second)
}

/// The lower, the more protective.
///
/// The order of removal (`scale/order.rs`) is nearly this one turned round, and yet another rule: it says which of
/// two servers goes first, this one what a single server becomes when its qualities disagree. There None is a
/// state like others, and priority and ordinal decide between equals; here None is no opinion, and the order of
/// the list decides. Either may change without the other.
fn rank(state: &OpsState) -> u8 {
    match state {
        OpsState::Maintaining => 0,
        OpsState::Allocated => 1,
        OpsState::None | OpsState::Custom(_) => 2,
        OpsState::WaitToBeDeleted => 3,
        OpsState::Kill => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(opinions: &[&str], current: &str, wrote: Option<&str>) -> (String, Option<String>) {
        let opinions: Vec<OpsState> = opinions.iter().map(|text| OpsState::from(*text)).collect();
        let wrote = wrote.map(OpsState::from);
        let merged = merge(&opinions, &OpsState::from(current), wrote.as_ref());
        (merged.ops_state.into(), merged.wrote.map(String::from))
    }

    #[test]
    fn the_most_protective_opinion_wins() {
        for (opinions, expected) in [
            (&[][..], "None"),
            (&["None", "None"], "None"),
            (&["WaitToBeDeleted", "None"], "WaitToBeDeleted"),
            (&["WaitToBeDeleted", "Maintaining"], "Maintaining"),
            (&["Maintaining", "Kill"], "Maintaining"),
            (&["Allocated", "Maintaining"], "Maintaining"),
            (&["draining", "Allocated"], "Allocated"),
            (&["WaitToBeDeleted", "draining"], "draining"),
            (&["Kill", "WaitToBeDeleted"], "WaitToBeDeleted"),
            (&["Kill", "None"], "Kill"),
            (&["blue", "green"], "blue"),
            (&["green", "blue"], "green"),
        ] {
            let expected = (expected.to_owned(), Some(expected.to_owned()));
            assert_eq!(merged(opinions, "None", None), expected, "{opinions:?}");
        }
    }

    #[test]
    fn what_a_person_set_gives_way_as_said() {
        for (opinions, current, wrote, expected, writes) in [
            // Allocated by a matchmaker: no opinion leaves it, an opinion does not.
            (&["None"][..], "Allocated", Some("None"), "Allocated", None),
            (&["None"], "Allocated", Some("WaitToBeDeleted"), "Allocated", None),
            (&["None"], "Allocated", None, "Allocated", None),
            (&["WaitToBeDeleted"], "Allocated", None, "WaitToBeDeleted", Some("WaitToBeDeleted")),
            (&["Maintaining"], "Allocated", None, "Maintaining", Some("Maintaining")),
            (&["Allocated"], "Allocated", None, "Allocated", None),
            // Allocated by a quality: gone when its opinion is.
            (&["None"], "Allocated", Some("Allocated"), "None", Some("None")),
            // Maintaining by a person: stays.
            (&["None"], "Maintaining", None, "Maintaining", None),
            (&["Kill"], "Maintaining", None, "Maintaining", None),
            (&["WaitToBeDeleted"], "Maintaining", Some("None"), "Maintaining", None),
            (&["Maintaining"], "Maintaining", Some("None"), "Maintaining", None),
            (&["None"], "Maintaining", Some("Maintaining"), "None", Some("None")),
            // Everything else gives way to a new verdict.
            (&["None"], "WaitToBeDeleted", None, "None", Some("None")),
            (&["None"], "Kill", None, "None", Some("None")),
            (&["None"], "blue", Some("None"), "None", Some("None")),
            (&["Maintaining"], "None", Some("WaitToBeDeleted"), "Maintaining", Some("Maintaining")),
        ] {
            let expected = (expected.to_owned(), writes.map(str::to_owned));
            assert_eq!(
                merged(opinions, current, wrote),
                expected,
                "{opinions:?} on {current}, wrote {wrote:?}"
            );
        }
    }
}
