//! A protection that is harder than it was meant.

use super::{
    action,
    field::Field,
    finding::{About, Report},
};
use crate::{
    names,
    removal::{Protection, is_free},
    template::is_template,
    types::OpsState,
};

/// Warns of a set whose servers may only go when they are free, where none of its qualities ever says that one is. (A set
/// without qualities has a matchmaker, or people.)
pub(super) fn check(metadata: &Field<'_, '_>, qualities: &Field<'_, '_>, report: &mut Report) {
    let annotations = metadata.get("annotations");
    let Some((_, annotation)) = annotations.entries().find(|(key, _)| *key == names::PROTECTION) else {
        return;
    };
    let strict = annotation.value.as_str().and_then(Protection::parse) == Some(Protection::Strict);
    let mut qualities = qualities.items().take(super::quality::MOST).peekable();
    if strict && qualities.peek().is_some() && !qualities.any(|quality| frees(&quality)) {
        report.warn(
            About::Effect,
            &annotation,
            "no quality says WaitToBeDeleted: somebody has to, or nobody goes",
        );
    }
}

/// Whether one of its actions may name a state in which servers go.
fn frees(quality: &Field<'_, '_>) -> bool {
    quality.get("serviceQualityAction").items().take(action::MOST).any(|action| {
        let state = action.peek("opsState").as_str().unwrap_or_default();
        is_template(state) || is_free(&OpsState::from(state))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(protection: &str, states: &[&str]) -> Vec<String> {
        let actions: Vec<Value> = states.iter().map(|state| json!({"opsState": state})).collect();
        let qualities = match states {
            [] => json!([]),
            _ => json!([{"name": "one"}, {"name": "two", "serviceQualityAction": actions}]),
        };
        let set =
            json!({"metadata": {"annotations": {names::PROTECTION: protection}}, "qualities": qualities});
        let mut report = Report::default();
        let root = Field::root(&set);
        check(&root.get("metadata"), &root.get("qualities"), &mut report);
        report.into_findings().iter().map(crate::admission::Finding::warning).collect()
    }

    #[test]
    fn a_strict_set_whose_qualities_free_nobody_is_told() {
        for (protection, states) in [
            ("Strict", &[][..]),
            ("Strict", &["None", "WaitToBeDeleted"]),
            ("Strict", &["Kill"]),
            ("Strict", &["{{.Result}}"]),
            ("Prefer", &["Maintaining"]),
        ] {
            assert_eq!(said(protection, states), [""; 0], "{protection} {states:?}");
        }
        assert_eq!(
            said("Strict", &["Maintaining", "None"]),
            [
                "metadata.annotations[gamewarden.dev/protection]: no quality says WaitToBeDeleted: somebody has to, or nobody goes"
            ]
        );
    }
}
