//! The documents of a file, as kubectl reads them, with the line of each value.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    mem,
    rc::Rc,
};

use gamewarden_api::admission::Severity;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::Value;

use super::{path, scalar::Scalar};

/// How deep maps and lists may stand within each other; serde_json has the same limit.
const DEEPEST: usize = 128;

/// What the aliases of a document may write out to, in bytes of text and some for each value.
const MOST_ALIASED: usize = 16 << 20;

/// What a value weighs beside its text.
const VALUE: usize = 64;

/// A value, and where it is written.
#[derive(Debug)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    pub(super) data: Data,
    /// With all that aliases bring.
    weight: usize,
    /// How many maps and lists it is deep.
    depth: usize,
}

#[derive(Debug)]
pub(super) enum Data {
    /// Null, a boolean, a number or text.
    Scalar(Value),
    List(Vec<Rc<Node>>),
    Map(Vec<(String, Rc<Node>)>),
}

impl Node {
    fn new(line: usize, data: Data) -> Rc<Self> {
        let (mut weight, mut depth) = (VALUE, 0);
        let mut add = |node: &Self| {
            weight = node.weight.saturating_add(weight);
            depth = depth.max(node.depth + 1);
        };
        match &data {
            Data::Scalar(value) => weight += value.as_str().map_or(0, str::len),
            Data::List(items) => items.iter().for_each(|item| add(item)),
            Data::Map(entries) => {
                entries.iter().for_each(|(_, value)| add(value));
                weight = entries.iter().fold(weight, |sum, (key, _)| sum.saturating_add(key.len()));
            }
        }
        if !matches!(data, Data::Scalar(_)) {
            depth = depth.max(1);
        }
        Rc::new(Self { line, data, weight, depth })
    }

    pub(super) fn value(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => items.iter().map(|item| item.value()).collect(),
            Data::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.clone(), node.value())).collect())
            }
        }
    }

    /// A value that is written elsewhere, all at one line.
    fn at(line: usize, value: Value) -> Rc<Self> {
        let data = match value {
            Value::Array(items) => Data::List(items.into_iter().map(|item| Self::at(line, item)).collect()),
            Value::Object(entries) => {
                Data::Map(entries.into_iter().map(|(key, value)| (key, Self::at(line, value))).collect())
            }
            scalar => Data::Scalar(scalar),
        };
        Self::new(line, data)
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Data::Scalar(value) = &self.data { value.as_str() } else { None }
    }

    /// The items of a list; none of what is no list.
    pub(super) fn items(&self) -> &[Rc<Self>] {
        if let Data::List(items) = &self.data { items } else { &[] }
    }

    /// What a step of a path leads to.
    pub(super) fn get(&self, step: &str) -> Option<&Rc<Self>> {
        match &self.data {
            Data::Scalar(_) => None,
            Data::List(items) => items.get(step.parse::<usize>().ok()?),
            Data::Map(entries) => entries.iter().find(|(key, _)| key == step).map(|(_, node)| node),
        }
    }
}

/// A document that is not empty.
#[derive(Debug)]
pub(super) struct Document {
    /// From 1.
    pub(super) number: usize,
    pub(super) root: Rc<Node>,
    pub(super) remarks: Vec<Remark>,
}

/// What is wrong with how a document is written, though it can be read.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) severity: Severity,
    pub(super) message: String,
}

/// Why a document cannot be read.
#[derive(Debug, PartialEq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) message: String,
}

impl Unreadable {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// The documents that can be read, and why the others cannot. kubectl takes them apart by lines, before it reads any.
pub(super) fn documents(text: &str) -> (Vec<Document>, Vec<Unreadable>) {
    let mut file = File::default();
    let (mut start, mut at, mut first) = (0, 0, 1);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if let Some(after) = line.strip_prefix("---") {
            file.part(&text[start..at], first);
            (start, first) = (at + line.len(), index + 2);
            let after = after.trim();
            if !after.is_empty() && !after.starts_with('#') {
                let message =
                    "cannot be read: --- has to stand on a line of its own; kubectl takes nothing after it";
                file.unreadable.push(Unreadable::new(index + 1, message));
            }
        }
        at += line.len();
    }
    file.part(&text[start..], first);
    (file.documents, file.unreadable)
}

