//! The pod template.

use super::{
    field::{Field, quoted},
    finding::Report,
    name,
};
use crate::names;

/// `set`: the name of the set, which its pods' owner label has to say if it says anything.
pub(super) fn check(template: &Field<'_>, set: Option<&str>, report: &mut Report) {
    if !template.is_set() {
        return report.refuse(&template.path, "missing; write a pod template, with spec.containers");
    }
    template.expect_map(report);
    metadata(&template.get("metadata"), set, report);
    let spec = template.get("spec");
    containers(&spec, report);
    claims(&template.get("volumeClaimTemplates"), report);
    let policy = spec.get("restartPolicy");
    if let Some(text) = policy.text(report).filter(|text| !["", "Always"].contains(text)) {
        report.refuse(
            &policy.path,
            format!(
                "{}: a game server runs until its set removes it; write Always, or leave it out",
                quoted(text)
            ),
        );
    }
    let deadline = spec.get("activeDeadlineSeconds");
    if deadline.is_set() {
        report.refuse(
            &deadline.path,
            format!("{}: it would end the game server whoever plays on it; leave it out", deadline.value),
        );
    }
}

fn metadata(metadata: &Field<'_>, set: Option<&str>, report: &mut Report) {
    for (map, is_label) in [("labels", true), ("annotations", false)] {
        let map = metadata.get(map);
        map.expect_map(report);
        for (key, field) in map.entries() {
            name::key_of(if is_label { "label" } else { "annotation" }, key, &field, report);
            let Some(value) = name::value_of(is_label, &field, report).filter(|_| is_label) else { continue };
            if key == names::OWNER_GSS && set.is_some_and(|set| set != value) {
                report.refuse(
                    &field.path,
                    format!(
                        "{} is another set: its servers would be mixed with this one's; leave it out",
                        quoted(value)
                    ),
                );
            }
        }
    }
}

fn containers(spec: &Field<'_>, report: &mut Report) {
    let list = spec.get("containers");
    list.expect_list(report);
    if list.is_empty_list() {
        report.refuse(&list.path, "none; write at least one, with its name and image");
    }
    let all = || list.items().chain(spec.get("initContainers").items());
    name::each_once(all(), report);
    for container in all() {
        name::dns_label(&container.get("name"), report);
    }
}

fn claims(claims: &Field<'_>, report: &mut Report) {
    claims.expect_list(report);
    for field in claims.items().map(|claim| claim.get("metadata").get("name")) {
        match field.value.as_str().unwrap_or_default() {
            "" => report.refuse(&field.path, "missing; write the name of the volume that it is for"),
            _ => name::dns_label(&field, report),
        }
    }
}
