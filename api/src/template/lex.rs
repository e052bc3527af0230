//! A template's text, cut into text and actions, and actions into tokens.

use super::TemplateError;

/// A stretch of text, or what stands between `{{` and `}}`.
#[derive(Debug, PartialEq)]
pub(super) enum Segment {
    Text(String),
    Action { position: usize, tokens: Vec<Token> },
}

/// One token of an action.
#[derive(Debug, PartialEq)]
pub(super) struct Token {
    /// Where it starts, in characters from 1.
    pub(super) position: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// `if`, `eq`, …
    Word(String),
    /// `.Result`
    Result,
    Text(String),
    Number(String),
    Open,
    Close,
}

/// Builds the error for something that is not in the language.
pub(super) fn syntax(
    position: usize,
    problem: impl Into<String>,
    instead: impl Into<String>,
) -> TemplateError {
    TemplateError::Syntax { position, problem: problem.into(), instead: instead.into() }
}

/// Cuts a template.
///
/// # Errors
/// When an action is not closed or holds something that is no token.
pub(super) fn segments(text: &str) -> Result<Vec<Segment>, TemplateError> {
    let mut rest = Cursor { rest: text, position: 1 };
    let mut segments = Vec::new();
    let mut trim_next = false;
    while !rest.rest.is_empty() {
        let plain = rest.rest.find("{{").unwrap_or(rest.rest.len());
        let mut text = rest.take(plain);
        if trim_next {
            text = text.trim_start_matches(SPACE);
        }
        let position = rest.position;
        if rest.rest.is_empty() {
            push_text(&mut segments, text);
            break;
        }
        rest.take(2);
        // A marker is a minus with white space after it; `{{-3}}` is a number.
        if rest.rest.starts_with('-') && rest.rest[1..].starts_with(SPACE) {
            rest.take(1);
            text = text.trim_end_matches(SPACE);
        }
        push_text(&mut segments, text);
        let (tokens, trims) = action(&mut rest, position)?;
        trim_next = trims;
        segments.push(Segment::Action { position, tokens });
    }
    Ok(segments)
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn push_text(segments: &mut Vec<Segment>, text: &str) {
    if !text.is_empty() {
        segments.push(Segment::Text(text.to_owned()));
    }
}

/// The tokens up to `}}`, and whether it carries a trim marker.
fn action(cursor: &mut Cursor<'_>, opened: usize) -> Result<(Vec<Token>, bool), TemplateError> {
    let mut tokens = Vec::new();
    loop {
        let spaces = cursor.rest.len() - cursor.rest.trim_start_matches(SPACE).len();
        cursor.take(spaces);
        if spaces > 0 && cursor.rest.starts_with("-}}") {
            cursor.take(3);
            return Ok((tokens, true));
        }
        if cursor.rest.starts_with("}}") {
            cursor.take(2);
            return Ok((tokens, false));
        }
        let position = cursor.position;
        let Some(next) = cursor.rest.chars().next() else {
            return Err(syntax(opened, "{{ is not closed", "write }} after it"));
        };
        let kind = match next {
            '(' | ')' => {
                cursor.take(1);
                if next == '(' { Kind::Open } else { Kind::Close }
            }
            '"' => Kind::Text(quoted(cursor)?),
            '`' => Kind::Text(raw(cursor)?),
            '.' => field(cursor)?,
            '0'..='9' | '+' | '-' => number(cursor)?,
            c if c.is_alphabetic() || c == '_' => Kind::Word(cursor.take_while(is_word).to_owned()),
            other => return Err(not_in_language(position, other)),
        };
        tokens.push(Token { position, kind });
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn not_in_language(position: usize, c: char) -> TemplateError {
    let instead = match c {
        '|' => {
            "pipes are not supported, write the function before its arguments, as in {{if eq .Result \"0\"}}"
        }
        '$' => "variables are not supported, write .Result",
        '=' | '!' | '<' | '>' => {
            "write eq, ne, lt, le, gt or ge before the two sides, as in {{if gt .Result \"90\"}}"
        }
        '&' => "write and before its arguments, as in {{if and (gt .Result \"1\") (lt .Result \"9\")}}",
        '\'' => "write text in double quotes or backquotes",
        '/' => "comments are not supported",
        '}' => "close with }}",
        _ => "write {{.Result}} or {{if …}}…{{end}}",
    };
    syntax(position, format!("{c:?} is not allowed here"), instead)
}

fn field(cursor: &mut Cursor<'_>) -> Result<Kind, TemplateError> {
    let position = cursor.position;
    let name = cursor.take_while(|c| is_word(c) || c == '.');
    if name == ".Result" {
        return Ok(Kind::Result);
    }
    Err(syntax(position, format!("{name} is not known"), "write .Result, the result text of the probe"))
}

fn number(cursor: &mut Cursor<'_>) -> Result<Kind, TemplateError> {
    let position = cursor.position;
    // A marker after a number has white space before it, so that a minus inside belongs to the number.
    let text = cursor.take_while(|c| is_word(c) || matches!(c, '+' | '-' | '.'));
    if super::expr::number(text).is_none() {
        return Err(syntax(
            position,
            format!("{text} is not a number"),
            "write a decimal number, or text in quotes",
        ));
    }
    Ok(Kind::Number(text.to_owned()))
}

/// Text in double quotes, with the escapes people use.
fn quoted(cursor: &mut Cursor<'_>) -> Result<String, TemplateError> {
    let opened = cursor.position;
    cursor.take(1);
    let mut text = String::new();
    loop {
        let position = cursor.position;
        match cursor.next() {
            Some('"') => return Ok(text),
            Some('\\') => text.push(match cursor.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(c @ ('"' | '\\')) => c,
                _ => {
                    let instead = "only \\\\ \\\" \\n \\r \\t are known; write the text in backquotes to have no escapes";
                    return Err(syntax(position, "unknown escape", instead));
                }
            }),
            Some('\n') | None => return Err(syntax(opened, "the text in quotes does not end", "write \" after it")),
            Some(c) => text.push(c),
        }
    }
}

fn raw(cursor: &mut Cursor<'_>) -> Result<String, TemplateError> {
    let opened = cursor.position;
    cursor.take(1);
    let Some(end) = cursor.rest.find('`') else {
        return Err(syntax(opened, "the text in backquotes does not end", "write ` after it"));
    };
    let text = cursor.take(end).to_owned();
    cursor.take(1);
    Ok(text)
}

/// The text that is left, and where it starts.
struct Cursor<'a> {
    rest: &'a str,
    /// In characters from 1.
    position: usize,
}

impl<'a> Cursor<'a> {
    /// The next `bytes`, which end on a character boundary.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.position += taken.chars().count();
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.take(next.len_utf8());
        Some(next)
    }
}
