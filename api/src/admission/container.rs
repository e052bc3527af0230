//! A container of the template: what the API server would refuse of every pod, where no type says so.

use super::{
    field::Field,
    finding::Report,
    name::dns_label,
    near::{between, one_of},
};

/// Name, image, and what of the rest is most often mistaken.
pub(super) fn check(container: &Field<'_, '_>, report: &mut Report) {
    dns_label(&container.get("name"), report);
    let image = container.get("image");
    if image.text(report).unwrap_or_default().is_empty() && (!image.is_set() || image.value.is_string()) {
        report.refuse(&image, "missing; write the image that the container runs");
    }
    one_of(&container.get("imagePullPolicy"), &["Always", "IfNotPresent", "Never"], report);
    let ports = container.get("ports");
    for port in ports.items() {
        if report.is_full() {
            return;
        }
        between(&port.get("containerPort"), 1, 65_535, report);
        // 0 is none.
        between(&port.get("hostPort"), 0, 65_535, report);
        one_of(&port.get("protocol"), &["TCP", "UDP", "SCTP"], report);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_no_pod_can_have_is_refused() {
        let said = |more: Value| {
            let mut container = json!({"name": "game", "image": "game:1"});
            json_patch::merge(&mut container, &more);
            let mut report = Report::default();
            check(&Field::root(&container), &mut report);
            report.into_findings().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let port = |port: Value| json!({"ports": [{"containerPort": 80}, port]});
        assert_eq!(said(json!({"imagePullPolicy": "Never"})), [""; 0]);
        assert_eq!(said(port(json!({"containerPort": 65_535, "hostPort": 0, "protocol": "UDP"}))), [""; 0]);
        for (more, wanted) in [
            (
                json!({"imagePullPolicy": "always"}),
                "imagePullPolicy: \"always\" is not known (known: Always, IfNotPresent, Never); did you mean \"Always\"?",
            ),
            (
                port(json!({"containerPort": 0})),
                "ports[1].containerPort: 0 is out of range; write a number from 1 to 65535",
            ),
            (
                port(json!({"containerPort": 1, "hostPort": 70_000})),
                "ports[1].hostPort: 70000 is out of range; write a number from 0 to 65535",
            ),
            (
                port(json!({"containerPort": 1, "protocol": "udp"})),
                "ports[1].protocol: \"udp\" is not known (known: TCP, UDP, SCTP); did you mean \"UDP\"?",
            ),
        ] {
            assert_eq!(said(more), [wanted]);
        }
    }
}
