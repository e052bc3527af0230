//! The numbers of a probe, defaults filled in.

use std::time::Duration;

use crate::types::ServiceQuality;

/// Default of `initialDelaySeconds`. The documentation of the fields (`types/quality.rs`) names the same ones.
pub(crate) const INITIAL_DELAY: u32 = 10;
/// Default of `timeoutSeconds`.
pub(crate) const TIMEOUT: u32 = 5;
/// Default of `periodSeconds`.
pub(crate) const PERIOD: u32 = 3;
/// Default of `successThreshold`.
pub(crate) const SUCCESS_THRESHOLD: u32 = 1;
/// Default of `failureThreshold`.
pub(crate) const FAILURE_THRESHOLD: u32 = 3;

/// How a quality is probed. A number that is left out, 0 or negative counts as its default (design §3,
/// §3.9; admission refuses negative ones).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// From the container's start to the first probe.
    pub initial_delay: Duration,
    /// After which a probe counts as failed.
    pub timeout: Duration,
    /// From the start of one probe to the start of the next.
    pub period: Duration,
    /// Successes in a row that make the quality true.
    pub success_threshold: u32,
    /// Failures in a row that make the quality false.
    pub failure_threshold: u32,
}

impl ProbeSettings {
    /// The settings of a quality.
    #[must_use]
    pub fn of(quality: &ServiceQuality) -> Self {
        let seconds = |value, default| Duration::from_secs(u64::from(or_default(value, default)));
        Self {
            initial_delay: seconds(quality.initial_delay_seconds, INITIAL_DELAY),
            timeout: seconds(quality.timeout_seconds, TIMEOUT),
            period: seconds(quality.period_seconds, PERIOD),
            success_threshold: or_default(quality.success_threshold, SUCCESS_THRESHOLD),
            failure_threshold: or_default(quality.failure_threshold, FAILURE_THRESHOLD),
        }
    }
}

fn or_default(value: Option<i32>, default: u32) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_zero_or_negative_is_the_default() {
        for unset in [None, Some(0), Some(-1), Some(i32::MIN)] {
            let quality = ServiceQuality {
                initial_delay_seconds: unset,
                timeout_seconds: unset,
                period_seconds: unset,
                success_threshold: unset,
                failure_threshold: unset,
                ..ServiceQuality::default()
            };
            let expected = ProbeSettings {
                initial_delay: Duration::from_secs(10),
                timeout: Duration::from_secs(5),
                period: Duration::from_secs(3),
                success_threshold: 1,
                failure_threshold: 3,
            };
            assert_eq!(ProbeSettings::of(&quality), expected, "{unset:?}");
        }
    }

    #[test]
    fn what_is_set_counts() {
        let quality = ServiceQuality {
            initial_delay_seconds: Some(1),
            timeout_seconds: Some(2),
            period_seconds: Some(4),
            success_threshold: Some(6),
            failure_threshold: Some(7),
            ..ServiceQuality::default()
        };
        let expected = ProbeSettings {
            initial_delay: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            period: Duration::from_secs(4),
            success_threshold: 6,
            failure_threshold: 7,
        };
        assert_eq!(ProbeSettings::of(&quality), expected);
    }

    #[test]
    fn the_documentation_of_the_fields_names_the_same_defaults() {
        let schema = serde_json::to_value(schemars::schema_for!(ServiceQuality)).unwrap();
        for (field, default) in [
            ("initialDelaySeconds", INITIAL_DELAY),
            ("timeoutSeconds", TIMEOUT),
            ("periodSeconds", PERIOD),
            ("successThreshold", SUCCESS_THRESHOLD),
            ("failureThreshold", FAILURE_THRESHOLD),
        ] {
            let text = schema["properties"][field]["description"].as_str().unwrap();
            assert!(text.ends_with(&format!("Default {default}.")), "{field}: {text}");
        }
    }
}
