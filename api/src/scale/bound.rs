//! `maxUnavailable`: a number, or a percentage of the replicas.

use crate::types::IntOrString;

/// A bound that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: neither a number of 1 or more nor a percentage; write 1 or \"20%\"")]
pub struct BoundError(String);

/// How many servers may be unavailable. A percentage is rounded down, but is never less than 1: a bound
/// of 0 would let nothing happen for ever.
///
/// # Errors
/// When the value is neither a number of 1 or more nor a percentage above 0.
pub fn max_unavailable(bound: &IntOrString, replicas: i32) -> Result<usize, BoundError> {
    let replicas = usize::try_from(replicas).unwrap_or(0);
    let (value, number) = match bound {
        IntOrString::Int(number) => (number.to_string(), usize::try_from(*number).ok()),
        IntOrString::String(text) => {
            let percent = text.trim().strip_suffix('%').and_then(|p| p.parse::<u32>().ok());
            let share = percent.filter(|p| *p > 0).map(|percent| {
                let share = replicas.saturating_mul(usize::try_from(percent).unwrap_or(usize::MAX)) / 100;
                share.max(1)
            });
            (format!("{text:?}"), share)
        }
    };
    number.filter(|n| *n > 0).ok_or(BoundError(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_down_and_at_least_one() {
        let text = |t: &str| IntOrString::String(t.into());
        for (bound, replicas, expected) in [
            (IntOrString::Int(2), 10, 2),
            (text("20%"), 10, 2),
            (text("29%"), 10, 2),
            (text("20%"), 3, 1),
            (text("100%"), 3, 3),
            (text("100%"), 0, 1),
        ] {
            assert_eq!(max_unavailable(&bound, replicas), Ok(expected), "{bound:?} of {replicas}");
        }
        for (bound, value) in [
            (IntOrString::Int(0), "0"),
            (IntOrString::Int(-1), "-1"),
            (text("0%"), "\"0%\""),
            (text("5"), "\"5\""),
            (text("x%"), "\"x%\""),
        ] {
            assert_eq!(
                max_unavailable(&bound, 10).unwrap_err().to_string(),
                format!("{value}: neither a number of 1 or more nor a percentage; write 1 or \"20%\"")
            );
        }
    }
}
