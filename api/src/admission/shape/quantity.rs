//! What the API server takes for a quantity when it is written as text.

/// Whether it is one: a number with a sign or without, and a suffix (`m`, `k`, `Mi`, …) or a power of ten (`e3`).
/// The rule is Kubernetes' own (apimachinery, `resource.ParseQuantity`).
pub(super) fn is_one(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let is_number = number.bytes().filter(|byte| *byte == b'.').count() <= 1
        && number.bytes().any(|byte| byte.is_ascii_digit());
    is_number && is_suffix(suffix)
}

fn is_suffix(suffix: &str) -> bool {
    const SUFFIXES: [&str; 16] =
        ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if SUFFIXES.contains(&suffix) {
        return true;
    }
    let Some(power) = suffix.strip_prefix(['e', 'E']) else { return false };
    let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
    !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_takes_these_and_no_others() {
        for text in [
            "1", "0.5", ".5", "5.", "-1", "+1", "500m", "1k", "1Ki", "1Gi", "1E", "1e3", "1E-3", "12e+06",
            "1n",
        ] {
            assert!(is_one(text), "{text}");
        }
        for text in [
            "", "m", "1Gib", "1 Gi", "1GB", "1gi", "1K", "1..2", "1.2.3", "--1", "1e", "1e3x", "1mi", "one",
            "\u{661}",
        ] {
            assert!(!is_one(text), "{text}");
        }
    }
}
