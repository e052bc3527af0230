//! What Kubernetes takes as a label value.

/// Whether `value` may stand in a label: at most 63 characters, alphanumeric at both ends, `-`, `_` and
/// `.` between; or empty.
#[must_use]
pub(crate) fn is_label_value(value: &str) -> bool {
    let alphanumeric = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    value.len() <= 63
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_judged_as_kubernetes_does() {
        for (value, valid) in [
            ("", true),
            ("None", true),
            ("a-b_c.d", true),
            ("-a", false),
            ("a.", false),
            ("in use", false),
            (&"a".repeat(63), true),
            (&"a".repeat(64), false),
        ] {
            assert_eq!(is_label_value(value), valid, "{value:?}");
        }
    }
}
