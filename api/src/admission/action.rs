//! What a quality's answers do: whether each answer has an action, whether two contradict each other, and whether
//! what they write can be written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    containers::Containers,
    field::{Field, quoted, shown},
    finding::{About, Report},
    name::{each_once, key_of, value_of},
    near::{listed, nearest},
    shape::check_resources,
    template::MOST_CONTAINERS,
    way::Way,
};
use crate::{
    quality::{is_reserved, label_value_problem},
    template::{Template, is_template},
    types::OpsState,
};

/// Fields of an action that set something, and hold one value.
const SETS: [&str; 4] = ["opsState", "updatePriority", "deletionPriority", "networkDisabled"];

/// Actions of a quality, as the definition has it.
pub(super) const MOST: usize = 256;

/// All actions of a quality.
pub(super) fn check_all<'a>(quality: &Field<'_, 'a>, containers: &Containers<'a>, report: &mut Report) {
    let actions = quality.get("serviceQualityAction");
    let items: Vec<_> = actions.items_at_most(MOST, report).collect();
    for action in &items {
        check(action, report);
        for container in action.get("containers").items().take(MOST_CONTAINERS) {
            containers.has_effect(&container.get("name"), report);
        }
    }
    contradictions(&items, report);
    coverage(quality, &actions, &items, report);
}

fn check(action: &Field<'_, '_>, report: &mut Report) {
    let state = action.get("state");
    if state.boolean(report).is_none() && !state.is_set() {
        report.refuse(&state, "missing; write the answer that it is for: true or false");
    }
    action.get("networkDisabled").boolean(report);
    action.get("result").text(report);
    overrides(&action.get("containers"), report);
    let state = action.get("opsState");
    if judged_template(&state, report).is_none() {
        ops_state(&state, report);
    }
    for priority in ["updatePriority", "deletionPriority"].map(|key| action.get(key)) {
        if judged_template(&priority, report).is_none() {
            whole_number(&priority, "write one, as 10, or a template, as \"{{.Result}}\"", report);
        }
    }
    for (map, is_label) in [("labels", true), ("annotations", false)] {
        pairs(&action.get(map), is_label, report);
    }
}

/// What a GameServer, or an action, says of containers: each once, with resources that are some.
pub(super) fn overrides(containers: &Field<'_, '_>, report: &mut Report) {
    let containers: Vec<_> = containers.items_at_most(MOST_CONTAINERS, report).collect();
    each_once(containers.iter().copied(), report);
    for container in containers {
        container.get("image").text(report);
        check_resources(&container.get("resources"), report);
    }
}

/// A literal state: one that is misspelt does nothing, and one that cannot be a label of the pod is left out there.
pub(super) fn ops_state(field: &Field<'_, '_>, report: &mut Report) {
    let known = OpsState::KNOWN.each_ref().map(OpsState::as_str);
    let Some(text) = field.text(report).filter(|text| !known.contains(text)) else { return };
    if let Some(meant) = nearest(text.trim(), known) {
        report.warn(About::State, field, format!("{} is unknown; did you mean {meant:?}?", quoted(text)));
    } else if let Some(problem) = label_value_problem(text) {
        report.warn(
            About::Blemish,
            field,
            format!("{} cannot be a label of the pod: {problem}; better write one word", quoted(text)),
        );
    }
}

/// A whole number, as number or as text.
pub(super) fn whole_number(field: &Field<'_, '_>, instead: &str, report: &mut Report) {
    let fine = match field.value {
        Value::Null => true,
        Value::Number(number) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Value::String(text) => text.parse::<i32>().is_ok(),
        _ => false,
    };
    if !fine {
        report.refuse(field, format!("{} is no whole number; {instead}", shown(field.value)));
    }
}

/// The text of a template, if the field holds one; it has been judged then.
fn judged_template<'a>(field: &Field<'_, 'a>, report: &mut Report) -> Option<&'a str> {
    let text = field.value.as_str().filter(|text| is_template(text))?;
    if let Err(error) = Template::parse(text) {
        report.refuse(field, format!("{} is no template: {error}", quoted(text)));
    }
    Some(text)
}

