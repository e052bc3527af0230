//! What is filled in where people leave it out, so that `kubectl get -o yaml` shows what runs.
//!
//! The probe's numbers, the container where there is but one, and the scheme of an HTTP probe. Everything else has its
//! default in the rules that use it.

use std::collections::HashMap;

use json_patch::{AddOperation, Patch, PatchOperation, ReplaceOperation, jsonptr::PointerBuf};
use serde_json::{Map, Value};

use super::quality;
use crate::quality::{
    FAILURE_THRESHOLD, INITIAL_DELAY, PERIOD, SUCCESS_THRESHOLD, TIMEOUT, dns_label_problem,
};

/// The numbers of a probe. 0 means the default (design §3.9), and is written as it.
const NUMBERS: [(&str, u32); 5] = [
    ("initialDelaySeconds", INITIAL_DELAY),
    ("timeoutSeconds", TIMEOUT),
    ("periodSeconds", PERIOD),
    ("successThreshold", SUCCESS_THRESHOLD),
    ("failureThreshold", FAILURE_THRESHOLD),
];

/// Fills a GameServerSet in, and gives the JSON Patch (RFC 6902) that does the same. Minimal: what is there stays, and of
/// a set that is filled in already nothing is patched. What is of the wrong type is left alone: it is refused elsewhere.
///
/// Of a set that is changed, a quality that is as it was in the `old` one stays so: it may be older than a rule, which
/// speaks when it is written anew. One container that gets another name takes along the qualities that meant it, whose
/// `containerName` was perhaps written by us.
#[must_use]
pub fn set_defaults(set: &mut Value, old: Option<&Value>) -> Patch {
    let only = only_container(set).map(str::to_owned);
    let only = only.as_deref();
    let renamed = old.and_then(only_container).filter(|before| only.is_some_and(|only| only != *before));
    let before: HashMap<&str, &Value> = old
        .into_iter()
        .flat_map(|old| old[QUALITIES[0]][QUALITIES[1]].as_array().into_iter().flatten().take(quality::MOST))
        .filter_map(|quality| Some((quality["name"].as_str()?, quality)))
        .collect();
    let qualities = QUALITIES.iter().try_fold(set, |value, key| value.get_mut(key));
    let mut patch = Vec::new();
    // More are refused, or were there before they were: a patch of those would be many times as large as they are.
    let qualities = qualities.and_then(Value::as_array_mut).into_iter().flatten().take(quality::MOST);
    for (index, quality) in qualities.enumerate() {
        let as_before =
            quality["name"].as_str().and_then(|name| before.get(name)).is_some_and(|old| **old == *quality);
        let Some(quality) = quality.as_object_mut() else { continue };
        let mut path = PointerBuf::from_tokens(QUALITIES);
        path.push_back(index);
        let mut filling = Filling { path, object: quality, patch: &mut patch };
        if let (Some(only), Some(renamed)) = (only, renamed) {
            filling.fill("containerName", |name| name == renamed, only);
        }
        if !as_before {
            filling.quality(only);
        }
    }
    Patch(patch)
}

/// The way to the qualities of a set.
const QUALITIES: [&str; 2] = ["spec", "serviceQualities"];

/// The name of the container, where the template has one, and it is one.
fn only_container(set: &Value) -> Option<&str> {
    match set["spec"]["gameServerTemplate"]["spec"]["containers"].as_array()?.as_slice() {
        [only] => only["name"].as_str().filter(|name| !name.is_empty() && dns_label_problem(name).is_none()),
        _ => None,
    }
}

/// An object that is filled in.
struct Filling<'a> {
    /// Where it stands.
    path: PointerBuf,
    object: &'a mut Map<String, Value>,
    /// What has been filled in so far.
    patch: &'a mut Vec<PatchOperation>,
}

