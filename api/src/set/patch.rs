//! What to write on the set before anything is removed or created.

use serde_json::{Map, Value, json};

use super::{
    Snapshot,
    roster::{Member, Roster},
};
use crate::{
    names,
    scale::{Ordinals, ScalePlan},
    types::IntOrString,
};

/// The merge patch that records the scale plan: seats, lowered replicas, reserve ids. It carries the
/// resourceVersion of the set that the plan was made from. `None` where the set says all of it already.
pub(super) fn set_patch(
    snapshot: &Snapshot<'_>,
    roster: &Roster<'_>,
    plan: &ScalePlan,
    reserved: &Ordinals,
    lowered: &Ordinals,
) -> Option<Value> {
    let mut annotations = Map::new();
    let seats = plan.seats.to_string();
    if snapshot.annotation(names::ORDINALS) != Some(&seats) {
        annotations.insert(names::ORDINALS.into(), seats.into());
    }
    let mut in_force = reserved.clone();
    for ordinal in &plan.add_reserve_ids {
        in_force.insert(*ordinal);
    }
    let in_force = in_force.to_string();
    if snapshot.annotation(names::RESERVE_IDS).unwrap_or_default() != in_force {
        annotations.insert(names::RESERVE_IDS.into(), in_force.into());
    }

    let lowered = lowered.to_string();
    if snapshot.annotation(names::LOWERED).unwrap_or_default() != lowered {
        let value = if lowered.is_empty() { Value::Null } else { lowered.into() };
        annotations.insert(names::LOWERED.into(), value);
    }

    let mut spec = Map::new();
    if plan.replicas != snapshot.set.spec.replicas {
        spec.insert("replicas".into(), plan.replicas.into());
    }
    // As we write them, below.
    let in_vain = |entry: &&IntOrString| match entry {
        IntOrString::Int(number) => u32::try_from(*number)
            .is_ok_and(|ordinal| roster.members.get(&ordinal).is_some_and(Member::reserved_in_vain)),
        IntOrString::String(_) => false,
    };
    let written = &snapshot.set.spec.reserve_game_server_ids;
    if !plan.add_reserve_ids.is_empty() || written.iter().any(|entry| in_vain(&entry)) {
        // What people wrote stays as they wrote it, entries that nobody can read included.
        let written = written.iter().filter(|entry| !in_vain(entry)).map(|entry| json!(entry));
        let added = plan.add_reserve_ids.iter().map(|ordinal| match i32::try_from(*ordinal) {
            Ok(number) => json!(number),
            Err(_) => json!(ordinal.to_string()),
        });
        spec.insert("reserveGameServerIds".into(), written.chain(added).collect());
    }

    if annotations.is_empty() && spec.is_empty() {
        return None;
    }
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), json!(snapshot.set.metadata.resource_version));
    if !annotations.is_empty() {
        metadata.insert("annotations".into(), annotations.into());
    }
    let mut patch = Map::new();
    patch.insert("metadata".into(), metadata.into());
    if !spec.is_empty() {
        patch.insert("spec".into(), spec.into());
    }
    Some(patch.into())
}
