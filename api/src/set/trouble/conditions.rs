//! Troubles → `status.conditions`, and what is said of those that begin.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Kind, Trouble};
use crate::{
    event::{Event, EventType},
    names::reason,
    time::truncated,
};

/// For how long the beginning of a trouble is news. A controller that ended between writing the condition and saying
/// it has this long to be replaced; later a new one says nothing that was said long ago, and that the API server may
/// have forgotten.
const NEWS: SignedDuration = SignedDuration::from_mins(10);

/// The conditions as they should be. `old`: those that the set has; those of others stay, in their places.
///
/// Nothing changes in one whose trouble has not changed: lastTransitionTime stays while it lasts, and the words that
/// were quoted first stay as long as they are quoted about the same servers and the same spec, for those of kubelet
/// and scheduler change with every try.
#[must_use]
pub fn conditions(
    old: &[Condition],
    troubles: &[Trouble],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let mut wanted = merged(troubles);
    let mut conditions = Vec::new();
    for before in old {
        let Some(kind) = Kind::of_type(&before.type_) else {
            conditions.push(before.clone());
            continue;
        };
        if let Some(index) = wanted.iter().position(|t| t.kind == kind) {
            conditions.push(condition(&wanted.remove(index), Some(before), generation, now));
        }
    }
    conditions.extend(wanted.iter().map(|trouble| condition(trouble, None, generation, now)));
    conditions
}

/// One trouble of each kind, in the order of kinds: the first one speaks, the servers of the others are named with it.
fn merged(troubles: &[Trouble]) -> Vec<Trouble> {
    let mut merged: Vec<Trouble> = Vec::new();
    for trouble in troubles {
        match merged.iter_mut().find(|t| t.kind == trouble.kind) {
            Some(first) => {
                let new = trouble.servers.iter().filter(|s| !first.servers.contains(s)).cloned();
                let new: Vec<String> = new.collect();
                first.servers.extend(new);
            }
            None => merged.push(trouble.clone()),
        }
    }
    merged.sort_by_key(|trouble| trouble.kind);
    merged
}

fn condition(
    trouble: &Trouble,
    before: Option<&Condition>,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let before = before.filter(|c| c.status == "True");
    let since = before.map_or_else(|| Time(truncated(now)), |c| c.last_transition_time.clone());
    let headline = trouble.headline();
    let same = before.filter(|c| {
        let rest = c.message.strip_prefix(&headline);
        c.reason == trouble.reason
            && c.observed_generation == generation
            && rest.is_some_and(|rest| rest.starts_with([':', ';']))
    });
    Condition {
        type_: trouble.kind.condition_type().to_owned(),
        status: "True".to_owned(),
        reason: trouble.reason.to_owned(),
        message: same.map_or_else(|| trouble.message(), |c| c.message.clone()),
        last_transition_time: since,
        observed_generation: generation,
    }
}

/// A trouble that has begun a short while ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The event that says so.
    pub event: Event,
    /// What names the event: the same for the same trouble, whatever its words; another when it comes again.
    pub identity: String,
}

/// What is to be said of conditions that have been taken away: that a scale-down which waited goes on, which is how those
/// learn of it who asked for it through an autoscaler.
#[must_use]
pub fn endings(before: &[Condition], after: &[Condition]) -> Vec<Beginning> {
    let pending = Kind::ScaleDownPending.condition_type();
    let waits = |conditions: &[Condition]| {
        conditions.iter().find(|c| c.type_ == pending && c.status == "True").map(|c| c.last_transition_time.0)
    };
    let Some(since) = waits(before).filter(|_| waits(after).is_none()) else { return Vec::new() };
    vec![Beginning {
        identity: format!("{} {since}", reason::SCALE_DOWN_RESUMED),
        event: Event {
            type_: EventType::Normal,
            reason: reason::SCALE_DOWN_RESUMED.to_owned(),
            message: format!("no server holds the scale-down back any more; it waited since {since}"),
            occurrence: since.to_string(),
        },
    }]
}

/// What is to be said of conditions *as they have been written*. It is the same at every look, so that a controller
/// that ended before it said it is followed by one that does, and one that did by one that writes nothing.
#[must_use]
pub fn beginnings(written: &[Condition], now: Timestamp) -> Vec<Beginning> {
    let news = written.iter().filter_map(|condition| {
        let kind = Kind::of_type(&condition.type_).filter(|_| condition.status == "True")?;
        let since = condition.last_transition_time.0;
        (now.duration_since(since) < NEWS).then(|| Beginning {
            identity: format!("{} {} {since}", condition.type_, condition.reason),
            event: Event {
                type_: EventType::Warning,
                reason: kind.event_reason().to_owned(),
                message: condition.message.clone(),
                occurrence: since.to_string(),
            },
        })
    });
    news.collect()
}
