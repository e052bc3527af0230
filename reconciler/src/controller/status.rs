//! The status of a set, its conditions, and what is said of those that begin.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use gamewarden_api::{
    GameServerSet,
    event::Involved,
    set::trouble::{Trouble, beginnings, conditions, endings},
    types::GameServerSetStatus,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde_json::json;

use super::Context;
use crate::write::WriteError;

/// Conditions of sets whose API server does not keep them: OpenKruiseGame's CRDs know none. There, events alone tell;
/// that each is told once, and the status not written for ever, is remembered here.
#[derive(Debug, Default)]
pub(super) struct Unkept(Mutex<HashMap<String, Vec<Condition>>>);

impl Unkept {
    fn get(&self, uid: &str) -> Option<Vec<Condition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned()
    }

    /// The set with the conditions that it would have, had they been kept.
    pub(super) fn put_back<'a>(&self, set: &'a GameServerSet) -> Cow<'a, GameServerSet> {
        let Some(conditions) = self.get(set.metadata.uid.as_deref().unwrap_or_default()) else {
            return Cow::Borrowed(set);
        };
        let mut set = set.clone();
        set.status.get_or_insert_default().conditions = conditions;
        Cow::Owned(set)
    }

    /// Notes what was written and what was kept of it.
    fn wrote(&self, uid: &str, written: &[Condition], kept: &[Condition]) {
        let mut unkept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < written.len() {
            unkept.insert(uid.to_owned(), written.to_vec());
        } else {
            unkept.remove(uid);
        }
    }

    /// Forgets a set that is gone.
    fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

/// Writes the status where it differs, once a second at most; returns how long to wait for the next turn.
/// What begins is said when it is written: until then it may be found at another time by somebody else.
pub(super) async fn write(
    set: &Arc<GameServerSet>,
    new: Option<GameServerSetStatus>,
    troubles: &[Trouble],
    context: &Context,
) -> Result<Option<Duration>, WriteError> {
    let uid = set.metadata.uid.as_deref().unwrap_or_default();
    if set.metadata.deletion_timestamp.is_some() {
        context.unkept.forget(uid);
        return Ok(None);
    }
    let Some(mut new) = new else { return Ok(None) };
    let now = Timestamp::now();
    let mut old = set.status.clone();
    if let (Some(old), Some(remembered)) = (&mut old, context.unkept.get(uid)) {
        old.conditions = remembered;
    }
    let before = old.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    new.conditions = conditions(before, troubles, set.metadata.generation, now);
    if old.as_ref() != Some(&new) {
        if let Err(wait) = context.status_writes.turn(uid, Instant::now()) {
            return Ok(Some(wait));
        }
        let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
        let patch = json!({"metadata": {"uid": uid}, "status": as_patch(&new)});
        match context.writer.patch_set_status(&namespace, &name, &patch).await {
            Ok(written) => {
                let kept = written.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
                context.unkept.wrote(uid, &new.conditions, kept);
                context.fresh.wrote(set, Arc::new(written));
            }
            Err(error) if error.is_not_found() => {
                context.unkept.forget(uid);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    let involved = Involved::of(&**set);
    for said in beginnings(&new.conditions, now).into_iter().chain(endings(before, &new.conditions)) {
        context.say_of(&said.event, &said.identity, &involved).await;
    }
    Ok(None)
}

/// In a merge patch what is left out stays; the last condition goes only by an empty list.
fn as_patch(status: &GameServerSetStatus) -> serde_json::Value {
    let mut patch = json!(status);
    patch["conditions"] = json!(status.conditions);
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_condition_is_taken_away_by_an_empty_list() {
        assert_eq!(as_patch(&GameServerSetStatus::default())["conditions"], json!([]));
    }
}
