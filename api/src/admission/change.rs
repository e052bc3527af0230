//! What of an object's mistakes counts: all of a new one's, and of a change those that it brings.
//!
//! An object that was admitted before a rule existed can still be scaled, annotated, finalised and deleted (design
//! §5); Kubernetes calls that ratcheting.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    Settings,
    finding::{Finding, Severity},
    server::check_server,
    set::check_set,
};

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Why it is refused; empty where it is not.
    pub refused: Vec<Finding>,
    /// What its author should know, what matters most first.
    pub warnings: Vec<Finding>,
}

/// Judges a GameServerSet that is made or, where there is an `old` one, changed. The old one is asked for only where
/// there is something to be said.
#[must_use]
pub fn judge_set<'a>(set: &Value, old: impl Fn() -> Option<&'a Value>, settings: &Settings) -> Judgement {
    judge(set, old, |set| check_set(set, settings))
}

/// Judges a GameServer that is made or, where there is an `old` one, changed.
#[must_use]
pub fn judge_server<'a>(server: &Value, old: impl Fn() -> Option<&'a Value>) -> Judgement {
    judge(server, old, check_server)
}

fn judge<'a>(
    new: &Value,
    old: impl Fn() -> Option<&'a Value>,
    check: impl Fn(&Value) -> Vec<Finding>,
) -> Judgement {
    // Of what is going only finalizers are written; they must come off, whatever the rest looks like. (That it is going
    // the old one says: anybody can write it into a new one.)
    let is_going = |object: &Value| object["metadata"]["deletionTimestamp"].is_string();
    if is_going(new) && old().is_some_and(is_going) {
        return Judgement::default();
    }
    let (mut refused, mut warnings): (Vec<_>, Vec<_>) =
        check(new).into_iter().partition(|finding| finding.severity == Severity::Error);
    if refused.is_empty() && warnings.is_empty() {
        return Judgement::default();
    }
    let Some(old) = old() else { return Judgement { refused, warnings } };
    if !refused.is_empty() {
        let mut left: HashMap<u64, usize> = HashMap::new();
        for finding in check(old).iter().filter(|finding| finding.severity == Severity::Error) {
            *left.entry(finding.subject()).or_default() += 1;
        }
        let mut is_kept = |finding: &Finding| {
            left.get_mut(&finding.subject()).is_some_and(|left| {
                let any = *left > 0;
                *left = left.saturating_sub(1);
                any
            })
        };
        let (kept, broken): (Vec<_>, Vec<_>) = refused.into_iter().partition(|finding| is_kept(finding));
        refused = broken;
        warnings.splice(0..0, kept);
    }
    if refused.is_empty() && same_but_for_replicas(&new["spec"], &old["spec"]) {
        // Who scales or annotates is told of that, and not of the rest.
        let grows = new["spec"]["replicas"].as_u64() > old["spec"]["replicas"].as_u64();
        warnings.retain(|finding| grows && finding.is_about_load() || is_written(finding, new, old));
    }
    Judgement { refused, warnings }
}

/// Whether the finding is about an annotation or a label that the change has brought.
fn is_written(finding: &Finding, new: &Value, old: &Value) -> bool {
    ["annotations", "labels"].into_iter().any(|map| {
        let entry = finding.path.strip_prefix("metadata.").and_then(|path| path.strip_prefix(map));
        let key = entry.and_then(|entry| entry.strip_prefix('[')?.strip_suffix(']'));
        key.is_some_and(|key| new["metadata"][map][key] != old["metadata"][map][key])
    })
}

