//! What is said about an object.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot work, and is refused.
    Error,
    /// It probably does not do what was meant.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, as Kubernetes writes it: `spec.serviceQualities[0].exec.command`.
    pub path: String,
    /// What is there, and what to write instead.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The mistakes of an object, in the order of its fields.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn refuse(&mut self, path: &str, message: impl Into<String>) {
        self.say(Severity::Error, path, message.into());
    }

    pub(super) fn warn(&mut self, path: &str, message: impl Into<String>) {
        self.say(Severity::Warning, path, message.into());
    }

    fn say(&mut self, severity: Severity, path: &str, message: String) {
        self.0.push(Finding { severity, path: path.to_owned(), message });
    }

    /// All of them, what is refused first.
    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| finding.severity);
        self.0
    }
}
