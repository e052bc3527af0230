//! Names: of the set, and of entries that are told apart by theirs.

use std::collections::BTreeSet;

use super::{
    field::{Field, quoted},
    finding::Report,
};

/// What is wrong with a DNS label (RFC 1123), which names of containers, Services and volumes are, if anything is.
pub(super) fn dns_label_problem(text: &str) -> Option<&'static str> {
    let within = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.len() > 63 {
        Some("it is longer than 63 characters")
    } else if !text.bytes().all(within) || text.starts_with('-') || text.ends_with('-') {
        Some("it has other characters than lower case letters, digits, and dashes inside")
    } else {
        None
    }
}

/// The name of a set, from which its servers have theirs: `<name>-<ordinal>`, a host name and a label value of at
/// most 63 characters.
pub(super) fn of_set(metadata: &Field<'_>, report: &mut Report) {
    /// With room for the dash and ten digits.
    const LONGEST: usize = 52;
    /// The API server adds five characters.
    const LONGEST_PREFIX: usize = LONGEST - 5;
    let (name, prefix) = (metadata.get("name"), metadata.get("generateName"));
    let generated = !name.is_set() && prefix.is_set();
    let (field, longest) = if generated { (prefix, LONGEST_PREFIX) } else { (name, LONGEST) };
    let Some(text) = field.text(report) else { return };
    let judged = if generated { text.trim_end_matches('-') } else { text };
    let problem = if text.len() > longest { Some("it is too long") } else { dns_label_problem(judged) };
    if let Some(problem) = problem {
        report.refuse(
            &field.path,
            format!(
                "{} cannot begin its servers' names, which are host names: {problem}; write at most {longest} lower case \
                 letters, digits and dashes",
                quoted(text)
            ),
        );
    }
}

/// A name that has to be a DNS label.
pub(super) fn dns_label(field: &Field<'_>, report: &mut Report) {
    let Some(text) = field.text(report) else { return };
    if let Some(problem) = dns_label_problem(text) {
        report.refuse(
            &field.path,
            format!("{} is no name: {problem}; write one as \"minecraft\"", quoted(text)),
        );
    }
}

/// Entries that need a `name` each, and no name twice.
pub(super) fn each_once<'a>(entries: impl Iterator<Item = Field<'a>>, report: &mut Report) {
    let mut names = BTreeSet::new();
    for field in entries.map(|entry| entry.get("name")) {
        match field.text(report) {
            None if field.is_set() => {}
            None | Some("") => report.refuse(&field.path, "missing; write the name of the container"),
            Some(name) => {
                if !names.insert(name) {
                    report.refuse(
                        &field.path,
                        format!("{} is there twice; write each container once", quoted(name)),
                    );
                }
            }
        }
    }
}
