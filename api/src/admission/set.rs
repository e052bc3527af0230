//! A GameServerSet, whole.

use serde_json::Value;

use super::{
    containers::Containers,
    field::Field,
    finding::{Finding, Report},
    name, quality, strategy, template,
};

/// What is wrong with a GameServerSet, as it was written: every mistake, what is refused first.
#[must_use]
pub fn check_set(set: &Value) -> Vec<Finding> {
    let mut report = Report::default();
    let root = Field::root(set);
    let spec = root.get("spec");
    if !spec.is_set() {
        report.refuse("spec", "missing; write replicas and gameServerTemplate");
        return report.into_findings();
    }
    spec.expect_map(&mut report);
    name::of_set(&root.get("metadata"), &mut report);
    name::dns_label(&spec.get("serviceName"), &mut report);
    strategy::check(&spec, &mut report);
    let pods = spec.get("gameServerTemplate");
    template::check(&pods, root.get("metadata").get("name").value.as_str(), &mut report);
    let containers = Containers::of(&pods);
    quality::check_all(&spec.get("serviceQualities"), &containers, &mut report);
    let network = spec.get("network");
    if network.is_set() {
        report.warn(
            &network.path,
            "is not carried out in managed mode: servers have the addresses of their pods",
        );
    }
    report.into_findings()
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