impl Filling<'_> {
    fn quality(mut self, only: Option<&str>) {
        if let Some(only) = only {
            self.fill_missing("containerName", |name| name == "", only);
        }
        self.fill_missing("permanent", |_| false, false);
        for (name, default) in NUMBERS {
            self.fill_missing(name, |number| *number == 0, default);
        }
        if let Some(Value::Object(http_get)) = self.object.get_mut("httpGet") {
            self.path.push_back("httpGet");
            let mut filling = Filling { path: self.path, object: http_get, patch: self.patch };
            filling.fill_missing("scheme", |scheme| scheme == "", "HTTP");
        }
    }

    /// Sets a field that is missing, null or as good as that.
    fn fill_missing(&mut self, name: &str, is_unset: fn(&Value) -> bool, default: impl Into<Value>) {
        if self.object.contains_key(name) {
            self.fill(name, |value| value.is_null() || is_unset(value), default);
        } else {
            let (path, value) = (self.path.with_trailing_token(name), default.into());
            self.object.insert(name.to_owned(), value.clone());
            self.patch.push(PatchOperation::Add(AddOperation { path, value }));
        }
    }

    /// Sets a field that is there, if it is to be set.
    fn fill(&mut self, name: &str, is_to_be: impl Fn(&Value) -> bool, with: impl Into<Value>) {
        if let Some(found) = self.object.get_mut(name).filter(|value| is_to_be(value)) {
            *found = with.into();
            let (path, value) = (self.path.with_trailing_token(name), found.clone());
            self.patch.push(PatchOperation::Replace(ReplaceOperation { path, value }));
        }
    }
}

#[cfg(test)]
mod tests {
    use json_patch::patch;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn filled(set: &Value) -> Value {
        let mut filled = set.clone();
        let _ = super::set_defaults(&mut filled, None);
        filled
    }

    fn set_defaults(set: &Value, old: Option<&Value>) -> Patch {
        super::set_defaults(&mut set.clone(), old)
    }

    fn set(containers: Value, quality: Value) -> Value {
        json!({"spec": {
            "gameServerTemplate": {"spec": {"containers": containers}}, "serviceQualities": [quality],
        }})
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let one = json!([{"name": "game"}]);
        let given = set(
            one.clone(),
            json!({"name": "idle", "periodSeconds": 0, "timeoutSeconds": 9, "httpGet": {"port": 1}}),
        );
        let wanted = json!({
            "name": "idle", "containerName": "game", "permanent": false, "httpGet": {"port": 1, "scheme": "HTTP"},
            "initialDelaySeconds": 10, "timeoutSeconds": 9, "periodSeconds": 3, "successThreshold": 1,
            "failureThreshold": 3,
        });
        assert_eq!(filled(&given)["spec"]["serviceQualities"][0], wanted);
        assert_eq!(set_defaults(&filled(&given), None).0, []);
        // Which of two is meant nobody knows.
        let two = set(json!([{"name": "a"}, {"name": "b"}]), json!({}));
        assert_eq!(filled(&two)["spec"]["serviceQualities"][0]["containerName"], Value::Null);
    }

    #[test]
    fn what_is_refused_does_not_make_a_patch_large() {
        let many = json!({"spec": {"serviceQualities": vec![json!({}); 1000]}});
        let last = set_defaults(&many, None).0.last().map(|operation| operation.path().to_string());
        assert_eq!(last.as_deref(), Some("/spec/serviceQualities/63/failureThreshold"));
        let long = set(json!([{"name": "x".repeat(1000)}]), json!({}));
        assert_eq!(filled(&long)["spec"]["serviceQualities"][0]["containerName"], Value::Null);
    }

    #[test]
    fn what_is_as_it_was_stays_and_a_renamed_container_takes_its_qualities_along() {
        let old = set(json!([{"name": "game"}]), json!({"name": "idle", "containerName": "game"}));
        assert_eq!(set_defaults(&old, Some(&old)).0, []);
        let mut changed = old.clone();
        changed["spec"]["serviceQualities"][0]["periodSeconds"] = json!(9);
        assert!(!set_defaults(&changed, Some(&old)).0.is_empty());
        let mut renamed = old.clone();
        renamed["spec"]["gameServerTemplate"]["spec"]["containers"][0]["name"] = json!("mc");
        assert_eq!(
            serde_json::to_value(set_defaults(&renamed, Some(&old))).unwrap(),
            json!([{"op": "replace", "path": "/spec/serviceQualities/0/containerName", "value": "mc"}])
        );
    }

    #[test]
    fn the_patch_says_no_more_than_it_must() {
        let quality = json!({
            "name": "idle", "containerName": "", "permanent": null, "initialDelaySeconds": 1, "timeoutSeconds": 1,
            "successThreshold": 1, "failureThreshold": 1, "exec": {"command": ["a"]},
        });
        let patch = set_defaults(&set(json!([{"name": "game"}]), quality), None);
        assert_eq!(
            serde_json::to_value(&patch).unwrap(),
            json!([
                {"op": "replace", "path": "/spec/serviceQualities/0/containerName", "value": "game"},
                {"op": "replace", "path": "/spec/serviceQualities/0/permanent", "value": false},
                {"op": "add", "path": "/spec/serviceQualities/0/periodSeconds", "value": 3},
            ])
        );
    }

