//! A plan as warnings: who goes, in order, and who stays and why. kubectl shows each on a line of its own; Kubernetes asks
//! for no more than 120 characters.

use super::{
    cache::{Cache, Shelf},
    kept::{KeptServer, KeptSet},
    say::{MOST_NAMES, short},
};
use crate::scale::{Leave, ScalePlan, Why};

/// Longest warning, in characters.
pub(super) const LONGEST: usize = 120;

/// The plan of this set in words. Nothing where nobody goes and nobody is kept.
pub(super) fn warnings(
    plan: &ScalePlan,
    name: &str,
    servers: &Shelf<KeptServer>,
    namespace: &str,
    set: &KeptSet,
) -> Vec<String> {
    let told = |leaves: &[Leave]| -> Vec<String> {
        let mut told: Vec<String> = leaves
            .iter()
            .take(MOST_NAMES)
            .map(|leave| {
                let server_name = Cache::name(name, leave.ordinal);
                let state = servers.get(namespace, &server_name).map(|server| short(&server.ops_state));
                let state = state.unwrap_or_default();
                match leave.why {
                    Why::Reserved => format!("{server_name} (id reserved, {state})"),
                    Why::Kill | Why::Excess => format!("{server_name} ({state})"),
                }
            })
            .collect();
        if let Some(more) = leaves.len().checked_sub(MOST_NAMES).filter(|more| *more > 0) {
            told.push(format!("and {more} more"));
        }
        told
    };
    let mut lines = packed("goes, in this order:", "then:", &told(&plan.remove));
    lines.extend(packed("stays while in use (Strict):", "stays, too:", &told(&plan.kept)));
    if !plan.kept.is_empty() {
        let stay = set.replicas.max(0).unsigned_abs() as usize + plan.kept.len();
        lines.push(format!(
            "so there will be {stay} servers, not {}, until those are WaitToBeDeleted or Kill",
            set.replicas
        ));
    }
    lines
}

/// The items behind a head, on as many lines as it takes.
fn packed(head: &str, next: &str, items: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        let fits = |line: &String| line.chars().count() + item.chars().count() + 2 <= LONGEST;
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) => {
                line.push_str(", ");
                line.push_str(item);
            }
            None => lines.push(format!("{} {item}", if lines.is_empty() { head } else { next })),
        }
    }
    lines.into_iter().map(fitted).collect()
}

/// The longest names leave no room for all that is said of them.
fn fitted(line: String) -> String {
    match line.char_indices().nth(LONGEST) {
        None => line,
        Some(_) => line.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}
