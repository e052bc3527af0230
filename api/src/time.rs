//! How times are written.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

/// The time cut to the second, as Kubernetes keeps times in objects.
///
/// Cut and not rounded: a time in an object must not lie in the future.
#[must_use]
pub fn truncated(time: Timestamp) -> Timestamp {
    let to_second = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
    time.round(to_second).unwrap_or(time)
}

/// RFC 3339 to the second.
#[must_use]
pub fn seconds(time: Timestamp) -> String {
    truncated(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_to_the_second() {
        let time: Timestamp = "2026-01-01T00:00:00.999Z".parse().unwrap();
        assert_eq!(seconds(time), "2026-01-01T00:00:00Z");
    }
}
