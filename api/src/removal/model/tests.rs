//! The protocol holds; without any one of its parts it does not.

use std::time::Instant;

use stateright::{Checker, Model};

use super::*;

#[test]
fn measure() {
    let var = |name: &str, d: u8| std::env::var(name).ok().map_or(d, |v| v.parse().unwrap());
    let left = Left { joins: var("J", 1), verdicts: var("V", 0), by_hand: var("H", 0) };
    let without = match var("W", 0) { 0 => Without::Nothing, 1 => Without::Look, 2 => Without::Version, 3 => Without::Mark, 4 => Without::Order, _ => Without::Claim };
    let model = Removals::new(var("N", 2).into(), var("R", 1).into(), left, without);
    let start = Instant::now();
    let checker = model.checker().threads(1).timeout(std::time::Duration::from_secs(300)).spawn_bfs().join();
    println!("{} unique {} depth {} {:?}", checker.state_count(), checker.unique_state_count(), checker.max_depth(), start.elapsed());
    { let book = checker.model().book(); println!("objects {} plans {}", book.pages(), book.plans()); }
    for (name, path) in checker.discoveries() {
        println!("{name}");
        for (state, action) in path.into_vec() { println!("   {action:?}"); let _ = state; }
    }
}
