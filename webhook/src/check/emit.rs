//! JSON values as YAML that readers of YAML 1.1 and 1.2 read alike.

use std::{fmt, fmt::Write};

use serde_json::Value;

use super::{scalar::Scalar, yaml::is_printable};

/// Longer keys are written with a `?`: without, no reader looks further for the colon.
const LONGEST_KEY: usize = 1000;

/// A value as a document, without its separator.
pub(super) fn document(value: &Value) -> Result<String, fmt::Error> {
    let mut text = String::new();
    match value {
        Value::Array(items) if !items.is_empty() => list(&mut text, items, 0)?,
        Value::Object(entries) if !entries.is_empty() => map(&mut text, entries, 0)?,
        scalar => writeln!(text, "{}", line(scalar))?,
    }
    Ok(text)
}

/// The items, each with the space before it.
fn list(out: &mut String, items: &[Value], indent: usize) -> fmt::Result {
    for item in items {
        write!(out, "{:indent$}-", "")?;
        match item {
            // The first line of these stands behind the dash.
            Value::Array(items) if !items.is_empty() => {
                behind(out, indent, |out| list(out, items, indent + 2))?
            }
            Value::Object(entries) if !entries.is_empty() => {
                behind(out, indent, |out| map(out, entries, indent + 2))?;
            }
            scalar => self::scalar(out, scalar, indent + 2)?,
        }
    }
    Ok(())
}

/// What is written with an indent two deeper, without the indent of its first line.
fn behind(out: &mut String, indent: usize, write: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
    out.push(' ');
    let start = out.len();
    write(out)?;
    out.replace_range(start..start + indent + 2, "");
    Ok(())
}

fn map(out: &mut String, entries: &serde_json::Map<String, Value>, indent: usize) -> fmt::Result {
    for (key, value) in entries {
        let key = quoted(key);
        if key.len() > LONGEST_KEY {
            write!(out, "{:indent$}? {key}\n{:indent$}:", "", "")?;
        } else {
            write!(out, "{:indent$}{key}:", "")?;
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                list(out, items, indent)?;
            }
            Value::Object(entries) if !entries.is_empty() => {
                out.push('\n');
                map(out, entries, indent + 2)?;
            }
            scalar => self::scalar(out, scalar, indent + 2)?,
        }
    }
    Ok(())
}

/// What is no map and no list, or an empty one, behind a colon or dash, with the end of its line.
fn scalar(out: &mut String, value: &Value, indent: usize) -> fmt::Result {
    if let Some(text) = value.as_str().filter(|text| is_block(text)) {
        let end = match text.strip_suffix('\n') {
            None => "-",
            Some(text) if text.ends_with('\n') => "+",
            Some(_) => "",
        };
        writeln!(out, " |{end}")?;
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if line.is_empty() {
                writeln!(out)?;
            } else {
                writeln!(out, "{:indent$}{line}", "")?;
            }
        }
        return Ok(());
    }
    writeln!(out, " {}", line(value))
}

/// On one line.
fn line(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        // YAML 1.1 has no exponents without a point and a sign.
        Value::Number(number) if number.is_f64() => {
            let number = number.to_string();
            let Some((digits, exponent)) = number.split_once(['e', 'E']) else { return number };
            let point = if digits.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
            format!("{digits}{point}e{sign}{exponent}")
        }
        scalar => scalar.to_string(),
    }
}

/// Whether a text of several lines can be written as it is.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && text.chars().all(|char| char == '\n' || is_plain_char(char))
        && text.split('\n').all(|line| line.is_empty() || !line.trim().is_empty())
}

/// Whether no reader sees more in a character than the character.
fn is_plain_char(char: char) -> bool {
    is_printable(char)
        && !matches!(char, '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// The text, in quotes unless it is plainly text.
fn quoted(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if is_plain_char(char) => out.push(char),
            // What is not printable has no more than 16 bits.
            char => out.push_str(&format!("\\u{:04x}", u32::from(char))),
        }
    }
    out.push('"');
    out
}