/// Whether nothing of a spec has changed but the number of servers.
fn same_but_for_replicas(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else { return new == old };
    let rest =
        |spec: &serde_json::Map<String, Value>| spec.len() - usize::from(spec.contains_key("replicas"));
    rest(new) == rest(old) && new.iter().all(|(key, value)| key == "replicas" || old.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use json_patch::merge;
    use serde_json::json;

    use super::*;

    /// A set that was admitted when there were no rules: four mistakes and a warning.
    fn old() -> Value {
        json!({
            "metadata": {"name": "old"},
            "spec": {
                "replicas": 1, "network": {},
                "gameServerTemplate": {"spec": {"containers": [{"name": "a", "image": "i"}]}},
                "serviceQualities": [
                    {"name": "x", "containerName": "b", "exec": {"command": []}, "permanent": true,
                     "serviceQualityAction": [{"state": true, "opsState": "None"}]},
                    {"name": "y", "containerName": "b", "exec": {"command": ["c"]}, "periodSeconds": -1, "permanent": true,
                     "serviceQualityAction": [{"state": true, "opsState": "None"}]},
                ],
            },
        })
    }

    fn judged(change: impl FnOnce(&mut Value)) -> (Vec<String>, Vec<String>) {
        let before = old();
        let mut new = before.clone();
        change(&mut new);
        let judgement = judge_set(&new, || Some(&before), &Settings::default());
        let paths = |findings: Vec<Finding>| findings.into_iter().map(|finding| finding.path).collect();
        (paths(judgement.refused), paths(judgement.warnings))
    }

    #[test]
    fn a_new_set_is_refused_for_all_of_it() {
        let judgement = judge_set(&old(), || None, &Settings::default());
        assert_eq!(judgement.refused.len(), 4, "{judgement:#?}");
        assert_eq!(judgement.warnings.len(), 1);
    }

    #[test]
    fn a_change_is_refused_only_for_what_it_breaks() {
        let none: (Vec<String>, Vec<String>) = Default::default();
        assert_eq!(judged(|_| {}), none);
        assert_eq!(judged(|set| set["spec"]["replicas"] = json!(7)), none);
        assert_eq!(judged(|set| set["metadata"]["annotations"] = json!({"a": "b"})), none);
        assert_eq!(judged(|set| set["metadata"]["finalizers"] = json!(["a/b"])), none);
        assert_eq!(judged(|set| set["spec"]["replicas"] = json!(-7)).0, ["spec.replicas"]);
        // What is wrong as before is told when the spec is changed.
        let (refused, warnings) = judged(|set| merge(set, &json!({"spec": {"serviceName": "s"}})));
        assert_eq!((refused.len(), warnings.len()), (0, 5));
        let (refused, _) = judged(|set| merge(set, &json!({"spec": {"serviceName": "s.s"}})));
        assert_eq!(refused, ["spec.serviceName"]);
    }

    #[test]
    fn who_annotates_is_told_of_what_they_wrote_and_of_nothing_else() {
        let mut before = old();
        before["metadata"]["annotations"] = json!({"gamewarden.dev/protecton": "Strict"});
        let warned = |change: Value| {
            let mut new = before.clone();
            merge(&mut new, &json!({"metadata": change}));
            let judgement = judge_set(&new, || Some(&before), &Settings::default());
            assert!(judgement.refused.is_empty(), "{judgement:?}");
            judgement.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(warned(json!({"annotations": {"a": "b"}, "labels": {"protected": "no"}})), [""; 0]);
        assert_eq!(
            warned(json!({"annotations": {"protection": "Strict"}})),
            ["metadata.annotations[protection]: unknown; did you mean \"gamewarden.dev/protection\"?"]
        );
        assert_eq!(
            warned(json!({"labels": {"gamewarden.dev/protection": "Strict"}})),
            ["metadata.labels[gamewarden.dev/protection]: does nothing as a label; write the annotation \
              \"gamewarden.dev/protection\""]
        );
        assert_eq!(
            warned(json!({"annotations": {"gamewarden.dev/protecton": "Off"}})),
            [
                "metadata.annotations[gamewarden.dev/protecton]: unknown; did you mean \"gamewarden.dev/protection\"?"
            ]
        );

        let server = json!({"metadata": {"name": "game-0"}, "spec": {"opsState": "None"}});
        let mut new = server.clone();
        new["metadata"]["annotations"] = json!({"gamewarden.dev/allow-removal": "yes"});
        let judgement = judge_server(&new, || Some(&server));
        assert_eq!(
            judgement.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "metadata.annotations[gamewarden.dev/allow-removal]: \"yes\" lets nothing be removed; write \"true\""
            ]
        );
    }

    #[test]
    fn what_moves_in_its_list_is_no_new_mistake_and_the_same_one_more_is() {
        let swap = |set: &mut Value| set["spec"]["serviceQualities"].as_array_mut().unwrap().swap(0, 1);
        assert_eq!(judged(swap).0, [""; 0]);
        let quality = |set: &mut Value, patch: Value| {
            let list = set["spec"]["serviceQualities"].as_array_mut().unwrap();
            let mut one = list[1].clone();
            merge(&mut one, &json!({"name": "z", "periodSeconds": 1}));
            merge(&mut one, &patch);
            list.insert(0, one);
        };
        assert_eq!(judged(|set| quality(set, json!({}))).0.len(), 1, "one container more that is not there");
        assert_eq!(judged(|set| quality(set, json!({"containerName": "a"}))).0, [""; 0]);
    }

    #[test]
    fn what_is_changed_inside_of_what_was_wrong_is_no_new_mistake() {
        // Of a list, a quality and a number; and another number is.
        let mut before = old();
        before["spec"]["serviceQualities"][0].as_object_mut().unwrap().remove("exec");
        before["spec"]["serviceQualities"][1]["permanent"] = json!(false);
        before["spec"]["serviceQualities"][1]["serviceQualityAction"][0]["opsState"] = json!("Kill");
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut new = before.clone();
            change(&mut new);
            let judgement = judge_set(&new, || Some(&before), &Settings::default());
            judgement.refused.into_iter().map(|finding| finding.path).collect::<Vec<_>>()
        };
        assert_eq!(refused(&|set| set["spec"]["serviceQualities"][0]["timeoutSeconds"] = json!(1)), [""; 0]);
        assert_eq!(
            refused(&|set| {
                set["spec"]["serviceQualities"][1]["serviceQualityAction"][0]["labels"] = json!({"a": "b"});
            }),
            [""; 0]
        );
        let another = refused(&|set| set["spec"]["serviceQualities"][1]["periodSeconds"] = json!(-2));
        assert_eq!(another, ["spec.serviceQualities[1].periodSeconds"]);
        // Nor may a mistake move to where there was none.
        let moved = refused(&|set| {
            set["spec"]["serviceQualities"][1]["periodSeconds"] = json!(1);
            set["spec"]["serviceQualities"][0]["periodSeconds"] = json!(-1);
        });
        assert_eq!(moved, ["spec.serviceQualities[0].periodSeconds"]);
    }

    #[test]
    fn warnings_take_no_errors_place_and_one_of_many_errors_can_be_mended() {
        let mut set = old();
        let pods = &mut set["spec"]["gameServerTemplate"]["spec"];
        for n in 0..1_000 {
            pods[format!("x{n}")] = json!(n);
        }
        assert_eq!(judge_set(&set, || None, &Settings::default()).refused.len(), 4);
        let many = |count: usize| {
            let mut set = old();
            set["spec"]["reserveGameServerIds"] = (0..count).map(|n| format!("{n}-x")).collect();
            set
        };
        let before = many(1_500);
        let judgement = judge_set(&many(1_499), || Some(&before), &Settings::default());
        assert_eq!(judgement.refused, []);
    }

    #[test]
    fn a_change_elsewhere_that_breaks_what_was_fine_is_refused() {
        let mut before = old();
        before["spec"]["serviceQualities"][0]["containerName"] = json!("a");
        let mut new = before.clone();
        new["spec"]["gameServerTemplate"]["spec"]["containers"][0]["name"] = json!("c");
        let judgement = judge_set(&new, || Some(&before), &Settings::default());
        let paths: Vec<&str> = judgement.refused.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["spec.serviceQualities[0].containerName"]);
    }

    #[test]
    fn finalizers_come_off_whatever_is_wrong() {
        let mut going = old();
        going["metadata"]["deletionTimestamp"] = json!("2026-05-01T12:00:00Z");
        going["spec"]["replicas"] = json!(-1);
        let judgement = judge_set(&going, || Some(&going), &Settings::default());
        assert_eq!(judgement, Judgement::default());
        // Who only says that it is going is judged.
        for before in [None, Some(old())] {
            assert!(!judge_set(&going, || before.as_ref(), &Settings::default()).refused.is_empty());
        }
    }
}
