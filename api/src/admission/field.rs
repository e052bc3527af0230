//! A place in an object, with its path.

use serde_json::Value;

use super::{
    finding::Report,
    way::{Step, Way},
};

/// What is wanted where something else stands, and how it is written.
pub(super) const TEXT: &str = "text; write it in quotes";
/// As [`TEXT`].
pub(super) const WHOLE: &str = "a whole number; write one, as 5, without quotes";
/// As [`TEXT`].
pub(super) const TRUTH: &str = "true or false; write one of them, without quotes";
/// As [`TEXT`].
pub(super) const LIST: &str = "a list; begin each entry with \"- \"";
/// As [`TEXT`].
pub(super) const MAP: &str = "a map of fields; write \"name: value\"";

/// A value and where it stands. What is missing is null, as the API server treats it.
///
/// `'a` is the object's life, `'t` that of the fields on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'t, 'a> {
    pub(super) way: Way<'t>,
    pub(super) value: &'a Value,
}

impl<'a> Field<'_, 'a> {
    /// The object itself.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { way: Way::Begin, value }
    }

    pub(super) fn get<'t>(&'t self, key: &'t str) -> Field<'t, 'a> {
        Field { way: self.way.then(Step::Field(key)), value: self.peek(key) }
    }

    /// What stands in a field, where nothing will be said of it.
    pub(super) fn peek(&self, key: &str) -> &'a Value {
        self.value.get(key).unwrap_or(&Value::Null)
    }

    /// As Kubernetes writes it.
    pub(super) fn path(&self) -> String {
        self.way.to_string()
    }

    /// The entries of a list; none where it is no list.
    pub(super) fn items<'t>(&'t self) -> impl Iterator<Item = Field<'t, 'a>> + use<'t, 'a> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(|(index, value)| Field { way: self.way.then(Step::Index(index)), value })
    }

    /// The entries of a list, of which there may be so many; more are refused, and not looked at.
    pub(super) fn items_at_most<'t>(
        &'t self,
        most: usize,
        report: &mut Report,
    ) -> impl Iterator<Item = Field<'t, 'a>> + use<'t, 'a> {
        self.expect_list(report);
        let count = self.value.as_array().map_or(0, Vec::len);
        if count > most {
            report.refuse(self, format!("{count} entries; there can be at most {most}"));
        }
        self.items().take(most)
    }

    /// The entries of a map; none where it is no map.
    pub(super) fn entries<'t>(&'t self) -> impl Iterator<Item = (&'a str, Field<'t, 'a>)> + use<'t, 'a>
    where
        'a: 't,
    {
        let entries = self.value.as_object().into_iter().flatten();
        entries.map(|(key, value)| (key.as_str(), Field { way: self.way.then(Step::Key(key)), value }))
    }

    /// Whether there is no list, or nothing in it. What is something else is not one.
    pub(super) fn is_empty_list(&self) -> bool {
        self.value.is_null() || self.value.as_array().is_some_and(Vec::is_empty)
    }

    pub(super) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Text; what is something else is refused. `None` where there is none.
    pub(super) fn text(&self, report: &mut Report) -> Option<&'a str> {
        self.read(report, Value::as_str, TEXT)
    }

    /// A whole number; what is something else is refused. `None` where there is none.
    pub(super) fn integer(&self, report: &mut Report) -> Option<i64> {
        self.read(report, Value::as_i64, WHOLE)
    }

    /// True or false; what is something else is refused. `None` where there is none.
    pub(super) fn boolean(&self, report: &mut Report) -> Option<bool> {
        self.read(report, Value::as_bool, TRUTH)
    }

    fn read<T>(&self, report: &mut Report, read: fn(&'a Value) -> Option<T>, wanted: &str) -> Option<T> {
        if !self.is_set() {
            return None;
        }
        let found = read(self.value);
        self.expect(found.is_some(), wanted, report);
        found
    }

    /// Refuses what is there and is no list.
    pub(super) fn expect_list(&self, report: &mut Report) {
        self.expect(!self.is_set() || self.value.is_array(), LIST, report);
    }

    /// Refuses what is there and is no map.
    pub(super) fn expect_map(&self, report: &mut Report) {
        self.expect(!self.is_set() || self.value.is_object(), MAP, report);
    }

    /// Refuses what is not `wanted`, which also says what to write.
    pub(super) fn expect(&self, fits: bool, wanted: &str, report: &mut Report) {
        if !fits {
            report.refuse(self, format!("{} is not {wanted}", shown(self.value)));
        }
    }
}

/// A value as people are shown it: short, whatever it is.
pub(super) fn shown(value: &Value) -> String {
    const MOST: usize = 64;
    match value {
        Value::Object(_) => "a map of fields".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) => quoted(text),
        other => {
            let text = other.to_string();
            text.chars().take(MOST).collect()
        }
    }
}

/// Text as people are shown it, in quotes and short.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 64;
    match text.char_indices().nth(MOST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}
