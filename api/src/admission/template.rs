//! The pod template.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    annotations, container,
    field::{Field, quoted},
    finding::Report,
    name,
    near::{listed, suggestion},
    shape,
};
use crate::names;

/// Containers of a pod, as the definition has it.
pub(super) const MOST_CONTAINERS: usize = 64;

/// Volume claims of a set, as the definition has it.
const MOST_CLAIMS: usize = 64;

/// `set`: the name of the set, which its pods' owner label has to say if it says anything.
pub(super) fn check(template: &Field<'_, '_>, set: Option<&str>, report: &mut Report) {
    if !template.is_set() {
        return report.refuse(template, "missing; write a pod template, with spec.containers");
    }
    template.expect_map(report);
    metadata(&template.get("metadata"), set, report);
    let spec = template.get("spec");
    containers(&spec, report);
    let claims = template.get("volumeClaimTemplates");
    claims_named(&claims, report);
    mounts(&spec, &claims, report);
    let policy = spec.get("restartPolicy");
    if let Some(text) = policy.text(report).filter(|text| !["", "Always"].contains(text)) {
        report.refuse(
            &policy,
            format!(
                "{}: a game server runs until its set removes it; write Always, or leave it out",
                quoted(text)
            ),
        );
    }
    let deadline = spec.get("activeDeadlineSeconds");
    if deadline.is_set() {
        report.refuse(
            &deadline,
            format!("{}: it would end the game server whoever plays on it; leave it out", deadline.value),
        );
    }
    shape::check(template, report);
}

fn metadata(metadata: &Field<'_, '_>, set: Option<&str>, report: &mut Report) {
    annotations::check(metadata, &annotations::ON_PODS, report);
    for (map, is_label) in [("labels", true), ("annotations", false)] {
        let map = metadata.get(map);
        map.expect_map(report);
        for (key, field) in map.entries() {
            name::key_of(if is_label { "label" } else { "annotation" }, key, &field, report);
            let Some(value) = name::value_of(is_label, &field, report).filter(|_| is_label) else { continue };
            if key == names::OWNER_GSS && set.is_some_and(|set| set != value) {
                report.refuse(
                    &field,
                    format!(
                        "{} is another set: its servers would be mixed with this one's; leave it out",
                        quoted(value)
                    ),
                );
            }
        }
    }
}

fn containers(spec: &Field<'_, '_>, report: &mut Report) {
    let list = spec.get("containers");
    if list.is_empty_list() {
        report.refuse(&list, "none; write at least one, with its name and image");
    }
    let init = spec.get("initContainers");
    let mut all: Vec<_> = list.items_at_most(MOST_CONTAINERS, report).collect();
    all.extend(init.items_at_most(MOST_CONTAINERS, report));
    name::each_once(all.iter().copied(), report);
    for one in all {
        container::check(&one, report);
    }
}

/// Mounts of volumes that are not there: the API server would refuse every pod.
fn mounts(spec: &Field<'_, '_>, claims: &Field<'_, '_>, report: &mut Report) {
    let volumes = spec.get("volumes");
    let volumes = volumes.items().map(|volume| volume.peek("name"));
    let claimed = claims.items().map(|claim| claim.get("metadata").peek("name"));
    let there: Vec<&str> = volumes.chain(claimed).filter_map(Value::as_str).collect();
    let known: HashSet<&str> = there.iter().copied().collect();
    for list in ["containers", "initContainers"].map(|list| spec.get(list)) {
        for container in list.items() {
            for mount in container.get("volumeMounts").items() {
                let name = mount.get("name");
                let Some(text) = name.value.as_str().filter(|text| !known.contains(text)) else { continue };
                if report.is_full() {
                    return;
                }
                let has = if there.is_empty() { "none".to_owned() } else { listed(&there) };
                report.refuse(
                    &name,
                    format!(
                        "{} is no volume of the template (has: {has}); write it under volumes or volumeClaimTemplates{}",
                        quoted(text),
                        suggestion(text, there.iter().copied(), report)
                    ),
                );
            }
        }
    }
}

fn claims_named(claims: &Field<'_, '_>, report: &mut Report) {
    for claim in claims.items_at_most(MOST_CLAIMS, report) {
        let metadata = claim.get("metadata");
        let field = metadata.get("name");
        match field.value.as_str().unwrap_or_default() {
            "" => report.refuse(&field, "missing; write the name of the volume that it is for"),
            _ => name::dns_label(&field, report),
        }
    }
}
