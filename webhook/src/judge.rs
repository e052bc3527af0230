//! From a request to its answer: which rules it is held against. Pure.
//!
//! The schema and the CEL rules of the definitions speak between mutating and validating webhooks, and tersely. So
//! `/mutate` judges in full, and refuses with the whole list before they do; `/validate` judges once more what other
//! mutating webhooks have made of it, and says nothing else.

use std::cell::OnceCell;

use gamewarden_api::admission::{Judgement, Settings, judge_server, judge_set, set_defaults};
use json_patch::Patch;
use serde_json::{Value, value::RawValue};

use crate::{
    answer::Answer,
    review::{Operation, Request},
};

/// The group of the objects that there are rules for.
pub(crate) const GROUP: &str = "game.kruise.io";

/// Which webhook is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// May change the object.
    Mutate,
    /// Sees it as it will be stored.
    Validate,
}

/// What there are rules for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Set,
    Server,
}

/// Answers a request.
#[must_use]
pub fn answer(request: &Request<'_>, phase: Phase, settings: &Settings) -> Answer {
    answer_of(request, || request.object.map(read), phase, settings)
}

/// The same, for an object that has been read.
#[must_use]
pub fn answer_with_object(
    request: &Request<'_>,
    object: Option<Value>,
    phase: Phase,
    settings: &Settings,
) -> Answer {
    answer_of(request, || object.map(Ok), phase, settings)
}

fn answer_of(
    request: &Request<'_>,
    object: impl FnOnce() -> Option<Result<Value, serde_json::Error>>,
    phase: Phase,
    settings: &Settings,
) -> Answer {
    let written = matches!(request.operation, Operation::Create | Operation::Update);
    let Some(subject) = subject(request).filter(|_| written) else { return Answer::allow(request) };
    let mut object = match object() {
        Some(Ok(object)) => object,
        Some(Err(error)) => return Answer::bad(request, format!("object cannot be read: {error}")),
        None => return Answer::bad(request, "request has no object".to_owned()),
    };
    // One that cannot be read has nothing that its change could keep.
    let read_old = || request.old_object.and_then(|old| read(old).ok()).filter(|old| !old.is_null());
    let old = OnceCell::new();
    let old = || old.get_or_init(read_old).as_ref();
    // What is filled in is judged with the rest, as /validate will see it.
    let mut defaults = Patch::default();
    if (phase, subject) == (Phase::Mutate, Subject::Set) {
        defaults = set_defaults(&mut object, old());
    }
    let Judgement { refused, warnings } = match subject {
        Subject::Set => judge_set(&object, old, settings),
        Subject::Server => judge_server(&object, old),
    };
    let answer = if refused.is_empty() {
        Answer::allow(request).patching(&defaults)
    } else {
        Answer::invalid(request, &refused)
    };
    match phase {
        Phase::Validate => answer,
        Phase::Mutate => answer.warning(&warnings),
    }
}

fn subject(request: &Request<'_>) -> Option<Subject> {
    if request.resource.group != GROUP || !request.sub_resource.is_empty() {
        return None;
    }
    match &*request.resource.resource {
        "gameserversets" => Some(Subject::Set),
        "gameservers" => Some(Subject::Server),
        _ => None,
    }
}

fn read(raw: &RawValue) -> Result<Value, serde_json::Error> {
    serde_json::from_str(raw.get())
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