    fn number() -> impl Strategy<Value = Option<Value>> {
        prop_oneof![
            Just(None),
            Just(Some(Value::Null)),
            (-1..20).prop_map(|n| Some(json!(n))),
            Just(Some(json!("3")))
        ]
    }

    fn quality() -> impl Strategy<Value = Value> {
        let container =
            prop_oneof![Just(None), Just(Some(json!(""))), Just(Some(json!("a"))), Just(Some(json!(7)))];
        let http = prop_oneof![
            Just(None),
            Just(Some(json!({"port": 1, "x": {"y": 1}}))),
            Just(Some(json!({"scheme": "HTTPS"}))),
            Just(Some(json!([1]))),
        ];
        let numbers = prop::array::uniform5(number());
        let unknown = prop::option::of(any::<i64>());
        (container, http, numbers, unknown, any::<Option<bool>>()).prop_map(
            |(container, http, numbers, unknown, permanent)| {
                let mut quality = json!({"name": "q"});
                let numbers = NUMBERS.iter().map(|(name, _)| *name).zip(numbers);
                let fields = [
                    ("containerName", container),
                    ("httpGet", http),
                    ("permanent", permanent.map(Value::from)),
                ];
                for (name, value) in
                    numbers.chain(fields).chain([("fromTheFuture", unknown.map(Value::from))])
                {
                    if let Some(value) = value {
                        quality[name] = value;
                    }
                }
                quality
            },
        )
    }

    fn any_set() -> impl Strategy<Value = Value> {
        let containers = prop::collection::vec(Just(json!({"name": "a"})), 0..3);
        let qualities = prop::collection::vec(prop_oneof![4 => quality(), 1 => Just(json!(7))], 0..4);
        (containers, qualities, any::<Option<i64>>()).prop_map(|(containers, qualities, unknown)| {
            json!({"spec": {
                "gameServerTemplate": {"spec": {"containers": containers}}, "serviceQualities": qualities, "future": unknown,
            }})
        })
    }

    /// All leaves of an object, with their paths.
    fn leaves(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), out))
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, value)| leaves(value, &format!("{path}/{index}"), out));
            }
            leaf => out.push((path.to_owned(), leaf.clone())),
        }
    }

    proptest! {
        /// The patch says what was done.
        #[test]
        fn the_patch_does_the_same(set in any_set(), old in prop::option::of(any_set())) {
            let (mut here, mut there) = (set.clone(), set);
            let said = super::set_defaults(&mut here, old.as_ref());
            patch(&mut there, &said).unwrap();
            prop_assert_eq!(here, there);
        }

        /// A second pass finds nothing, and nothing that somebody wrote is lost or changed, but for what means "the
        /// default".
        #[test]
        fn idempotent_and_nothing_is_lost(set in any_set()) {
            let filled = filled(&set);
            prop_assert_eq!(set_defaults(&filled, None).0, vec![]);
            let mut written = Vec::new();
            leaves(&set, "", &mut written);
            for (path, value) in written {
                let kept = filled.pointer(&path);
                prop_assert!(kept == Some(&value) || value.is_null() || value == 0 || value == "", "{} {:?}", path, kept);
            }
        }

        /// What is filled in is what the prober would have done without it.
        #[test]
        fn nothing_changes_but_what_is_seen(set in any_set()) {
            use crate::{quality::ProbeSettings, types::ServiceQuality};
            let (before, after) = (&set["spec"]["serviceQualities"], &filled(&set)["spec"]["serviceQualities"]);
            for (before, after) in before.as_array().unwrap().iter().zip(after.as_array().unwrap()) {
                let read = |value: &Value| serde_json::from_value::<ServiceQuality>(value.clone());
                if let (Ok(before), Ok(after)) = (read(before), read(after)) {
                    prop_assert_eq!(ProbeSettings::of(&before), ProbeSettings::of(&after));
                    prop_assert_eq!(before.permanent, after.permanent);
                }
            }
        }
    }
}
