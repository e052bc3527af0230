//! Which actions fire and what they set, by table.

use super::*;
use crate::quality::fixture::qualities;

fn effect(actions: &str, state: bool, result: &str, change: Change) -> Effect {
    let quality = qualities(&format!("[{{name: q, serviceQualityAction: {actions}}}]"));
    resolve(&quality[0], state, result, change)
}

fn told(effect: &Effect) -> Vec<String> {
    effect.notices.iter().map(|n| format!("{}: {}", n.reason, n.message)).collect()
}

#[test]
fn an_action_fires_when_state_and_result_match() {
    let actions = "[{state: true, labels: {a: x}}, {state: true, result: full, labels: {b: x}},
        {state: false, labels: {c: x}}, {state: true, result: '', labels: {d: x}}]";
    for (state, result, expected) in
        [(true, "", "ad"), (true, "full", "abd"), (true, "Full", "ad"), (false, "full", "c")]
    {
        let effect = effect(actions, state, result, Change::State);
        assert_eq!(effect.labels.into_keys().collect::<String>(), expected, "{state} {result:?}");
        assert!(effect.fired);
    }
    assert_eq!(effect("[{state: true, opsState: Kill}]", false, "", Change::State), Effect::default());
}

#[test]
fn a_change_of_result_alone_fires_only_actions_that_look_at_it() {
    for (action, fires) in [
        ("opsState: Maintaining", false),
        ("result: '5', opsState: Maintaining", true),
        ("result: '6', opsState: Maintaining", false),
        ("opsState: '{{if eq .Result \"5\"}}Maintaining{{end}}'", true),
        ("updatePriority: '{{.Result}}'", true),
        ("deletionPriority: '{{.Result}}'", true),
        ("updatePriority: '7'", false),
        ("labels: {a: '{{.Result}}'}", true),
        ("annotations: {a: '{{.Result}}'}", true),
        ("annotations: {a: '{{if eq 1 1}}x{{end}}'}", false),
        ("annotations: {a: '{{.Resul}}'}", false),
    ] {
        let actions = format!("[{{state: true, {action}}}]");
        assert_eq!(effect(&actions, true, "5", Change::Result).fired, fires, "{action}");
    }
}

#[test]
fn later_actions_override_what_they_name() {
    let actions = "
      [{state: true, opsState: Maintaining, updatePriority: 1, deletionPriority: '2', networkDisabled: true,
        labels: {a: x, b: x}, annotations: {a: x}, containers: [{name: game, image: one}, {name: log, image: l}]},
       {state: true, opsState: None, updatePriority: '{{.Result}}', labels: {b: y},
        containers: [{name: game, resources: {limits: {cpu: '1'}}}]},
       {state: true, networkDisabled: false}]";
    let effect = effect(actions, true, " 42", Change::State);
    assert_eq!(told(&effect), Vec::<String>::new());
    assert_eq!(effect.ops_state, Some(OpsState::None));
    assert_eq!((effect.update_priority, effect.deletion_priority), (Some(42), Some(2)));
    assert_eq!(effect.network_disabled, Some(false));
    assert_eq!(serde_json::to_value(&effect.labels).unwrap(), serde_json::json!({"a": "x", "b": "y"}));
    assert_eq!(
        serde_json::to_value(&effect.containers).unwrap(),
        serde_json::json!([
            {"name": "game", "image": "one", "resources": {"limits": {"cpu": "1"}}},
            {"name": "log", "image": "l"},
        ])
    );
}

#[test]
fn what_cannot_be_set_is_told_and_blocks_nothing_else() {
    let result = "two words";
    for (field, notice) in [
        (
            "updatePriority: '{{.Result}}'",
            r#"InvalidUpdatePriority: quality q, updatePriority "{{.Result}}": it comes out as "two words", which is not an integer; the old value stays"#,
        ),
        (
            "deletionPriority: '1.5'",
            r#"InvalidDeletionPriority: quality q, deletionPriority "1.5": it comes out as "1.5", which is not an integer; the old value stays"#,
        ),
        (
            "deletionPriority: '99999999999'",
            r#"InvalidDeletionPriority: quality q, deletionPriority "99999999999": it comes out as "99999999999", which is not an integer; the old value stays"#,
        ),
        (
            "deletionPriority: '{{.Resul}}'",
            r#"InvalidDeletionPriority: quality q, deletionPriority "{{.Resul}}": at character 3: .Resul is not known; write .Result, the result text of the probe; the old value stays"#,
        ),
        (
            "opsState: '{{.Result}}'",
            r#"InvalidOpsState: quality q, opsState "{{.Result}}": it comes out as "two words": it has other characters than letters, digits, '-', '_' and '.'; the old value stays"#,
        ),
        (
            "labels: {a: '{{.Result}}'}",
            r#"InvalidLabel: quality q, label "a": it comes out as "two words": it has other characters than letters, digits, '-', '_' and '.'; it is skipped"#,
        ),
        (
            "labels: {-a: x}",
            r#"InvalidLabel: quality q, label "-a": the key is invalid: it does not begin and end with a letter or digit; it is skipped"#,
        ),
        (
            "annotations: {a/b/c: x}",
            r#"InvalidAnnotation: quality q, annotation "a/b/c": the key is invalid: it has other characters than letters, digits, '-', '_' and '.'; it is skipped"#,
        ),
        (
            "annotations: {a: '{{if}}'}",
            r#"InvalidAnnotation: quality q, annotation "a": at character 3: a value is missing; write .Result, text in quotes or a number; it is skipped"#,
        ),
        (
            "labels: {game.kruise.io/owner-gss: other}",
            r#"ReservedKey: quality q, label "game.kruise.io/owner-gss": its key belongs to the system, actions may not touch it; it is skipped"#,
        ),
        (
            "annotations: {gamewarden.dev/verdicts: '{}'}",
            r#"ReservedKey: quality q, annotation "gamewarden.dev/verdicts": its key belongs to the system, actions may not touch it; it is skipped"#,
        ),
    ] {
        let others =
            "{state: true, opsState: blue, updatePriority: 1, deletionPriority: 1, networkDisabled: true,
            labels: {x: x}, annotations: {x: '{{.Result}}'}}";
        let effect = effect(&format!("[{others}, {{state: true, {field}}}]"), true, result, Change::State);
        assert_eq!(told(&effect), [notice], "{field}");
        let set = Effect { notices: Vec::new(), ..effect };
        let alone = self::effect(&format!("[{others}]"), true, result, Change::State);
        assert_eq!(set, alone, "{field}");
        assert_eq!((set.labels.len(), set.annotations["x"].as_str()), (1, result));
    }
}

#[test]
fn an_ops_state_that_comes_out_empty_is_none() {
    let actions = "[{state: true, opsState: '{{if eq .Result \"0\"}}WaitToBeDeleted{{end}}'}]";
    assert_eq!(effect(actions, true, "0", Change::State).ops_state, Some(OpsState::WaitToBeDeleted));
    assert_eq!(effect(actions, true, "3", Change::Result).ops_state, Some(OpsState::None));
}

#[test]
fn a_quoted_result_is_cut() {
    let effect =
        effect("[{state: true, updatePriority: '{{.Result}}'}]", true, &"é".repeat(300), Change::State);
    assert!(effect.notices[0].message.contains(&format!("\"{}\"", "é".repeat(128))), "{:?}", effect.notices);
}
