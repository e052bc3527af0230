//! Which containers a quality may name: those of the template, its sidecars, and those that others put into the
//! pods.

use serde_json::Value;

use super::template::MOST_CONTAINERS;
use super::{
    field::{Field, quoted},
    finding::{About, Report},
    near::{listed, suggestion},
};
use crate::names;

/// The containers that can be probed.
#[derive(Debug, Default)]
pub(super) struct Containers<'a> {
    /// `containers`, with their place in the template.
    pub(super) own: Vec<(&'a str, &'a Value)>,
    /// Init containers that go on running.
    sidecars: Vec<(&'a str, &'a Value)>,
    /// Init containers that end before the server starts.
    ending: Vec<&'a str>,
    /// Named in the template's annotation.
    injected: Vec<&'a str>,
}

impl<'a> Containers<'a> {
    /// Of a GameServerTemplate.
    pub(super) fn of(template: &Field<'_, 'a>) -> Self {
        let spec = template.get("spec");
        let named = |field: &'static str| {
            let items = spec.peek(field).as_array().into_iter().flatten().take(MOST_CONTAINERS);
            items.filter_map(|item| Some((item.get("name")?.as_str()?, item))).collect::<Vec<_>>()
        };
        let goes_on =
            |container: &Value| container.get("restartPolicy").and_then(Value::as_str) == Some("Always");
        let (sidecars, ending): (Vec<_>, Vec<_>) =
            named("initContainers").into_iter().partition(|(_, container)| goes_on(container));
        let annotation =
            template.get("metadata").get("annotations").peek(names::INJECTED_CONTAINERS).as_str();
        let injected = annotation.into_iter().flat_map(|list| list.split(',')).map(str::trim);
        Self {
            own: named("containers"),
            sidecars,
            ending: ending.into_iter().map(|(name, _)| name).collect(),
            injected: injected.filter(|name| !name.is_empty()).collect(),
        }
    }

    fn choices(&self) -> Vec<&'a str> {
        let known = self.own.iter().chain(&self.sidecars).map(|(name, _)| *name);
        known.chain(self.injected.iter().copied()).collect()
    }

    /// Warns of an action's container that is in no pod, as far as is known here.
    pub(super) fn has_effect(&self, field: &Field<'_, '_>, report: &mut Report) {
        let choices = self.choices();
        let Some(name) = field.value.as_str().filter(|name| !choices.contains(name) && !self.own.is_empty())
        else {
            return;
        };
        let near = suggestion(name, choices.iter().copied(), report);
        report.warn(
            About::Effect,
            field,
            format!("{} is not in the template, no effect{near}", quoted(name)),
        );
    }

    /// The container that a quality means, as the template has it; `None` where it does not, or where a mistake has
    /// been refused.
    pub(super) fn meant(&self, quality: &Field<'_, 'a>, report: &mut Report) -> Option<&'a Value> {
        let field = quality.get("containerName");
        let name = field.text(report).unwrap_or_default();
        if self.own.is_empty() {
            // That the template has none is said there.
            return None;
        }
        if name.is_empty() {
            if let [(_, only)] = self.own.as_slice() {
                return Some(only);
            }
            let message = format!(
                "missing, and the template has several containers; write one of: {}",
                listed(&self.choices())
            );
            if !field.is_set() || field.value.is_string() {
                report.refuse(&field, message);
            }
            return None;
        }
        let found = self.own.iter().chain(&self.sidecars).find(|(own, _)| *own == name);
        if found.is_none() && !self.injected.contains(&name) {
            let choices = self.choices();
            let why = if self.ending.contains(&name) {
                format!(
                    "containerName {} is an init container that ends before the server starts (can be probed: {}); give \
                     it restartPolicy: Always, or name another",
                    quoted(name),
                    listed(&choices)
                )
            } else {
                let near = suggestion(name, choices.iter().copied(), report);
                let injected = if near.is_empty() {
                    format!(
                        "; one that others inject is named in the template's annotation {}",
                        names::INJECTED_CONTAINERS
                    )
                } else {
                    String::new()
                };
                format!(
                    "containerName {} is not a container of gameServerTemplate (has: {}){near}{injected}",
                    quoted(name),
                    listed(&choices),
                )
            };
            report.refuse(&field, why);
        }
        found.map(|(_, container)| *container)
    }
}
