//! The revision of a set's template: equal templates, equal revisions, in every process and build.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::types::GameServerSet;

/// Length of a label value.
const LABEL: usize = 63;
/// Hexadecimal digits of the hash.
const DIGITS: usize = 10;

/// `<set>-<hash>`, the value of the pods' label [`crate::names::REVISION_HASH`]. The set's name is cut where
/// the label value would become too long.
///
/// Volume claims and the reclaim policy are no part of it: neither is in the pod. What is null is not
/// there, and the order of keys means nothing.
#[must_use]
pub fn revision(set: &GameServerSet) -> String {
    let template = &set.spec.game_server_template;
    // `metadata: {}` and `labels: {}` say no more than their absence.
    let mut metadata = Map::new();
    if let Some(written) = &template.metadata {
        metadata.clone_from(&written.rest);
        for (key, values) in [("labels", &written.labels), ("annotations", &written.annotations)] {
            if !values.is_empty() {
                metadata.insert(key.into(), json!(values));
            }
        }
    }
    let hash = digest(&canonical(&json!({"metadata": metadata, "spec": template.spec})));
    let name = set.metadata.name.as_deref().unwrap_or_default();
    let name = name.get(..LABEL - 1 - DIGITS).unwrap_or(name).trim_end_matches(['-', '.']);
    format!("{name}-{hash}")
}

/// A short hash of a text, in hexadecimal digits.
pub(crate) fn digest(text: &str) -> String {
    let mut hash = String::new();
    for byte in Sha256::digest(text).iter().take(DIGITS.div_ceil(2)) {
        // Writing to a String does not fail.
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// JSON with sorted keys and without what is null: equal for what Kubernetes takes for equal.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(_, v)| !v.is_null()).collect();
            fields.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (i, (key, value)) in fields.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::String(key.clone()));
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::Cluster, *};

    #[test]
    fn the_revision_is_that_of_what_is_in_the_pod() {
        let revision_of = |change: &dyn Fn(&mut Value)| {
            let mut cluster = Cluster::new(1, "");
            change(&mut cluster.set);
            revision(&serde_json::from_value(cluster.set).unwrap())
        };
        // Kept for ever: another text here would restart every server in the world at the next upgrade.
        let first = revision_of(&|_| ());
        assert_eq!(first, "game-0835b6a41e");
        for same in [
            json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}),
            json!({"reclaimPolicy": "Delete"}),
            json!({"metadata": {"creationTimestamp": null, "labels": {}}}),
            json!({"spec": {"containers": [{"image": "v1", "name": "main", "command": null}]}}),
        ] {
            let revision =
                revision_of(&|set| json_patch::merge(&mut set["spec"]["gameServerTemplate"], &same));
            assert_eq!(revision, first, "{same}");
        }
        for other in [
            json!({"metadata": {"labels": {"a": "b"}}}),
            json!({"metadata": {"annotations": {"a": "b"}}}),
            json!({"spec": {"containers": [{"name": "main", "image": "v2"}]}}),
            json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}),
        ] {
            let revision =
                revision_of(&|set| json_patch::merge(&mut set["spec"]["gameServerTemplate"], &other));
            assert_ne!(revision, first, "{other}");
        }
        for name in ["a".repeat(253), format!("{}.{}", "a".repeat(51), "b".repeat(100))] {
            let revision = revision_of(&|set| set["metadata"]["name"] = json!(name));
            assert!(revision.len() <= 63 && revision.contains("a-"), "{revision}");
        }
    }
}
