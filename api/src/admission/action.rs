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
pub(super) fn check_all<'a>(quality: &Field<'a>, containers: &Containers<'a>, report: &mut Report) {
    let actions = quality.get("serviceQualityAction");
    let items = actions.items_at_most(MOST, report);
    for action in &items {
        check(action, report);
        for container in action.get("containers").items().take(MOST_CONTAINERS) {
            containers.has_effect(&container.get("name"), report);
        }
    }
    contradictions(&items, report);
    coverage(quality, &actions, &items, report);
}

fn check(action: &Field<'_>, report: &mut Report) {
    if action.get("state").boolean(report).is_none() && !action.get("state").is_set() {
        report.refuse(&action.get("state"), "missing; write the answer that it is for: true or false");
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
pub(super) fn overrides(containers: &Field<'_>, report: &mut Report) {
    let containers = containers.items_at_most(MOST_CONTAINERS, report);
    each_once(containers.iter().cloned(), report);
    for container in containers {
        container.get("image").text(report);
        check_resources(&container.get("resources"), report);
    }
}

/// A literal state: one that is misspelt does nothing, and one that cannot be a label of the pod is left out there.
pub(super) fn ops_state(field: &Field<'_>, report: &mut Report) {
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
pub(super) fn whole_number(field: &Field<'_>, instead: &str, report: &mut Report) {
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
fn judged_template<'a>(field: &Field<'a>, report: &mut Report) -> Option<&'a str> {
    let text = field.value.as_str().filter(|text| is_template(text))?;
    if let Err(error) = Template::parse(text) {
        report.refuse(field, format!("{} is no template: {error}", quoted(text)));
    }
    Some(text)
}

fn pairs(map: &Field<'_>, is_label: bool, report: &mut Report) {
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

/// What the actions for one answer set, and which of them was the first to.
type Said<'a> = BTreeMap<String, (&'a Value, &'a str)>;

/// Two actions for the same answer that set one field differently: the later one wins, and the earlier one is not
/// what its author thinks.
fn contradictions(actions: &[Field<'_>], report: &mut Report) {
    // By answer first: a result may be long, and is looked up once for all that its action sets.
    let mut answers: BTreeMap<(bool, &str), Said<'_>> = BTreeMap::new();
    for action in actions {
        let Some(state) = action.get("state").value.as_bool() else { continue };
        let result = action.get("result").value.as_str().unwrap_or_default();
        let said = answers.entry((state, result)).or_default();
        let maps = ["labels", "annotations"].map(|key| action.get(key));
        let pairs = maps.iter().flat_map(|map| map.entries().map(|(_, field)| field));
        for field in SETS.map(|key| action.get(key)).into_iter().filter(Field::is_set).chain(pairs) {
            let name =
                field.path.strip_prefix(&action.path).unwrap_or_default().trim_start_matches('.').to_owned();
            match said.get(&name) {
                Some((before, path)) if *before != field.value => {
                    let answer = if result.is_empty() {
                        state.to_string()
                    } else {
                        format!("{state} with {}", quoted(result))
                    };
                    report.refuse(
                        &field,
                        format!(
                            "{} contradicts {path}, which is {} for the same answer ({answer}); leave one of them",
                            shown(field.value),
                            shown(before)
                        ),
                    );
                }
                Some(_) => {}
                None => {
                    said.insert(name, (field.value, &action.path));
                }
            }
        }
    }
}

/// A state that is set and never taken back. `None` is nothing that would have to be.
fn coverage(quality: &Field<'_>, list: &Field<'_>, actions: &[Field<'_>], report: &mut Report) {
    if list.is_empty_list() {
        report.warn(About::Effect, list, "no actions, the answer changes nothing; write what it means");
    }
    if quality.get("permanent").boolean(report) == Some(true) || actions.is_empty() {
        return;
    }
    let answers: Vec<(bool, &str)> = actions
        .iter()
        .filter_map(|action| {
            let state = action.get("state").value.as_bool()?;
            Some((state, action.get("opsState").value.as_str().unwrap_or_default()))
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