/// Whether it is text to all readers, without quotes.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins = match bytes {
        [b'a'..=b'z' | b'A'..=b'Z' | b'/' | b'_', ..] | [b'.', b'/', ..] => true,
        // 1Gi and 100m, with a letter that no number has, and no time (2001-01-01T10:00:00Z).
        [b'0'..=b'9', ..] => bytes.iter().any(|byte| matches!(byte, b'G' | b'M' | b'K' | b'k' | b'm' | b's')),
        _ => false,
    };
    begins
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b" -_./:+=@(),;".contains(byte))
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && Scalar::plain(text) == Scalar::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::check::yaml;

    #[test]
    fn what_is_plainly_text_has_no_quotes() {
        for text in [
            "minecraft",
            "./idle.sh",
            "/data/a",
            "example.com/minecraft:1",
            "1Gi",
            "100m",
            "a b",
            "game.kruise.io/v1",
        ] {
            assert_eq!(quoted(text), text);
        }
        let others = "yes no On y 0555 1e3 1_000 0x1F 0o17 .5 5. ~ null true = << - ? 12:30 2001-01-01 2001-01-01T10:00:00Z a: x:";
        for text in others.split(' ').chain([
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "{{ .Result }}",
            "*a",
            "&a",
            "!a",
            "%a",
            "---",
            "ü",
        ]) {
            assert!(quoted(text).starts_with('"'), "{text:?}");
        }
    }

    #[test]
    fn it_looks_like_what_people_write() {
        let value = json!({
            "a": [{"b": "x", "c": []}, [1, 2.5], {}, null, "no"],
            "d": {"on": "a\nb\n", "e": "a\n  b", "f": "\t\n"},
            "g": "a\n\n",
        });
        let wanted = [
            "a:",
            "- b: x",
            "  c: []",
            "- - 1",
            "  - 2.5",
            "- {}",
            "- null",
            "- \"no\"",
            "d:",
            "  e: |-",
            "    a",
            "      b",
            "  f: \"\\t\\n\"",
            "  \"on\": |",
            "    a",
            "    b",
            "g: |+",
            "  a",
            "",
            "",
        ];
        assert_eq!(document(&value).unwrap(), wanted.join("\n"));
    }

    /// Words, characters and shapes that readers see more in than text.
    fn text() -> impl Strategy<Value = String> {
        let words = "yes no on off y n true null ~ 0555 1e3 1_000 0x1F 0o17 0b1 .5 .inf .nan 3.0 << = - --- ... 12:30:45 \
                     2001-01-01 1Gi a-b a:b a: #a {{x}} [a] !a *a &a |a @a `a %a";
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        prop_oneof![
            proptest::sample::select(words),
            "[-+.0-9_eExobaft:~ ]{0,8}",
            "[a\n\t\r :#'\"\\\\-]{0,12}",
            "([ a#:-]{0,3}\n){0,4}",
            "[a\u{85}\u{a0}\u{2028}\u{feff}\u{7f}\u{0}\u{ffff}ü😀]{0,6}",
            any::<String>(),
            "a{990,1030}",
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // Whole ones come back as whole numbers.
            any::<f64>()
                .prop_filter("fraction", |number| number.fract() != 0.0 || number.abs() >= 1e21)
                .prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(text(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_printed_is_read_back(inner in value()) {
            let object = json!({ "value": inner });
            let text = document(&object).unwrap();
            let (documents, unreadable) = yaml::documents(&text);
            prop_assert_eq!(&unreadable, &[], "{}", text);
            prop_assert_eq!(&documents[0].root.value(), &object, "{}", text);
            prop_assert!(documents[0].remarks.is_empty());
            let other: Value = serde_yaml_ng::from_str(&text).unwrap();
            prop_assert_eq!(&other, &object, "{}", text);
        }
    }
}
