//! Which actions a verdict fires, and what they set (design §3.3, §3.6, §3.8).

use std::collections::BTreeMap;

use super::{Notice, is_reserved, key_problem, label_value_problem};
use crate::{
    event::quoted,
    names::reason,
    template::Template,
    types::{GameServerContainer, IntOrString, OpsState, ServiceQuality, ServiceQualityAction},
};

/// What is new about a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The state, or it is the first one.
    State,
    /// Only the result.
    Result,
}

/// What the actions that fire set, later ones over earlier ones. What is `None` or missing is not touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Effect {
    /// Whether any action fires.
    pub(super) fired: bool,
    /// The opsState named.
    pub(super) ops_state: Option<OpsState>,
    /// The update priority named.
    pub(super) update_priority: Option<i32>,
    /// The deletion priority named.
    pub(super) deletion_priority: Option<i32>,
    /// Whether to cut the server off from its network.
    pub(super) network_disabled: Option<bool>,
    /// Container overrides, one per name.
    pub(super) containers: Vec<GameServerContainer>,
    /// Labels.
    pub(super) labels: BTreeMap<String, String>,
    /// Annotations.
    pub(super) annotations: BTreeMap<String, String>,
    /// What could not be set, and why.
    pub(super) notices: Vec<Notice>,
}

/// The effect of a new verdict of `quality`: every action whose `state` matches and whose `result` is empty
/// or equal, in order. A change of the result alone fires only those that name a result or use it.
pub(super) fn resolve(quality: &ServiceQuality, state: bool, result: &str, change: Change) -> Effect {
    let mut effect = Effect::default();
    for action in firing(quality, state, &|wanted| wanted == result, change) {
        effect.fired = true;
        effect.add(&quality.name, action, result);
    }
    effect
}

/// The containers that it sets, for whoever can only tell whether a result is the one it was.
pub(super) fn containers_of(
    quality: &ServiceQuality,
    state: bool,
    is_result: &dyn Fn(&str) -> bool,
    change: Change,
) -> Vec<GameServerContainer> {
    let mut containers = Vec::new();
    for action in firing(quality, state, is_result, change) {
        merge_containers(&mut containers, &action.containers);
    }
    containers
}

/// The actions that fire.
fn firing<'a>(
    quality: &'a ServiceQuality,
    state: bool,
    is_result: &'a dyn Fn(&str) -> bool,
    change: Change,
) -> impl Iterator<Item = &'a ServiceQualityAction> {
    quality.service_quality_action.iter().filter(move |action| {
        let wanted = action.result.as_deref().unwrap_or_default();
        let matches = action.state == state && (wanted.is_empty() || is_result(wanted));
        matches && (change == Change::State || !wanted.is_empty() || uses_result(action))
    })
}

/// Whether a value of the action depends on the result. One that does not parse does not.
fn uses_result(action: &ServiceQualityAction) -> bool {
    let text = |priority: &Option<IntOrString>| match priority {
        Some(IntOrString::String(text)) => Some(text.clone()),
        _ => None,
    };
    let own = [
        action.ops_state.as_ref().map(|state| state.as_str().to_owned()),
        text(&action.update_priority),
        text(&action.deletion_priority),
    ];
    let own = own.iter().flatten();
    own.chain(action.labels.values())
        .chain(action.annotations.values())
        .any(|text| Template::parse(text).is_ok_and(|template| template.uses_result()))
}

impl Effect {
    fn add(&mut self, quality: &str, action: &ServiceQualityAction, result: &str) {
        let values = Values { quality, result };
        if let Some(state) = &action.ops_state {
            self.add_ops_state(&values, state);
        }
        if let Some(priority) = &action.update_priority {
            match values.priority("updatePriority", priority) {
                Ok(value) => self.update_priority = Some(value),
                Err(why) => self.notices.push(Notice::new(reason::INVALID_UPDATE_PRIORITY, why)),
            }
        }
        if let Some(priority) = &action.deletion_priority {
            match values.priority("deletionPriority", priority) {
                Ok(value) => self.deletion_priority = Some(value),
                Err(why) => self.notices.push(Notice::new(reason::INVALID_DELETION_PRIORITY, why)),
            }
        }
        self.network_disabled = action.network_disabled.or(self.network_disabled);
        merge_containers(&mut self.containers, &action.containers);
        for (key, value) in &action.labels {
            match values.entry("label", key, value, label_value_problem) {
                Ok(value) => _ = self.labels.insert(key.clone(), value),
                Err(why) => self.notices.push(why.into_notice(reason::INVALID_LABEL)),
            }
        }
        for (key, value) in &action.annotations {
            match values.entry("annotation", key, value, |_| None) {
                Ok(value) => _ = self.annotations.insert(key.clone(), value),
                Err(why) => self.notices.push(why.into_notice(reason::INVALID_ANNOTATION)),
            }
        }
    }

