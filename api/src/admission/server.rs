//! A GameServer, as somebody edits it.

use serde_json::Value;

use super::{
    action::{ops_state, whole_number},
    field::Field,
    finding::{Finding, Report},
    name::each_once,
};

/// What is wrong with a GameServer, as it was written: every mistake, what is refused first.
#[must_use]
pub fn check_server(server: &Value) -> Vec<Finding> {
    let mut report = Report::default();
    let spec = Field::root(server).get("spec");
    spec.expect_map(&mut report);
    ops_state(&spec.get("opsState"), &mut report);
    for priority in ["updatePriority", "deletionPriority"].map(|key| spec.get(key)) {
        whole_number(&priority, "write one, as 10", &mut report);
    }
    spec.get("networkDisabled").boolean(&mut report);
    let containers = spec.get("containers");
    containers.expect_list(&mut report);
    each_once(containers.items(), &mut report);
    report.into_findings()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_game_server() {
        for (spec, wanted) in [
            (json!({"opsState": "Kill", "updatePriority": 10, "deletionPriority": "7"}), vec![]),
            (json!({"opsState": "InMatch"}), vec![]),
            (
                json!({"opsState": "kill"}),
                vec![
                    "spec.opsState: \"kill\" is a state of your own, which nothing here acts on; did you mean \"Kill\"?",
                ],
            ),
            (
                json!({"deletionPriority": "{{.Result}}"}),
                vec!["spec.deletionPriority: \"{{.Result}}\" is no whole number; write one, as 10"],
            ),
            (
                json!({"containers": [{"name": "a"}, {"name": "a"}, {"image": "i"}]}),
                vec![
                    "spec.containers[1].name: \"a\" is there twice; write each container once",
                    "spec.containers[2].name: missing; write the name of the container",
                ],
            ),
        ] {
            let said: Vec<String> =
                check_server(&json!({"spec": spec})).iter().map(ToString::to_string).collect();
            assert_eq!(said, wanted, "{spec}");
        }
    }
}
