//! What commands in containers cost, where no node prober runs them.

use super::{
    field::Field,
    finding::{About, Report},
};
use crate::quality::PERIOD;

/// Processor time of a command that the container runtime starts, in milliseconds; measured, and through the API
/// server it is more.
const COMMAND: u64 = 22;

/// Servers of a set, as the definition has it.
const MOST_SERVERS: u64 = 1_000_000;

/// Warns of a set whose commands take more than a core of the cluster.
pub(super) fn check(spec: &Field<'_, '_>, report: &mut Report) {
    let qualities = spec.get("serviceQualities");
    // More are refused.
    let servers =
        spec.peek("replicas").as_u64().filter(|servers| *servers <= MOST_SERVERS).unwrap_or_default();
    let periods: Vec<u64> = qualities
        .items()
        .filter(|quality| !quality.peek("exec").is_null())
        .map(|quality| {
            let period = quality.peek("periodSeconds").as_u64().filter(|seconds| *seconds > 0);
            period.unwrap_or(PERIOD.into())
        })
        .collect();
    // Milliseconds of processor time in 1,000 seconds: no fractions, and nothing that overflows is missed.
    let each: u64 = periods.iter().map(|period| COMMAND * 1000 / period).sum();
    let thousandths = servers.saturating_mul(each) / 1000;
    if thousandths > 1000 {
        let times = thousandths.div_ceil(1000);
        report.warn(
            About::Load,
            &qualities,
            format!(
                "exec in {servers} servers takes about {}.{} cores; periods {times} times as long take one",
                thousandths / 1000,
                thousandths % 1000 / 100
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn more_than_a_core_is_said() {
        let said = |servers: u64, qualities: Value| {
            let spec = json!({"replicas": servers, "serviceQualities": qualities});
            let mut report = Report::default();
            check(&Field::root(&spec), &mut report);
            report.into_findings().into_iter().map(|finding| finding.message).collect::<Vec<_>>()
        };
        let command = |period: u64| json!({"exec": {}, "periodSeconds": period});
        assert_eq!(said(136, json!([command(3)])), [""; 0]);
        assert_eq!(said(1_000_000, json!([{"tcpSocket": {}}])), [""; 0]);
        assert_eq!(
            said(250, json!([command(0)])),
            ["exec in 250 servers takes about 1.8 cores; periods 2 times as long take one"]
        );
        assert_eq!(said(250, json!([command(3), command(3)])).len(), 1);
        assert_eq!(said(1_000_000, json!([command(1)])).len(), 1);
        assert_eq!(said(u64::MAX, json!([command(1)])), [""; 0]);
    }
}
