//! Reserved ids, and the strategies of updates and scale-down.

use serde_json::Value;

use super::{
    field::{Field, shown},
    finding::Report,
    near::one_of,
};
use crate::{scale::ReserveIds, types::IntOrString};

/// Everything of a set's spec that is neither the template nor a quality.
pub(super) fn check(spec: &Field<'_>, report: &mut Report) {
    replicas(&spec.get("replicas"), report);
    reserve_ids(&spec.get("reserveGameServerIds"), report);
    let update = spec.get("updateStrategy");
    one_of(&update.get("type"), &["RollingUpdate", "OnDelete"], report);
    let rolling = update.get("rollingUpdate");
    one_of(&rolling.get("podUpdatePolicy"), &["ReCreate", "InPlaceIfPossible", "InPlaceOnly"], report);
    max_unavailable(&rolling.get("maxUnavailable"), report);
    between(&rolling.get("minReadySeconds"), 0, 300, report);
    between(&rolling.get("partition"), 0, i64::from(i32::MAX), report);
    let grace = rolling.get("inPlaceUpdateStrategy").get("gracePeriodSeconds");
    between(&grace, 0, i64::from(i32::MAX), report);
    let scale = spec.get("scaleStrategy");
    max_unavailable(&scale.get("maxUnavailable"), report);
    one_of(&scale.get("scaleDownStrategyType"), &["General", "ReserveIds"], report);
    one_of(&spec.get("gameServerTemplate").get("reclaimPolicy"), &["Cascade", "Delete"], report);
    for when in ["whenDeleted", "whenScaled"] {
        one_of(&spec.get("persistentVolumeClaimRetentionPolicy").get(when), &["Retain", "Delete"], report);
    }
}

fn replicas(field: &Field<'_>, report: &mut Report) {
    if !field.is_set() {
        return report.refuse(&field.path, "missing; write how many game servers there should be, from 0");
    }
    between(field, 0, 1_000_000, report);
}

fn between(field: &Field<'_>, least: i64, most: i64, report: &mut Report) {
    if let Some(number) = field.integer(report).filter(|number| !(least..=most).contains(number)) {
        report
            .refuse(&field.path, format!("{number} is out of range; write a number from {least} to {most}"));
    }
}

fn max_unavailable(field: &Field<'_>, report: &mut Report) {
    let fine = match field.value {
        Value::Null => true,
        Value::Number(number) => {
            number.as_i64().is_some_and(|number| (1..=i64::from(i32::MAX)).contains(&number))
        }
        Value::String(text) => {
            let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse().ok())
                .is_some_and(|percent: u32| (1..=100).contains(&percent))
        }
        _ => false,
    };
    if !fine {
        report.refuse(
            &field.path,
            format!(
                "{} is neither a number from 1 nor a percentage from 1% to 100%; write 1 or \"20%\", or leave it out \
                 for the default",
                shown(field.value)
            ),
        );
    }
}

fn reserve_ids(field: &Field<'_>, report: &mut Report) {
    field.expect_list(report);
    let mut seen = crate::scale::Ordinals::default();
    for item in field.items() {
        let Ok(entry) = serde_json::from_value::<IntOrString>(item.value.clone()) else {
            report.refuse(
                &item.path,
                format!(
                    "{} is not an ordinal; write a number such as 5, or a range such as \"5-7\"",
                    shown(item.value)
                ),
            );
            continue;
        };
        let read = ReserveIds::parse(std::slice::from_ref(&entry));
        for problem in &read.problems {
            report.refuse(&item.path, format!("{}: {}", problem.value, problem.fault));
        }
        if read.problems.is_empty() {
            if read.ids.without(&seen) != read.ids {
                report.warn(
                    &item.path,
                    format!("{} is reserved already by an entry before it", shown(item.value)),
                );
            }
            seen.insert_all(&read.ids);
        }
    }
}
