//! A GameServer, as somebody edits it.

use serde_json::Value;

use super::{
    action::{ops_state, overrides, whole_number},
    annotations,
    field::{Field, quoted},
    finding::{Finding, Report},
    near::{listed, suggestion},
    shape,
    template::MOST_CONTAINERS,
};

/// What is wrong with a GameServer, as it was written: every mistake, what is refused first.
#[must_use]
pub fn check_server(server: &Value) -> Vec<Finding> {
    let mut report = Report::default();
    let root = Field::root(server);
    let spec = root.get("spec");
    spec.expect_map(&mut report);
    annotations::check(&root.get("metadata"), &annotations::ON_SERVERS, &mut report);
    ops_state(&spec.get("opsState"), &mut report);
    for priority in ["updatePriority", "deletionPriority"].map(|key| spec.get(key)) {
        whole_number(&priority, "write one, as 10", &mut report);
    }
    spec.get("networkDisabled").boolean(&mut report);
    let containers = spec.get("containers");
    overrides(&containers, &mut report);
    in_the_pod(&containers, &root.get("status").get("podStatus"), &mut report);
    shape::check_server(&root, &mut report);
    report.into_findings()
}

/// Containers that the pod does not have, as far as its status says which it has.
fn in_the_pod(containers: &Field<'_, '_>, pod: &Field<'_, '_>, report: &mut Report) {
    let statuses = ["containerStatuses", "initContainerStatuses"].map(|list| pod.get(list));
    let has: Vec<&str> = statuses
        .iter()
        .flat_map(Field::items)
        .filter_map(|status| status.value.get("name")?.as_str())
        .collect();
    if has.is_empty() {
        return;
    }
    for container in containers.items().take(MOST_CONTAINERS) {
        let name = container.get("name");
        let Some(text) = name.value.as_str().filter(|text| !text.is_empty() && !has.contains(text)) else {
            continue;
        };
        report.refuse(
            &name,
            format!(
                "{} is not a container of the pod (has: {}){}",
                quoted(text),
                listed(&has),
                suggestion(text, has.iter().copied(), report)
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_has_to_be_in_the_pod() {
        let server = |containers: Value, status: Value| {
            let server = json!({"spec": {"containers": containers}, "status": {"podStatus": status}});
            check_server(&server).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let status =
            json!({"containerStatuses": [{"name": "game"}], "initContainerStatuses": [{"name": "mesh"}]});
        assert_eq!(server(json!([{"name": "game"}, {"name": "mesh"}]), status.clone()), [""; 0]);
        assert_eq!(server(json!([{"name": "gane"}]), Value::Null), [""; 0], "nobody knows yet");
        assert_eq!(
            server(json!([{"name": "gane", "resources": {"limits": {"cpu": "lots"}}}]), status),
            [
                "spec.containers[0].resources.limits[cpu]: \"lots\" is not a quantity; write one, as 500m, 2 or 1Gi",
                "spec.containers[0].name: \"gane\" is not a container of the pod (has: game, mesh); did you mean \"game\"?",
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_game_server() {
        for (spec, wanted) in [
            (json!({"opsState": "Kill", "updatePriority": 10, "deletionPriority": "7"}), vec![]),
            (json!({"opsState": "InMatch"}), vec![]),
            (json!({"opsState": "kill"}), vec!["spec.opsState: \"kill\" is unknown; did you mean \"Kill\"?"]),
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
