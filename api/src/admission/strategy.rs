//! Reserved ids, and the strategies of updates and scale-down.

use std::{collections::BTreeSet, ops::RangeInclusive};

use serde_json::Value;

use super::{
    field::{Field, shown},
    finding::{About, Report},
    near::{between, one_of},
};
use crate::{scale::parse_reserve_id, types::IntOrString};

/// Everything of a set's spec that is neither the template nor a quality.
pub(super) fn check(spec: &Field<'_, '_>, report: &mut Report) {
    replicas(&spec.get("replicas"), report);
    reserve_ids(&spec.get("reserveGameServerIds"), report);
    let update = spec.get("updateStrategy");
    one_of(&update.get("type"), &["RollingUpdate", "OnDelete"], report);
    let rolling = update.get("rollingUpdate");
    one_of(&rolling.get("podUpdatePolicy"), &["ReCreate", "InPlaceIfPossible", "InPlaceOnly"], report);
    max_unavailable(&rolling.get("maxUnavailable"), report);
    between(&rolling.get("minReadySeconds"), 0, 300, report);
    between(&rolling.get("partition"), 0, i64::from(i32::MAX), report);
    let in_place = rolling.get("inPlaceUpdateStrategy");
    between(&in_place.get("gracePeriodSeconds"), 0, i64::from(i32::MAX), report);
    let scale = spec.get("scaleStrategy");
    max_unavailable(&scale.get("maxUnavailable"), report);
    one_of(&scale.get("scaleDownStrategyType"), &["General", "ReserveIds"], report);
    one_of(&spec.get("gameServerTemplate").get("reclaimPolicy"), &["Cascade", "Delete"], report);
    for when in ["whenDeleted", "whenScaled"] {
        one_of(&spec.get("persistentVolumeClaimRetentionPolicy").get(when), &["Retain", "Delete"], report);
    }
}

fn replicas(field: &Field<'_, '_>, report: &mut Report) {
    if !field.is_set() {
        return report.refuse(field, "missing; write how many game servers there should be, from 0");
    }
    between(field, 0, 1_000_000, report);
}

fn max_unavailable(field: &Field<'_, '_>, report: &mut Report) {
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
            field,
            format!(
                "{} is neither a number from 1 nor a percentage from 1% to 100%; write 1 or \"20%\", or leave it out \
                 for the default",
                shown(field.value)
            ),
        );
    }
}

fn reserve_ids(field: &Field<'_, '_>, report: &mut Report) {
    field.expect_list(report);
    let mut ranges = Vec::new();
    for (index, item) in field.items().enumerate() {
        let Ok(entry) = serde_json::from_value::<IntOrString>(item.value.clone()) else {
            let wanted = "an ordinal; write a number such as 5, or a range such as \"5-7\"";
            item.expect(false, wanted, report);
            continue;
        };
        match parse_reserve_id(&entry) {
            Ok(range) => ranges.push((range, index)),
            Err(fault) => report.refuse(&item, format!("{}: {fault}", shown(item.value))),
        }
    }
    for index in twice(ranges) {
        if let Some(item) = field.items().nth(index) {
            report.warn(
                About::Blemish,
                &item,
                format!("{} is reserved already by an entry before it", shown(item.value)),
            );
        }
    }
}

/// The entries that reserve what another before them does.
fn twice(mut ranges: Vec<(RangeInclusive<u32>, usize)>) -> BTreeSet<usize> {
    /// More are not told.
    const MOST: usize = 8;
    ranges.sort_unstable_by_key(|(range, index)| (*range.start(), *index));
    let mut found = BTreeSet::new();
    let mut furthest: Option<(u32, usize)> = None;
    for (range, index) in ranges {
        match furthest {
            Some((last, by)) if *range.start() <= last => {
                found.insert(index.max(by));
                if found.len() > MOST {
                    found.pop_last();
                }
                if *range.end() > last {
                    furthest = Some((*range.end(), index));
                }
            }
            _ => furthest = Some((*range.end(), index)),
        }
    }
    found
}
