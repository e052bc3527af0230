//! What is said about an object.

use std::{
    collections::HashSet,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

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
    /// What the probes of so many servers cost.
    Load,
    /// What comes late.
    Delay,
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
    /// Of what it is, wherever that stands in its list.
    #[serde(skip)]
    subject: u64,
}

impl Finding {
    /// Of what it is: the same of the same thing is the same mistake, wherever that stands in its list.
    pub(super) fn subject(&self) -> u64 {
        self.subject
    }

    /// Whether it is about what so many servers cost, which changes with their number.
    pub(super) fn is_about_load(&self) -> bool {
        self.about == Some(About::Load)
    }
}

/// The same for what is wrong as before: the entry of a list by its name (`within`), the place in it, and the value. What
/// is wrong with a list or map as a whole is told from its message, or any change in it would be a new mistake.
fn subject(within: &str, field: &Field<'_, '_>, message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    within.hash(&mut hasher);
    field.way.hash_names(&mut hasher);
    match field.value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::Bool(value) => value.hash(&mut hasher),
        Value::Number(value) => value.hash(&mut hasher),
        Value::String(value) => value.hash(&mut hasher),
        Value::Array(_) | Value::Object(_) => message.hash(&mut hasher),
    }
    hasher.finish()
}

fn hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The mistakes of an object, in the order of its fields. Nobody reads a thousand of them: there is a bound to both kinds, so
/// that what is sent to a webhook cannot make it hold much more than was sent. Warnings never take an error's place.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
    /// The name of the entry that is looked at.
    within: String,
    warnings: usize,
    /// Hashes of the paths of errors.
    refused: HashSet<u64>,
}

/// Errors. More than can be told, so that those of an old object can be told from new ones.
const MOST: usize = 10_000;
/// Warnings.
const MOST_WARNINGS: usize = 200;

/// An answer tells no more (webhook, MOST_MISTAKES).
const LONG: usize = 50;

impl Report {
    pub(super) fn refuse(&mut self, field: &Field<'_, '_>, message: impl Into<String>) {
        if !self.is_full() {
            let path = field.path();
            self.refused.insert(hash(&path));
            self.say(Severity::Error, field, path, None, message.into());
        }
    }

    pub(super) fn warn(&mut self, about: About, field: &Field<'_, '_>, message: impl Into<String>) {
        if self.warnings < MOST_WARNINGS {
            self.warnings += 1;
            self.say(Severity::Warning, field, field.path(), Some(about), message.into());
        }
    }

    fn say(
        &mut self,
        severity: Severity,
        field: &Field<'_, '_>,
        path: String,
        about: Option<About>,
        message: String,
    ) {
        let subject = subject(&self.within, field, &message);
        self.findings.push(Finding { severity, path, message, about, subject });
    }

    /// What is said from now on is said of the entry of this name; of none, where it is empty.
    pub(super) fn within(&mut self, name: &str) {
        const LONGEST: usize = 64;
        self.within.clear();
        self.within.extend(name.chars().take(LONGEST));
    }

    /// Whether no more errors are kept: looking on is of no use.
    pub(super) fn is_full(&self) -> bool {
        self.findings.len() - self.warnings >= MOST
    }

    /// Whether there are so many that nobody reads them all: what only helps to mend them is left out.
    pub(super) fn is_long(&self) -> bool {
        self.findings.len() >= LONG
    }

    /// Whether something at the path is refused already.
    pub(super) fn refuses(&self, path: &str) -> bool {
        self.refused.contains(&hash(path))
    }

    /// All of them: what is refused in the order of the fields, then the warnings, what matters most first.
    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| (finding.severity, finding.about));
        self.findings
    }
}