fn pairs(map: &Field<'_, '_>, is_label: bool, report: &mut Report) {
    map.expect_map(report);
    let what = if is_label { "label" } else { "annotation" };
    for (key, field) in map.entries() {
        if is_reserved(key) {
            report.refuse(
                &field,
                format!(
                    "{what} {} is written by Gamewarden itself; write one with another prefix, or opsState, \
                     updatePriority, deletionPriority or networkDisabled to set those",
                    quoted(key)
                ),
            );
        } else {
            key_of(what, key, &field, report);
        }
        if judged_template(&field, report).is_none() {
            value_of(is_label, &field, report);
        }
    }
}

/// Two actions for the same answer that set one field differently: the later one wins, and the earlier one is not
/// what its author thinks.
fn contradictions(actions: &[Field<'_, '_>], report: &mut Report) {
    let mut by_answer: Vec<_> = actions.iter().filter(|action| answer(action).is_some()).collect();
    by_answer.sort_by_key(|action| answer(action));
    for same in by_answer.chunk_by(|one, other| answer(one) == answer(other)) {
        if let ([_, _, ..], Some(answer)) = (same, same.first().and_then(|action| answer(action))) {
            contradictions_of(same, answer, report);
        }
    }
}

/// What an action is for: the state, and the result, which is empty where any is meant.
fn answer<'a>(action: &Field<'_, 'a>) -> Option<(bool, &'a str)> {
    Some((action.peek("state").as_bool()?, action.peek("result").as_str().unwrap_or_default()))
}

/// Of actions for the same answer.
fn contradictions_of(actions: &[&Field<'_, '_>], (state, result): (bool, &str), report: &mut Report) {
    // Which field, or which key of which map, has been set to what, and by which action.
    let mut said: BTreeMap<(&str, &str), (&Value, Way<'_>)> = BTreeMap::new();
    for action in actions {
        let maps = ["labels", "annotations"].map(|map| (map, action.get(map)));
        let pairs = maps.iter().flat_map(|(map, of)| of.entries().map(|(key, field)| ((*map, key), field)));
        let fields = SETS.iter().map(|name| ((*name, ""), action.get(name)));
        for (name, field) in fields.filter(|(_, field)| field.is_set()).chain(pairs) {
            let (before, way) = said.entry(name).or_insert((field.value, action.way));
            if *before != field.value {
                let answer = if result.is_empty() {
                    state.to_string()
                } else {
                    format!("{state} with {}", quoted(result))
                };
                report.refuse(
                    &field,
                    format!(
                        "{} contradicts {way}, which is {} for the same answer ({answer}); leave one of them",
                        shown(field.value),
                        shown(before)
                    ),
                );
            }
        }
    }
}

/// A state that is set and never taken back. `None` is nothing that would have to be.
fn coverage(quality: &Field<'_, '_>, list: &Field<'_, '_>, actions: &[Field<'_, '_>], report: &mut Report) {
    if list.is_empty_list() {
        report.warn(About::Effect, list, "no actions, the answer changes nothing; write what it means");
    }
    if quality.get("permanent").boolean(report) == Some(true) || actions.is_empty() {
        return;
    }
    let answers: Vec<(bool, &str)> = actions
        .iter()
        .filter_map(|action| {
            let state = action.peek("state").as_bool()?;
            Some((state, action.peek("opsState").as_str().unwrap_or_default()))
        })
        .collect();
    // An answer that cannot be read is refused where it stands.
    if answers.len() < actions.len() {
        return;
    }
    for (state, other) in [(true, false), (false, true)] {
        let of = |wanted: bool| answers.iter().filter(move |(of, _)| *of == wanted).map(|(_, text)| *text);
        let is_literal = |text: &&str| !["", "None"].contains(text) && !is_template(text);
        let literal = of(state).find(is_literal);
        match (literal, of(other).next()) {
            (Some(literal), None) => report.refuse(
                list,
                format!(
                    "sets opsState {} when the answer is {state} and has no action for {other}: a server would stay \
                     {} for ever; add {{state: {other}, opsState: None}}, or permanent: true if that is meant",
                    quoted(literal),
                    listed(&[literal])
                ),
            ),
            (Some(literal), Some(_)) if of(other).all(str::is_empty) => report.warn(
                About::State,
                list,
                format!("no opsState for {other}: it stays {} for ever; add opsState: None", listed(&[literal])),
            ),
            (None, None) => report.warn(
                About::Effect,
                list,
                format!("none for {other}: what {state} sets stays; add one, or permanent: true"),
            ),
            _ => {}
        }
    }
}