#[derive(Default)]
struct File {
    documents: Vec<Document>,
    unreadable: Vec<Unreadable>,
    /// How many documents there were, empty ones too.
    count: usize,
}

impl File {
    /// What is between two separators. `first` is its first line.
    fn part(&mut self, text: &str, first: usize) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // There is no document before the first separator if there is nothing to read.
        if self.count == 0 && first == 1 && is_blank(text) {
            return;
        }
        if text.trim_start().starts_with('{') && self.json(text, first) {
            return;
        }
        self.count += 1;
        if let Some((index, odd)) = text.char_indices().find(|(_, odd)| !is_printable(*odd)) {
            let line = first + text[..index].matches('\n').count();
            let message = format!("cannot be read: has the control character {odd:?}");
            return self.unreadable.push(Unreadable::new(line, message));
        }
        match read(text, first) {
            Ok(Some((root, remarks))) => {
                self.documents.push(Document { number: self.count, root, remarks });
            }
            Ok(None) => {}
            Err(error) => self.unreadable.push(error),
        }
    }

    /// JSON may hold several documents one after the other, and escapes that YAML does not have. False if it is none.
    fn json(&mut self, text: &str, first: usize) -> bool {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let mut found = Vec::new();
        let mut start = 0;
        while let Some(value) = values.next() {
            let Ok(value) = value else { return false };
            found.push((value, start..values.byte_offset()));
            start = values.byte_offset();
        }
        for (value, range) in found {
            self.count += 1;
            let line = first + text[..range.start].matches('\n').count();
            let (root, remarks) = match read(&text[range], line) {
                Ok(Some(read)) => read,
                _ => (Node::at(line, value), Vec::new()),
            };
            self.documents.push(Document { number: self.count, root, remarks });
        }
        true
    }
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// What YAML takes in a file.
pub(super) fn is_printable(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// What the parser says of a tab between a key and its value, which kubectl takes.
const TAB: &str = "':' must be followed by a valid YAML whitespace";

/// How many such tabs a document may have: it is read again for each.
const MOST_TABS: usize = 100;

/// A document, and what is wrong with how it is written; `None` where it is empty.
fn read(text: &str, first: usize) -> Read<Option<(Rc<Node>, Vec<Remark>)>> {
    let mut text = Cow::Borrowed(text);
    let mut tabs = 0;
    loop {
        let mut reader = Reader::new(&text, first);
        let read = reader.document();
        let Some(tab) = reader.tab.filter(|_| tabs < MOST_TABS) else { return read };
        tabs += 1;
        let end = text.char_indices().nth(tab).map_or(text.len(), |(at, _)| at);
        let start = text[..end].trim_end_matches(['\t', ' ']).len();
        let spaces = " ".repeat(end - start);
        text.to_mut().replace_range(start..end, &spaces);
    }
}

/// Reads one document.
struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// How many lines there are before it.
    before: usize,
    anchors: HashMap<usize, Rc<Node>>,
    aliased: usize,
    /// Where the parser does not like the tab that is before it, in characters.
    tab: Option<usize>,
    path: Vec<path::Step>,
    remarks: Vec<Remark>,
}

type Read<T> = Result<T, Unreadable>;

