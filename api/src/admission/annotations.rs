//! Annotations of ours on what people write: one that is misspelt, or stands where nobody reads it, does nothing.

use super::{
    field::{Field, quoted},
    finding::{About, Report},
    near::{nearest, one_of},
};
use crate::{names, removal::Protection};

/// Keys that are looked at on a set, and those that we write there.
pub(super) const ON_SETS: [&str; 4] =
    [names::PROTECTION, names::ALLOW_REMOVAL, names::ORDINALS, names::LOWERED];
/// The same on a GameServer.
pub(super) const ON_SERVERS: [&str; 3] = [names::ALLOW_REMOVAL, names::REMOVAL, names::VERDICTS];
/// The same in a pod template.
pub(super) const ON_PODS: [&str; 1] = [names::INJECTED_CONTAINERS];

/// What people write themselves.
const WRITTEN: [&str; 2] = [names::PROTECTION, names::ALLOW_REMOVAL];

/// Looks at the annotations of an object on which these keys are read, and at labels that are meant to be some.
pub(super) fn check(metadata: &Field<'_, '_>, read: &[&str], report: &mut Report) {
    for (key, field) in metadata.get("annotations").entries() {
        match key {
            names::PROTECTION if read.contains(&key) && field.value == "" => {
                report.warn(About::Effect, &field, "empty: that is Prefer; write Strict, or take it off");
            }
            names::PROTECTION if read.contains(&key) => {
                one_of(&field, &Protection::ALL.map(|(name, _)| name), report);
            }
            names::ALLOW_REMOVAL
                if read.contains(&key) && field.value.as_str().is_some_and(|text| text != "true") =>
            {
                let text = field.value.as_str().unwrap_or_default();
                report.warn(
                    About::Effect,
                    &field,
                    format!("{} lets nothing be removed; write \"true\"", quoted(text)),
                );
            }
            known if read.contains(&known) => {}
            other if WRITTEN.contains(&other) || read == ON_PODS && meant(other).is_some() => {
                report.warn(About::Effect, &field, "no effect here: annotate the GameServerSet");
            }
            other => {
                if let Some(meant) = meant(other) {
                    report.warn(About::Effect, &field, format!("unknown; did you mean {meant:?}?"));
                } else if other.starts_with(names::OURS) {
                    report.warn(About::Unknown, &field, "unknown: it does nothing");
                }
            }
        }
    }
    for (key, field) in metadata.get("labels").entries() {
        if let Some(meant) = WRITTEN.into_iter().find(|known| *known == key).or_else(|| meant(key)) {
            report.warn(
                About::Effect,
                &field,
                format!("does nothing as a label; write the annotation {meant:?}"),
            );
        }
    }
}

/// The key that was meant, where it is nearly one: another prefix, or a name that is nearly the same.
fn meant(key: &str) -> Option<&'static str> {
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
    let ours = names::OURS.trim_end_matches('/');
    let may_be_ours = prefix.is_empty()
        || prefix == names::OKG.trim_end_matches('/')
        || ours.starts_with(prefix)
        || nearest(prefix, [ours]).is_some();
    let name_of = |known: &'static str| known.rsplit_once('/').map_or(known, |(_, name)| name);
    // Under a prefix that is nobody's, only the name itself: people have annotations of their own.
    let nearly = |known: &&'static str| match prefix == ours {
        true => nearest(name, [name_of(known)]).is_some(),
        false => name_of(known) == name,
    };
    WRITTEN.into_iter().filter(|known| may_be_ours && *known != key).find(nearly)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(metadata: &Value, read: &[&str]) -> Vec<String> {
        let mut report = Report::default();
        check(&Field::root(metadata), read, &mut report);
        report.into_findings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_meant_to_protect_and_does_not_is_told() {
        let is =
            |key: &str| format!("annotations[{key}]: unknown; did you mean \"gamewarden.dev/protection\"?");
        for (metadata, wanted) in [
            (json!({"annotations": {"gamewarden.dev/protection": "Strict"}}), None),
            (
                json!({"annotations": {"gamewarden.dev/protection": ""}}),
                Some(
                    "annotations[gamewarden.dev/protection]: empty: that is Prefer; write Strict, or take it off"
                        .to_owned(),
                ),
            ),
            (json!({"annotations": {"gamewarden.dev/ordinals": "0-2", "mine/x": "y", "replicas": "3"}}), None),
            (json!({"annotations": {"gamewarden.dev/protecton": "Strict"}}), Some(is("gamewarden.dev/protecton"))),
            (json!({"annotations": {"gamewarden.dev/protections": "Strict"}}), Some(is("gamewarden.dev/protections"))),
            (json!({"annotations": {"gamewarden.dev/Protection": "Strict"}}), Some(is("gamewarden.dev/Protection"))),
            (json!({"annotations": {"gamewarden/protection": "Strict"}}), Some(is("gamewarden/protection"))),
            (json!({"annotations": {"game.kruise.io/protection": "Strict"}}), Some(is("game.kruise.io/protection"))),
            (json!({"annotations": {"protection": "Strict"}}), Some(is("protection"))),
            (json!({"annotations": {"example.com/protection": "Strict"}}), None),
            (
                json!({"labels": {"gamewarden.dev/protection": "Strict"}}),
                Some(
                    "labels[gamewarden.dev/protection]: does nothing as a label; write the annotation \
                     \"gamewarden.dev/protection\""
                        .to_owned(),
                ),
            ),
            (
                json!({"annotations": {"gamewarden.dev/allow-removal": "yes"}}),
                Some(
                    "annotations[gamewarden.dev/allow-removal]: \"yes\" lets nothing be removed; write \"true\""
                        .to_owned(),
                ),
            ),
            (
                json!({"annotations": {"gamewarden.dev/fromTheFuture": "1"}}),
                Some("annotations[gamewarden.dev/fromTheFuture]: unknown: it does nothing".to_owned()),
            ),
        ] {
            assert_eq!(said(&metadata, &ON_SETS), Vec::from_iter(wanted), "{metadata}");
        }
        for (key, read) in [
            ("gamewarden.dev/protection", &ON_SERVERS[..]),
            ("gamewarden.dev/protection", &ON_PODS),
            ("gamewarden.dev/allow-removal", &ON_PODS),
            ("gamewarden.dev/protecton", &ON_PODS),
        ] {
            assert_eq!(
                said(&json!({"annotations": {key: "Strict"}}), read),
                [format!("annotations[{key}]: no effect here: annotate the GameServerSet")]
            );
        }
    }
}