    /// The pod shows the opsState as a label, so that it has to be fit for one.
    fn add_ops_state(&mut self, values: &Values<'_>, state: &OpsState) {
        let rendered = values.render(state.as_str()).and_then(|text| {
            let text = text.trim();
            match label_value_problem(text) {
                None => Ok(OpsState::from(text)),
                Some(problem) => Err(format!("it comes out as {:?}: {problem}", quoted(text))),
            }
        });
        match rendered {
            Ok(state) => self.ops_state = Some(state),
            Err(problem) => self.notices.push(Notice::new(
                reason::INVALID_OPS_STATE,
                values.say(
                    &format!("opsState {:?}", quoted(state.as_str())),
                    &problem,
                    "the old value stays",
                ),
            )),
        }
    }
}

/// Puts `changes` over `containers`, by name and field.
pub(super) fn merge_containers(containers: &mut Vec<GameServerContainer>, changes: &[GameServerContainer]) {
    for change in changes {
        match containers.iter_mut().find(|container| container.name == change.name) {
            Some(container) => {
                if change.image.is_some() {
                    container.image.clone_from(&change.image);
                }
                if change.resources.is_some() {
                    container.resources.clone_from(&change.resources);
                }
            }
            None => containers.push(change.clone()),
        }
    }
}

/// Why a label or an annotation is skipped.
enum Skipped {
    Reserved(String),
    Invalid(String),
}

impl Skipped {
    fn into_notice(self, invalid: &'static str) -> Notice {
        match self {
            Self::Reserved(why) => Notice::new(reason::RESERVED_KEY, why),
            Self::Invalid(why) => Notice::new(invalid, why),
        }
    }
}

/// Renders the values of one quality's actions for one result.
struct Values<'a> {
    quality: &'a str,
    result: &'a str,
}

impl Values<'_> {
    fn render(&self, text: &str) -> Result<String, String> {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        template.render(self.result).map_err(|error| error.to_string())
    }

    fn priority(&self, field: &str, priority: &IntOrString) -> Result<i32, String> {
        let text = match priority {
            IntOrString::Int(value) => return Ok(*value),
            IntOrString::String(text) => text,
        };
        let value = self.render(text).and_then(|rendered| {
            let problem = || format!("it comes out as {:?}, which is not an integer", quoted(&rendered));
            rendered.trim().parse().map_err(|_| problem())
        });
        value.map_err(|problem| {
            self.say(&format!("{field} {:?}", quoted(text)), &problem, "the old value stays")
        })
    }

    fn entry(
        &self,
        kind: &str,
        key: &str,
        value: &str,
        problem: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<String, Skipped> {
        let what = format!("{kind} {:?}", quoted(key));
        if is_reserved(key) {
            let why = "its key belongs to the system, actions may not touch it";
            return Err(Skipped::Reserved(self.say(&what, why, "it is skipped")));
        }
        let rendered = match key_problem(key) {
            Some(problem) => Err(format!("the key is invalid: {problem}")),
            None => self.render(value),
        };
        let value = rendered.and_then(|value| match problem(&value) {
            None => Ok(value),
            Some(problem) => Err(format!("it comes out as {:?}: {problem}", quoted(&value))),
        });
        value.map_err(|problem| Skipped::Invalid(self.say(&what, &problem, "it is skipped")))
    }

    fn say(&self, what: &str, problem: &str, consequence: &str) -> String {
        format!("quality {}, {what}: {problem}; {consequence}", self.quality)
    }
}

#[cfg(test)]
#[path = "action_tests.rs"]
mod tests;
