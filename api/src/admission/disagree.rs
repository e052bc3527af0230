//! Two qualities that can want different states of one server, and which of them it gets (design §3.5).

use super::{
    action,
    field::{Field, quoted},
    finding::{About, Report},
    near::listed,
};
use crate::{quality::wins, template::is_template, types::OpsState};

/// More pairs are not told: who has as many has read it by then.
const MOST: usize = 4;

/// Warns of each pair of qualities that can disagree.
pub(super) fn check(qualities: &Field<'_, '_>, report: &mut Report) {
    let opinions: Vec<(&str, Vec<OpsState>)> = qualities
        .items()
        .take(super::quality::MOST)
        .filter_map(|quality| Some((quality.peek("name").as_str()?, opinions(&quality))))
        .collect();
    let mut told = 0;
    for (index, (first, of_first)) in opinions.iter().enumerate() {
        for (second, of_second) in &opinions[index + 1..] {
            let pairs = of_first.iter().flat_map(|a| of_second.iter().map(move |b| (a, b)));
            for (a, b) in pairs.filter(|(a, b)| a != b) {
                told += 1;
                if told > MOST {
                    return;
                }
                let ((winner, state), (loser, other)) =
                    if wins(a, b) { ((first, a), (second, b)) } else { ((second, b), (first, a)) };
                let [state, other] = [state, other].map(|state| listed(&[state.as_str()]));
                let [winner, loser] = [winner, loser].map(|name| quoted(name));
                report.warn(
                    About::Conflict,
                    qualities,
                    format!("{state} of {winner} wins over {other} of {loser}, where both are wanted"),
                );
            }
        }
    }
}

/// The states that a quality's actions name, `None` and templates excepted, each once.
fn opinions(quality: &Field<'_, '_>) -> Vec<OpsState> {
    let mut states: Vec<OpsState> = Vec::new();
    for action in quality.get("serviceQualityAction").items().take(action::MOST) {
        let state = action.peek("opsState").as_str().filter(|text| !is_template(text)).map(OpsState::from);
        states.extend(state.filter(|state| *state != OpsState::None && !states.contains(state)));
    }
    states
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn who_wins_is_said() {
        let quality = |name: &str, on: &str, off: &str| {
            json!({"name": name, "serviceQualityAction": [
                {"state": true, "opsState": on}, {"state": false, "opsState": off},
            ]})
        };
        let said = |qualities: Value| {
            let mut report = Report::default();
            check(&Field::root(&qualities), &mut report);
            report.into_findings().into_iter().map(|finding| finding.message).collect::<Vec<_>>()
        };
        let idle = || quality("idle", "WaitToBeDeleted", "None");
        for (other, wanted) in [
            (quality("healthy", "None", "None"), None),
            (quality("empty", "WaitToBeDeleted", ""), None),
            (quality("healthy", "{{.Result}}", "None"), None),
            (
                quality("healthy", "None", "Maintaining"),
                Some(
                    "Maintaining of \"healthy\" wins over WaitToBeDeleted of \"idle\", where both are wanted",
                ),
            ),
            (
                quality("broken", "Kill", "None"),
                Some("WaitToBeDeleted of \"idle\" wins over Kill of \"broken\", where both are wanted"),
            ),
        ] {
            assert_eq!(said(json!([idle(), other])), Vec::from_iter(wanted), "{other}");
        }
        let equal = said(json!([quality("a", "Busy", "None"), quality("b", "Full", "None")]));
        assert_eq!(equal, ["Busy of \"a\" wins over Full of \"b\", where both are wanted"]);
        let many: Vec<Value> = (0..64).map(|n| quality(&n.to_string(), &format!("S{n}"), "None")).collect();
        assert_eq!(said(json!(many)).len(), MOST);
    }
}
