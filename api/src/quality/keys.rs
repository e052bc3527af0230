//! Which labels and annotations an action may write (design §3.6, §3.8).

use crate::names;

/// Whether actions may not touch the key: it is OpenKruiseGame's or ours.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.starts_with(names::OKG) || key.starts_with(names::OURS)
}

/// What is wrong with the key of a label or an annotation, if anything is: Kubernetes wants
/// `[prefix/]name`, the prefix a DNS name.
#[must_use]
pub fn key_problem(key: &str) -> Option<&'static str> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if prefix.is_some_and(|prefix| !is_dns_name(prefix)) {
        return Some("its prefix is no DNS name (lower case letters, digits, '-' and '.')");
    }
    if name.is_empty() {
        return Some("it has no name");
    }
    label_value_problem(name)
}

/// What is wrong with the value of a label, if anything is.
#[must_use]
pub fn label_value_problem(value: &str) -> Option<&'static str> {
    let ends = |end: Option<&u8>| end.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    if bytes.len() > 63 {
        Some("it is longer than 63 characters")
    } else if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b)) {
        Some("it has other characters than letters, digits, '-', '_' and '.'")
    } else if !ends(bytes.first()) || !ends(bytes.last()) {
        Some("it does not begin and end with a letter or digit")
    } else {
        None
    }
}

/// What is wrong with a DNS label (RFC 1123), which names of containers, Services and volumes are, if anything is. The
/// empty one is for the caller to judge.
#[must_use]
pub fn dns_label_problem(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        Some("it is longer than 63 characters")
    } else if !is_of_dns(text) {
        Some("it has other characters than lower case letters, digits, and dashes inside")
    } else {
        None
    }
}

fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|part| !part.is_empty() && is_of_dns(part))
}

fn is_of_dns(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !part.starts_with('-')
        && !part.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_judged_as_kubernetes_does() {
        for (key, problem) in [
            ("players", None),
            ("gs-sync/players", None),
            ("example.com/Players_1.x", None),
            ("", Some("it has no name")),
            ("example.com/", Some("it has no name")),
            ("/name", Some("its prefix is no DNS name (lower case letters, digits, '-' and '.')")),
            ("Example.com/name", Some("its prefix is no DNS name (lower case letters, digits, '-' and '.')")),
            ("a..b/name", Some("its prefix is no DNS name (lower case letters, digits, '-' and '.')")),
            ("a/b/c", Some("it has other characters than letters, digits, '-', '_' and '.'")),
            ("two words", Some("it has other characters than letters, digits, '-', '_' and '.'")),
            ("-x", Some("it does not begin and end with a letter or digit")),
            (&"x".repeat(64), Some("it is longer than 63 characters")),
        ] {
            assert_eq!(key_problem(key), problem, "{key:?}");
        }
    }

    #[test]
    fn label_values_may_be_empty() {
        assert_eq!(label_value_problem(""), None);
        assert_eq!(label_value_problem("x."), Some("it does not begin and end with a letter or digit"));
    }

    #[test]
    fn the_keys_of_others_are_reserved() {
        for (key, reserved) in [
            ("game.kruise.io/owner-gss", true),
            ("gamewarden.dev/verdicts", true),
            ("Gamewarden.dev/verdicts", true),
            ("gs-sync/game", false),
            ("players", false),
            ("my.game.kruise.io/x", false),
        ] {
            assert_eq!(is_reserved(key), reserved, "{key}");
        }
    }
}
