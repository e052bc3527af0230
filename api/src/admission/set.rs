//! A GameServerSet, whole.

use serde_json::Value;

use super::{
    Mode, Settings, annotations,
    containers::Containers,
    cost, disagree,
    field::Field,
    finding::{About, Finding, Report},
    name, protection, quality, shape, strategy, template,
};
/// What is wrong with a GameServerSet, as it was written: every mistake, what is refused first.
#[must_use]
pub fn check_set(set: &Value, settings: &Settings) -> Vec<Finding> {
    let mut report = Report::default();
    let root = Field::root(set);
    let spec = root.get("spec");
    if !spec.is_set() {
        report.refuse(&spec, "missing; write replicas and gameServerTemplate");
        return report.into_findings();
    }
    spec.expect_map(&mut report);
    name::of_set(&root.get("metadata"), &mut report);
    annotations::check(&root.get("metadata"), &annotations::ON_SETS, &mut report);
    name::dns_label(&spec.get("serviceName"), &mut report);
    strategy::check(&spec, &mut report);
    let pods = spec.get("gameServerTemplate");
    template::check(&pods, root.get("metadata").peek("name").as_str(), &mut report);
    let containers = Containers::of(&pods);
    let qualities = spec.get("serviceQualities");
    quality::check_all(&qualities, &containers, settings.mode, &mut report);
    disagree::check(&qualities, &mut report);
    protection::check(&root.get("metadata"), &qualities, &mut report);
    if !settings.node_prober {
        cost::check(&spec, &mut report);
    }
    shape::check_set(&root, &mut report);
    let network = spec.get("network");
    if network.is_set() && settings.mode == Mode::Managed {
        report.warn(
            About::Effect,
            &network,
            "not carried out in managed mode: servers have the addresses of their pods",
        );
    }
    report.into_findings()
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