impl<'a> Reader<'a> {
    fn new(text: &'a str, first: usize) -> Self {
        Self {
            text,
            parser: Parser::new_from_str(text),
            before: first - 1,
            anchors: HashMap::new(),
            aliased: 0,
            tab: None,
            path: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// The document; `None` where it is empty.
    fn document(&mut self) -> Read<Option<(Rc<Node>, Vec<Remark>)>> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    let message =
                        "cannot be read: kubectl reads nothing after \"...\"; begin a document with ---";
                    return Err(Unreadable::new(self.line(span), message));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    let line = self.line(span);
                    root = Some(self.node(event, span, line)?);
                }
                _ => {}
            }
        }
        let root = root.filter(|root| !matches!(root.data, Data::Scalar(Value::Null)));
        if let Some(Node { line, data: Data::Scalar(value), .. }) = root.as_deref() {
            let message =
                format!("cannot be read: {value} is no object; write \"key: value\", with the space");
            return Err(Unreadable::new(*line, message));
        }
        Ok(root.map(|root| (root, mem::take(&mut self.remarks))))
    }

    fn next(&mut self) -> Read<(Event<'a>, Span)> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.broken(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn line(&self, span: Span) -> usize {
        self.before + span.start.line()
    }

    fn broken(&mut self, error: &ScanError) -> Unreadable {
        if error.info() == TAB {
            self.tab = Some(error.marker().index());
        }
        // What is not closed is missed at the end.
        let last = self.text.trim_end().lines().count();
        let (line, column) = match error.marker().line() {
            line if line > last => (last, String::new()),
            line => (line, format!(" (column {})", error.marker().col() + 1)),
        };
        let message = format!("cannot be read: {}{column}{}", error.info(), self.template(line));
        Unreadable::new(self.before + line, message)
    }

    /// What to say where a template may be the reason. `line` is one of the text.
    fn template(&self, line: usize) -> &'static str {
        let line = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        if line.contains("{{") { "; a template has to stand in quotes: '{{ … }}'" } else { "" }
    }

    /// A value. `holder` is the line of its key, or of its list.
    fn node(&mut self, event: Event<'a>, span: Span, holder: usize) -> Read<Rc<Node>> {
        let line = self.line(span);
        let depth = match &event {
            Event::SequenceStart(..) | Event::MappingStart(..) => 1,
            Event::Alias(anchor) => self.anchors.get(anchor).map_or(0, |node| node.depth),
            _ => 0,
        };
        if depth > 0 && self.path.len() + depth > DEEPEST {
            let message = format!("cannot be read: is more than {DEEPEST} maps and lists deep");
            return Err(Unreadable::new(line, message));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.alias(anchor, line),
            Event::Scalar(text, style, anchor, tag) => {
                // An empty value stands where the next one begins.
                let line = if text.is_empty() && style == ScalarStyle::Plain { holder } else { line };
                let value = scalar(&text, style, tag.as_deref()).and_then(Scalar::value);
                (anchor, Node::new(line, Data::Scalar(value.map_err(|why| self.refused(line, &why))?)))
            }
            Event::SequenceStart(anchor, _) => (anchor, self.list(line)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(line)?),
            _ => return Err(Unreadable::new(line, "cannot be read: a value is missing")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    /// Why a value is not taken, and where.
    fn refused(&self, line: usize, why: &str) -> Unreadable {
        let path = path::write(&self.path);
        let path = if path.is_empty() { path } else { format!("{path}: ") };
        Unreadable::new(line, format!("cannot be read: {path}{why}"))
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Read<Rc<Node>> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.refused(line, "an alias within what it stands for"));
        };
        self.aliased = self.aliased.saturating_add(node.weight);
        if self.aliased > MOST_ALIASED {
            let why = format!("aliases write the document out to more than {} MiB", MOST_ALIASED >> 20);
            return Err(self.refused(line, &why));
        }
        Ok(Rc::clone(node))
    }

    fn list(&mut self, line: usize) -> Read<Rc<Node>> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node::new(line, Data::List(items)));
            }
            self.path.push(path::Step::Item(items.len()));
            let item = self.node(event, span, line)?;
            self.path.pop();
            items.push(item);
        }
    }

    fn map(&mut self, line: usize) -> Read<Rc<Node>> {
        let mut map = Map::default();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Node::new(line, Data::Map(map.entries)));
            }
            let line = self.line(span);
            let merges = match &event {
                Event::Scalar(text, ScalarStyle::Plain, _, None) => text == "<<",
                Event::Scalar(text, _, _, Some(tag)) => {
                    text == "<<" && tag.is_yaml_core_schema() && tag.suffix == "merge"
                }
                _ => false,
            };
            let key = self.key(event, span)?;
            let (event, span) = self.next()?;
            let is_alias = matches!(event, Event::Alias(_));
            self.path.push(path::Step::Key(key.clone()));
            let value = self.node(event, span, line)?;
            if merges {
                self.path.pop();
                self.merge(&mut map, &value, is_alias, line)?;
                continue;
            }
            if !map.written.insert(key.clone()) {
                let message = format!("{key} is there twice, and kubectl takes the last; leave one of them");
                self.remark(Severity::Error, line, message);
            }
            self.path.pop();
            map.put(key, value);
        }
    }

    fn key(&mut self, event: Event<'a>, span: Span) -> Read<String> {
        let line = self.line(span);
        let read = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = scalar(&text, style, tag.as_deref());
                let scalar = scalar.map_err(|why| self.refused(line, &why))?;
                if anchor > 0
                    && let Ok(value) = scalar.clone().value()
                {
                    self.anchors.insert(anchor, Node::new(line, Data::Scalar(value)));
                }
                scalar.key()
            }
            Event::Alias(anchor) => match &self.alias(anchor, line)?.data {
                Data::Scalar(Value::String(text)) => Ok(text.clone()),
                Data::Scalar(value) if !value.is_null() => Ok(value.to_string()),
                _ => Err("a key has to be text".to_owned()),
            },
            _ => Err(format!("a key has to be text{}", self.template(span.start.line()))),
        };
        read.map_err(|why| self.refused(line, &why))
    }

    /// Puts what `<<` stands for into a map. To kubectl it wins over what is written before it.
    fn merge(&mut self, map: &mut Map, from: &Rc<Node>, is_alias: bool, line: usize) -> Read<()> {
        let from = match &from.data {
            // The first wins.
            Data::List(items) if !is_alias => items.iter().rev().collect(),
            _ => vec![from],
        };
        for node in from {
            let Data::Map(entries) = &node.data else {
                return Err(self.refused(line, "<< has to have a map, or a list of maps"));
            };
            for (key, value) in entries {
                if map.written.contains(key) && map.get(key).is_some_and(|old| old.value() != value.value()) {
                    self.path.push(path::Step::Key(key.clone()));
                    let message = format!("kubectl takes {key} from the << after it; write << first");
                    self.remark(Severity::Warning, line, message);
                    self.path.pop();
                }
                map.put(key.clone(), Rc::clone(value));
            }
        }
        Ok(())
    }

    fn remark(&mut self, severity: Severity, line: usize, message: String) {
        self.remarks.push(Remark { path: path::write(&self.path), line, severity, message });
    }
}

/// A map that is being read.
#[derive(Default)]
struct Map {
    entries: Vec<(String, Rc<Node>)>,
    places: HashMap<String, usize>,
    /// The keys that are written in it, other than those that are merged into it.
    written: HashSet<String>,
}

impl Map {
    fn get(&self, key: &str) -> Option<&Rc<Node>> {
        self.places.get(key).map(|place| &self.entries[*place].1)
    }

    fn put(&mut self, key: String, value: Rc<Node>) {
        if let Some(place) = self.places.get(&key) {
            self.entries[*place].1 = value;
        } else {
            self.places.insert(key.clone(), self.entries.len());
            self.entries.push((key, value));
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar, String> {
    Scalar::of(text, style == ScalarStyle::Plain, tag)
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
