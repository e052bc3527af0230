//! What is said about an object.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::field::Field;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot work, and is refused.
    Error,
    /// It probably does not do what was meant.
    Warning,
}

/// What a warning is about, what matters most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// A state that does not mean what its author thinks: servers are removed, or kept, that should not be.
    State,
    /// Something that has no effect, or one that stays.
    Effect,
    /// Who wins where two disagree.
    Conflict,
    /// A field that nobody here knows.
    Unknown,
    /// What it costs, in time or processors.
    Cost,
    /// A blemish.
    Blemish,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, as Kubernetes writes it: `spec.serviceQualities[0].exec.command`.
    pub path: String,
    /// What is there, and what to write instead.
    pub message: String,
    /// What a warning is about; `None` of what is refused.
    #[serde(skip)]
    about: Option<About>,
    /// What stands at the path.
    #[serde(skip)]
    value: Value,
}

impl Finding {
    /// Of what it is, wherever that stands in its list: the same of the same thing is the same mistake.
    pub(super) fn subject(&self) -> (Vec<&str>, &Value) {
        (place(&self.path).collect(), &self.value)
    }
}

/// A path without the places in lists; keys of maps stay.
fn place(path: &str) -> impl Iterator<Item = &str> {
    path.split(['[', ']']).filter(|step| step.is_empty() || !step.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The mistakes of an object, in the order of its fields. Nobody reads a thousand of them: further ones are not kept, so
/// that what is sent to a webhook cannot make it hold more than was sent.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

const MOST: usize = 1000;

/// An answer tells no more (webhook, MOST_MISTAKES).
const LONG: usize = 50;

impl Report {
    pub(super) fn refuse(&mut self, field: &Field<'_>, message: impl Into<String>) {
        self.say(Severity::Error, field, None, message.into());
    }

    pub(super) fn warn(&mut self, about: About, field: &Field<'_>, message: impl Into<String>) {
        self.say(Severity::Warning, field, Some(about), message.into());
    }

    fn say(&mut self, severity: Severity, field: &Field<'_>, about: Option<About>, message: String) {
        if self.is_full() {
            return;
        }
        let (path, value) = (field.path.clone(), field.value.clone());
        self.0.push(Finding { severity, path, message, about, value });
    }

    /// Whether no more is kept: looking on is of no use.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Whether there are so many that nobody reads them all: what only helps to mend them is left out.
    pub(super) fn is_long(&self) -> bool {
        self.0.len() >= LONG
    }

    /// Whether something at the path is refused already.
    pub(super) fn refuses(&self, path: &str) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error && finding.path == path)
    }

    /// All of them: what is refused in the order of the fields, then the warnings, what matters most first.
    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| (finding.severity, finding.about));
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_wherever_it_stands_in_a_list() {
        let same = |a: &str, b: &str| place(a).eq(place(b));
        assert!(same("spec.q[0].a[12].labels[x]", "spec.q[3].a[0].labels[x]"));
        assert!(!same("spec.labels[x]", "spec.labels[y]"));
        assert!(!same("spec.a[0].b", "spec.a[0].c"));
    }
}
