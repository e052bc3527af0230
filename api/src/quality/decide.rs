//! The one entry point: a new verdict on a server → one write and what people are told (design §3.3–§3.5).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Notice, Verdict,
    action::{Change, Effect, merge_containers, resolve},
    merge::{is_ours, merge},
    owed::Owed,
    record::{Held, Record, result_hash},
};
use crate::{
    GameServer,
    event::quoted,
    names::{self, reason},
    removal::Claim,
    time::truncated,
    types::{IntOrString, OpsState, ServiceQuality},
};

/// Bytes of keys and values that the annotations of an object may have in Kubernetes, less what we leave for
/// the record and for others.
const ANNOTATION_BUDGET: usize = (256 - 64) * 1024;

/// What a decision is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// All qualities of the set, in its order.
    pub qualities: &'a [ServiceQuality],
    /// Name of the one that the verdict is about.
    pub quality: &'a str,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// The server as it was read from the API.
    pub server: &'a GameServer,
    /// The pod that was probed.
    pub pod_uid: &'a str,
    /// The time.
    pub now: Timestamp,
    /// Whoever writes it may not write containers: that is noted, for the controller to do.
    pub owes_containers: bool,
}

/// What to do about a new verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// JSON merge patch of the GameServer: record, spec fields, labels and annotations that change. It carries
    /// uid and resourceVersion, so that it changes this object as it was read, or nothing.
    pub patch: Value,
    /// The opsState before and after, where the patch changes it.
    pub ops_state: Option<(OpsState, OpsState)>,
    /// Warning events to emit once the patch is written.
    pub notices: Vec<Notice>,
}

/// What a verdict changes: `None` when the record holds it already (nothing is to be written), when the set
/// has no such quality, or when the server was not read from the API (it has no uid and resourceVersion).
#[must_use]
pub fn decide(input: &Input<'_>) -> Option<Decision> {
    let quality = input.qualities.iter().find(|quality| quality.name == input.quality)?;
    let (uid, version) =
        (input.server.metadata.uid.as_ref()?, input.server.metadata.resource_version.as_ref()?);
    let mut record = Record::of(input.server, input.pod_uid);
    record.keep_only(input.qualities);
    let mut held = record.qualities.remove(&quality.name).unwrap_or_default();
    let state_before = held.state;
    let (effect, owed, mut notices) = take_up(&mut held, quality, input)?;
    let flipped = held.state != state_before;

    let spec = &input.server.spec;
    let before = spec.ops_state.clone().unwrap_or_default();
    if let Some(named) = &effect.ops_state {
        held.opinion = (*named != OpsState::None).then(|| named.clone());
    }
    record.qualities.insert(quality.name.clone(), held);
    let mut after = before.clone();
    if effect.ops_state.is_some() {
        let held = |quality: &ServiceQuality| record.qualities.get(&quality.name)?.opinion.as_ref();
        let merged = merge(input.qualities.iter().filter_map(held), &before, record.wrote.as_ref());
        after = merged.ops_state;
        record.wrote = merged.wrote;
    } else if !is_ours(&before, record.wrote.as_ref()) {
        // Somebody has changed it. Said now, for the same value set by hand again must not pass for ours.
        record.wrote = None;
    }

    let mut changes = spec_changes(input.server, &effect);
    let mut containers = spec.containers.clone();
    if !input.owes_containers {
        record.settle(input.qualities, &mut containers);
        merge_containers(&mut containers, &effect.containers);
    } else if let Some(owed) = owed {
        record.owe(owed);
    }
    if containers != spec.containers {
        changes.insert("containers".to_owned(), json!(containers));
    }
    let ops_state = (before != after).then_some((before, after));
    if let Some((_, after)) = &ops_state {
        changes.insert("opsState".to_owned(), json!(after));
    }
    let mut annotations = annotation_changes(input.server, &effect, &mut notices);
    annotations.insert(names::VERDICTS.to_owned(), json!(record.text()?));
    // Who was to be removed on other grounds is not: one write, so that a commit on those fails (design §4, I3).
    let claim = Claim::any(input.server).filter(Claim::is_open);
    if claim.is_some_and(|claim| ops_state.is_some() || (flipped && claim.look.contains(&quality.name))) {
        annotations.insert(names::REMOVAL.to_owned(), Value::Null);
    }
    let mut metadata = Map::new();
    metadata.insert("uid".to_owned(), json!(uid));
    metadata.insert("resourceVersion".to_owned(), json!(version));
    metadata.insert("annotations".to_owned(), annotations.into());
    let labels = changed(&effect.labels, input.server.metadata.labels.as_ref());
    if !labels.is_empty() {
        metadata.insert("labels".to_owned(), labels.into());
    }
    let mut patch = Map::new();
    patch.insert("metadata".to_owned(), metadata.into());
    if !changes.is_empty() {
        patch.insert("spec".to_owned(), changes.into());
    }
    Some(Decision { patch: patch.into(), ops_state, notices })
}

