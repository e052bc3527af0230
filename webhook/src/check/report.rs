//! What was found, as text or JSON.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use gamewarden_api::admission::Severity;
use serde::Serialize;
use serde_json::Value;

use super::emit;

/// A finding, and where it was found.
#[derive(Debug, Serialize)]
pub(super) struct Note {
    /// As it was given.
    pub(super) file: String,
    /// From 1.
    pub(super) document: usize,
    /// From 1.
    pub(super) line: usize,
    /// `Kind/name`.
    pub(super) object: String,
    pub(super) severity: Severity,
    /// Within the object.
    pub(super) path: String,
    pub(super) message: String,
}

/// A file or document that could not be read.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Unreadable {
    /// As it was given.
    pub(super) file: String,
    /// From 1; `None` of the whole file.
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

/// All that is said of the files.
#[derive(Debug, Default, Serialize)]
pub(super) struct Said {
    pub(super) unreadable: Vec<Unreadable>,
    /// Files without an object.
    pub(super) empty: Vec<String>,
    #[serde(rename = "findings")]
    pub(super) notes: Vec<Note>,
    /// Objects that there are rules for.
    pub(super) checked: usize,
    /// Objects that there are none for.
    pub(super) skipped: usize,
}

impl Said {
    pub(super) fn exit_code(&self) -> u8 {
        match (self.unreadable.is_empty(), self.count(Severity::Error) > 0) {
            (false, _) => 2,
            (true, true) => 1,
            (true, false) => 0,
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.notes.iter().filter(|note| note.severity == severity).count()
    }
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// A line for each finding and a summary, with colours that the writer leaves out where it is no terminal.
pub(super) fn text(said: &Said, out: &mut impl Write) -> io::Result<()> {
    for Unreadable { file, line, message } in &said.unreadable {
        let line = line.map(|line| format!("{line}:")).unwrap_or_default();
        writeln!(out, "{file}:{line} {ERROR}error{ERROR:#}: {message}")?;
    }
    for Note { file, line, object, severity, path, message, .. } in &said.notes {
        let (style, word) = match severity {
            Severity::Error => (ERROR, "error"),
            Severity::Warning => (WARNING, "warning"),
        };
        writeln!(out, "{file}:{line}: {style}{word}{style:#}: {object}: {path}: {message}")?;
    }
    for file in &said.empty {
        writeln!(out, "{file}: note: nothing to check")?;
    }
    let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (said.count(Severity::Error), said.count(Severity::Warning));
    let skipped =
        if said.skipped > 0 { format!("; {} of other kinds skipped", said.skipped) } else { String::new() };
    writeln!(
        out,
        "{} checked: {}, {}{skipped}",
        many(said.checked, "object"),
        many(errors, "error"),
        many(warnings, "warning")
    )
}

/// One object, for programs.
pub(super) fn json(said: &Said, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, said)?;
    writeln!(out)
}

/// The objects, as documents of one YAML file.
pub(super) fn objects(objects: &[Value], out: &mut impl Write) -> io::Result<()> {
    for object in objects {
        write!(out, "---\n{}", emit::document(object).map_err(io::Error::other)?)?;
    }
    out.flush()
}
