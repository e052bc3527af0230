//! `status.podStatus` of a GameServer: its pod's status.
//!
//! The conditions that we are about to write to the pod are in it already. They are known, and a status that
//! was written without them would have to be written again as soon as the watch shows them: a third write to
//! the GameServer for every flip (design §8 allows two).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The pod's status, as it is when `patch` (of our own conditions) has been applied. Where it then differs
/// from `old` only in the order of its conditions it is `old`: the API server puts a new one where it likes.
pub(super) fn mirrored(
    mut status: Map<String, Value>,
    patch: Option<&Value>,
    old: &Map<String, Value>,
) -> Map<String, Value> {
    let ours = patch.and_then(|patch| patch["status"]["conditions"].as_array());
    if let Some(ours) = ours
        && let Some(conditions) =
            status.entry("conditions").or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
    {
        for condition in ours {
            if condition["$patch"] == "delete" {
                conditions.retain(|there| there["type"] != condition["type"]);
                continue;
            }
            match conditions.iter_mut().find(|there| there["type"] == condition["type"]) {
                // Of one condition the strategic merge is the plain one.
                Some(there) => json_patch::merge(there, condition),
                None => {
                    let mut new = Value::Object(Map::new());
                    json_patch::merge(&mut new, condition);
                    conditions.push(new);
                }
            }
        }
    }
    if is_same(&status, old) { old.clone() } else { status }
}

fn is_same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let others = |status: &Map<String, Value>| {
        let mut status = status.clone();
        status.remove("conditions");
        status
    };
    by_type(a) == by_type(b) && others(a) == others(b)
}

fn by_type(status: &Map<String, Value>) -> BTreeMap<&str, &Value> {
    let conditions = status.get("conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().map(|c| (c["type"].as_str().unwrap_or_default(), c)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_we_write_to_the_pod_is_shown_before_it_comes_back() {
        let condition = |type_: &str, status: &str| json!({"type": type_, "status": status});
        let before =
            json!({"phase": "Running", "conditions": [condition("Ready", "True"), condition("a", "True")]});
        let patch = json!({"status": {"conditions": [condition("a", "False"), condition("b", "True")]}});
        let map = |value: &Value| value.as_object().unwrap().clone();
        let shown = mirrored(map(&before), Some(&patch), &map(&before));
        let after = json!({"phase": "Running", "conditions": [
            condition("Ready", "True"), condition("a", "False"), condition("b", "True"),
        ]});
        assert_eq!(Value::Object(shown.clone()), after);
        // The API server has put them in another order.
        let turned = json!({"phase": "Running", "conditions": [
            condition("b", "True"), condition("Ready", "True"), condition("a", "False"),
        ]});
        assert_eq!(mirrored(map(&turned), None, &shown), shown);
        let removal = json!({"status": {"conditions": [{"type": "b", "$patch": "delete"}]}});
        let left = mirrored(map(&turned), Some(&removal), &shown);
        assert_eq!(left["conditions"].as_array().unwrap().len(), 2);
        let ended = json!({"phase": "Failed", "conditions": turned["conditions"]});
        assert_eq!(mirrored(map(&ended), None, &shown), map(&ended));
    }
}