/// Writes the verdict into what is held of its quality; gives what it fires, and the note of it if that sets containers.
/// `None` when it is held already.
fn take_up(
    held: &mut Held,
    quality: &ServiceQuality,
    input: &Input<'_>,
) -> Option<(Effect, Option<Owed>, Vec<Notice>)> {
    let now = truncated(input.now);
    let status = held.status();
    let mut notices = Vec::new();
    let mut effect = Effect::default();
    let mut owed = None;
    match answer(input.verdict) {
        Err(why) => {
            if held.unknown {
                return None;
            }
            held.unknown = true;
            let message = format!(
                "quality {} cannot be asked: {}; its last answer stays in force",
                quality.name,
                quoted(why)
            );
            notices.push(Notice::new(reason::QUALITY_UNKNOWN, message));
        }
        Ok((state, result)) => {
            let hash = result_hash(result);
            let change = match held.state {
                Some(before) if before == state && held.hash == hash => None,
                Some(before) if before == state => Some(Change::Result),
                _ => Some(Change::State),
            };
            if change.is_none() && !held.unknown {
                return None;
            }
            held.state = Some(state);
            held.hash = hash;
            held.unknown = false;
            if let Some(change) = change.filter(|_| !(quality.permanent && held.fired)) {
                effect = resolve(quality, state, result, change);
                notices.append(&mut effect.notices);
                owed =
                    (!effect.containers.is_empty()).then(|| Owed::new(&quality.name, state, result, change));
            }
            if effect.fired {
                held.fired = true;
                held.action = Some(now);
            }
        }
    }
    held.changed = Some(now);
    if held.status() != status {
        held.transition = Some(now);
    }
    Some((effect, owed, notices))
}

/// The state and the result of a verdict, or why it has none.
fn answer(verdict: &Verdict) -> Result<(bool, &str), &str> {
    match verdict {
        Verdict::True { result } => Ok((true, result)),
        Verdict::False { result } => Ok((false, result)),
        Verdict::Unknown { reason } => Err(reason),
    }
}

/// The fields of the spec that change, opsState and containers apart.
fn spec_changes(server: &GameServer, effect: &Effect) -> Map<String, Value> {
    let spec = &server.spec;
    let mut changes = Map::new();
    let mut priority = |field: &str, value: Option<i32>, current: &Option<IntOrString>| {
        if let Some(value) = value
            && *current != Some(IntOrString::Int(value))
        {
            changes.insert(field.to_owned(), json!(value));
        }
    };
    priority("updatePriority", effect.update_priority, &spec.update_priority);
    priority("deletionPriority", effect.deletion_priority, &spec.deletion_priority);
    if let Some(disabled) = effect.network_disabled
        && spec.network_disabled != Some(disabled)
    {
        changes.insert("networkDisabled".to_owned(), json!(disabled));
    }
    changes
}

/// The entries of `wanted` that differ from `current`.
fn changed<'a>(
    wanted: impl IntoIterator<Item = (&'a String, &'a String)>,
    current: Option<&std::collections::BTreeMap<String, String>>,
) -> Map<String, Value> {
    wanted
        .into_iter()
        .filter(|(key, value)| current.and_then(|all| all.get(*key)) != Some(*value))
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect()
}

/// The annotations that change. One too many for what an object may hold is skipped: it would take the
/// whole write with it.
fn annotation_changes(server: &GameServer, effect: &Effect, notices: &mut Vec<Notice>) -> Map<String, Value> {
    let current = server.metadata.annotations.as_ref();
    let mut changes = changed(&effect.annotations, current);
    let kept = current.into_iter().flatten().filter(|(key, _)| !changes.contains_key(*key));
    let mut size: usize =
        kept.filter(|(key, _)| *key != names::VERDICTS).map(|(key, value)| key.len() + value.len()).sum();
    changes.retain(|key, value| {
        let more = key.len() + value.as_str().map_or(0, str::len);
        let fits = size + more <= ANNOTATION_BUDGET;
        if fits {
            size += more;
        } else {
            let message =
                format!("annotation {key:?}: the server's annotations would be too large; it is skipped");
            notices.push(Notice::new(reason::INVALID_ANNOTATION, message));
        }
        fits
    });
    changes
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
