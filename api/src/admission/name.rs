//! Names: of the set, and of entries that are told apart by theirs.

use std::collections::BTreeSet;

use super::{
    field::{Field, quoted},
    finding::Report,
};
use crate::quality::{dns_label_problem, key_problem, label_value_problem};

/// The name of a set, from which its servers have theirs: `<name>-<ordinal>`, a host name and a label value of at
/// most 63 characters.
pub(super) fn of_set(metadata: &Field<'_, '_>, report: &mut Report) {
    /// With room for the dash and ten digits.
    const LONGEST: usize = 52;
    /// The API server adds five characters.
    const LONGEST_PREFIX: usize = LONGEST - 5;
    let (name, prefix) = (metadata.get("name"), metadata.get("generateName"));
    let generated = !name.is_set() && prefix.is_set();
    if !generated && !name.is_set() {
        return report.refuse(&name, "missing; write a name, as \"minecraft\", or generateName");
    }
    let (field, longest) = if generated { (prefix, LONGEST_PREFIX) } else { (name, LONGEST) };
    let Some(text) = field.text(report) else { return };
    let judged = if generated { text.trim_end_matches('-') } else { text };
    let problem = if text.len() > longest { Some("it is too long") } else { dns_label_problem(judged) };
    if let Some(problem) = problem {
        report.refuse(
            &field,
            format!(
                "{} cannot begin its servers' names, which are host names: {problem}; write at most {longest} lower case \
                 letters, digits and dashes",
                quoted(text)
            ),
        );
    }
}

/// A name that has to be a DNS label.
pub(super) fn dns_label(field: &Field<'_, '_>, report: &mut Report) {
    let Some(text) = field.text(report) else { return };
    if let Some(problem) = dns_label_problem(text) {
        report.refuse(field, format!("{} is no name: {problem}; write one as \"minecraft\"", quoted(text)));
    }
}

/// The key of a label or an annotation (`what`), with the place of its value.
pub(super) fn key_of(what: &str, key: &str, field: &Field<'_, '_>, report: &mut Report) {
    if let Some(problem) = key_problem(key) {
        report.refuse(field, format!("{} is no key of a {what}: {problem}", quoted(key)));
    }
}

/// The value of a label or, where anything goes, of an annotation.
pub(super) fn value_of<'a>(is_label: bool, field: &Field<'_, 'a>, report: &mut Report) -> Option<&'a str> {
    let value = field.text(report)?;
    if let Some(problem) = label_value_problem(value).filter(|_| is_label) {
        report.refuse(field, format!("{} is no value of a label: {problem}", quoted(value)));
    }
    Some(value)
}

/// Entries that need a `name` each, and no name twice.
pub(super) fn each_once<'t, 'a: 't>(entries: impl Iterator<Item = Field<'t, 'a>>, report: &mut Report) {
    let mut names = BTreeSet::new();
    for entry in entries {
        let field = entry.get("name");
        match field.text(report) {
            None if field.is_set() => {}
            None | Some("") => report.refuse(&field, "missing; write the name of the container"),
            Some(name) => {
                if !names.insert(name) {
                    report.refuse(
                        &field,
                        format!("{} is there twice; write each container once", quoted(name)),
                    );
                }
            }
        }
    }
}
