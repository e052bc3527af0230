//! The numbers of a probe, defaults filled in.

use std::time::Duration;

use crate::types::ServiceQuality;

/// How a quality is probed. A number that is left out, 0 or negative counts as its default (design §3,
/// §3.9; admission refuses negative ones).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// From the container's start to the first probe. Default 10 s.
    pub initial_delay: Duration,
    /// After which a probe counts as failed. Default 5 s.
    pub timeout: Duration,
    /// From the start of one probe to the start of the next. Default 3 s.
    pub period: Duration,
    /// Successes in a row that make the quality true. Default 1.
    pub success_threshold: u32,
    /// Failures in a row that make the quality false. Default 3.
    pub failure_threshold: u32,
}

impl ProbeSettings {
    /// The settings of a quality.
    #[must_use]
    pub fn of(quality: &ServiceQuality) -> Self {
        let seconds = |value, default| Duration::from_secs(u64::from(or_default(value, default)));
        Self {
            initial_delay: seconds(quality.initial_delay_seconds, 10),
            timeout: seconds(quality.timeout_seconds, 5),
            period: seconds(quality.period_seconds, 3),
            success_threshold: or_default(quality.success_threshold, 1),
            failure_threshold: or_default(quality.failure_threshold, 3),
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
}
