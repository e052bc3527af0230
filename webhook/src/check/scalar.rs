//! What a scalar is to kubectl: YAML 1.1, as go-yaml (version 2) reads it.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use saphyr_parser::Tag;
use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    /// Only what is no `Integer`.
    Unsigned(u64),
    /// Infinite ones too, which JSON does not have.
    Float(f64),
    Text(String),
}

impl Scalar {
    /// What a scalar is. One without a tag is looked at only if it is plain: in quotes and blocks there is text.
    ///
    /// # Errors
    /// It is not what its tag says.
    pub(super) fn of(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Self, String> {
        let tag = match tag {
            None if plain => return Ok(Self::plain(text)),
            None => return Ok(Self::Text(text.to_owned())),
            Some(tag) if tag.is_yaml_core_schema() => tag.suffix.as_str(),
            Some(_) => return Ok(Self::Text(text.to_owned())),
        };
        let wrong = || format!("{text:?} is no !!{tag}");
        match (tag, Self::plain(text)) {
            ("binary", _) => {
                let bytes = BASE64.decode(text).map_err(|_| wrong())?;
                Ok(Self::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
            ("bool", is @ Self::Bool(_))
            | ("int", is @ (Self::Integer(_) | Self::Unsigned(_)))
            | ("float", is @ Self::Float(_))
            | ("null", is @ Self::Null) => Ok(is),
            #[allow(clippy::cast_precision_loss)] // as go-yaml does
            ("float", Self::Integer(number)) => Ok(Self::Float(number as f64)),
            ("bool" | "int" | "float" | "null", _) => Err(wrong()),
            _ => Ok(Self::Text(text.to_owned())),
        }
    }

    /// What a plain scalar is.
    pub(super) fn plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                return Self::Bool(true);
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
                return Self::Bool(false);
            }
            ".nan" | ".NaN" | ".NAN" => return Self::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Self::Float(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => return Self::Float(f64::NEG_INFINITY),
            _ => {}
        }
        let number = match text.as_bytes() {
            [b'.', ..] if separates(text) => float(&text.replace('_', "")),
            [b'0'..=b'9' | b'+' | b'-', ..] => {
                let text = text.replace('_', "");
                integer(&text).or_else(|| float(&text)).or_else(|| binary(&text))
            }
            _ => None,
        };
        number.unwrap_or_else(|| Self::Text(text.to_owned()))
    }

    /// What it is in JSON.
    ///
    /// # Errors
    /// JSON has none such.
    pub(super) fn value(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(is) => is.into(),
            Self::Integer(number) => number.into(),
            Self::Unsigned(number) => number.into(),
            Self::Text(text) => text.into(),
            Self::Float(number) if number.is_finite() => whole(number).unwrap_or_else(|| number.into()),
            Self::Float(number) => return Err(format!("{} is no number that JSON has", special(number))),
        })
    }

    /// What it is as a key, which is text in JSON.
    ///
    /// # Errors
    /// kubectl does not take it as a key.
    pub(super) fn key(self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Bool(is) => Ok(is.to_string()),
            Self::Integer(number) => Ok(number.to_string()),
            Self::Float(number) => Ok(float_key(number)),
            Self::Unsigned(number) => Err(format!("{number} is too large for a key; write it in quotes")),
            Self::Null => Err("a key is missing or null; write it in quotes if it is text".to_owned()),
        }
    }
}

/// With the base that its beginning says; the first 0 of several digits says 8.
fn integer(text: &str) -> Option<Scalar> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (digits, base) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (&digits[2..], 16),
        [b'0', b'o' | b'O', _, ..] => (&digits[2..], 8),
        [b'0', b'b' | b'B', _, ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    based(text, digits, base)
}

/// What go-yaml takes besides: a sign that stands after the prefix.
fn binary(text: &str) -> Option<Scalar> {
    let text = text.strip_prefix("0b")?;
    based(text, text.strip_prefix(['+', '-']).unwrap_or(text), 2)
}

/// `digits` with the sign of `text`.
fn based(text: &str, digits: &str, base: u32) -> Option<Scalar> {
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let number = u64::from_str_radix(digits, base).ok()?;
    match (text.as_bytes().first(), i64::try_from(number)) {
        (Some(b'-'), _) => 0_i64.checked_sub_unsigned(number).map(Scalar::Integer),
        (_, Ok(number)) => Some(Scalar::Integer(number)),
        (Some(b'+'), _) => None,
        _ => Some(Scalar::Unsigned(number)),
    }
}

/// Whether each `_` stands between digits.
fn separates(text: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    text.match_indices('_').all(|(at, _)| is_digit(bytes.get(at - 1)) && is_digit(bytes.get(at + 1)))
}

fn float(text: &str) -> Option<Scalar> {
    // Rust reads words too (inf).
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let number: f64 = digits.then(|| text.parse().ok()).flatten()?;
    number.is_finite().then_some(Scalar::Float(number))
}

/// A float that JSON writes without a point: 3.0 is 3. Large ones are the number that their shortest text says, as in Go.
fn whole(number: f64) -> Option<Value> {
    if number.fract() != 0.0 || number.abs() >= 1e21 {
        return None;
    }
    let text = number.to_string();
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

fn special(number: f64) -> &'static str {
    if number.is_nan() {
        ".nan"
    } else if number > 0.0 {
        ".inf"
    } else {
        "-.inf"
    }
}

/// As sigs.k8s.io/yaml writes it: Go's `%g` of 32 bits.
fn float_key(number: f64) -> String {
    #[allow(clippy::cast_possible_truncation)]
    let number = number as f32;
    if !number.is_finite() {
        return special(number.into()).to_owned();
    }
    let long = format!("{number:e}");
    let Some((digits, exponent)) = long.split_once('e') else { return long };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_are_what_kubectl_takes_them_for() {
        let table = [
            ("0", json!(0)),
            ("0555", json!(365)),
            ("-0555", json!(-365)),
            ("08", json!(8)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("-0X1f", json!(-31)),
            ("0x", json!("0x")),
            ("0b1", json!(1)),
            ("-0b11", json!(-3)),
            ("0b2", json!("0b2")),
            ("0b-1", json!(-1)),
            ("1_000", json!(1000)),
            ("1_", json!(1)),
            ("_1", json!("_1")),
            ("1_000.5", json!(1000.5)),
            (".5", json!(0.5)),
            ("-.5", json!(-0.5)),
            (".1_5", json!(0.15)),
            ("._5", json!("._5")),
            ("5.", json!(5)),
            ("3.0", json!(3)),
            ("-0.0", json!(0)),
            ("1e3", json!(1000)),
            ("1e", json!("1e")),
            ("1e999", json!("1e999")),
            ("1e21", json!(1e21)),
            ("9223372036854775807", json!(i64::MAX)),
            ("9223372036854775808", json!(9_223_372_036_854_775_808_u64)),
            ("+9223372036854775808", json!(9_223_372_036_854_776_000_u64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("-9223372036854775809", json!(-9_223_372_036_854_775_808_f64)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616_f64)),
            ("0777777777777777777777777", json!(7.777_777_777_777_778e23)),
            ("y", json!(true)),
            ("On", json!(true)),
            ("yEs", json!("yEs")),
            ("n", json!(false)),
            ("OFF", json!(false)),
            ("", json!(null)),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("nUll", json!("nUll")),
            ("inf", json!("inf")),
            ("2001-01-01", json!("2001-01-01")),
            ("12:30:45", json!("12:30:45")),
            ("1Gi", json!("1Gi")),
            ("+", json!("+")),
            ("-", json!("-")),
            ("<<", json!("<<")),
        ];
        for (text, wanted) in table {
            assert_eq!(Scalar::of(text, true, None).and_then(Scalar::value), Ok(wanted), "{text:?}");
            assert_eq!(Scalar::of(text, false, None).and_then(Scalar::value), Ok(json!(text)), "in quotes");
        }
        for text in [".inf", "-.Inf", ".nan"] {
            assert!(Scalar::plain(text).value().is_err(), "{text:?}");
        }
    }

    #[test]
    fn tags_say_what_a_scalar_is() {
        let of = |tag: &str, text: &str| {
            let tag = match tag.strip_prefix("!!") {
                Some(suffix) => Tag { handle: "tag:yaml.org,2002:".to_owned(), suffix: suffix.to_owned() },
                None => Tag { handle: "!".to_owned(), suffix: tag[1..].to_owned() },
            };
            Scalar::of(text, false, Some(&tag)).and_then(Scalar::value)
        };
        let table = [
            ("!!str", "5", Some(json!("5"))),
            ("!!str", "", Some(json!(""))),
            ("!!int", "5", Some(json!(5))),
            ("!!int", "5.5", None),
            ("!!float", "5", Some(json!(5))),
            ("!!float", "x", None),
            ("!!bool", "yes", Some(json!(true))),
            ("!!bool", "1", None),
            ("!!null", "~", Some(json!(null))),
            ("!!null", "x", None),
            ("!!binary", "aGk=", Some(json!("hi"))),
            ("!!binary", "a!k", None),
            ("!foo", "5", Some(json!("5"))),
            ("!", "5", Some(json!("5"))),
        ];
        for (tag, text, wanted) in table {
            assert_eq!(of(tag, text).ok(), wanted, "{tag} {text:?}");
        }
        assert_eq!(of("!!int", "x"), Err("\"x\" is no !!int".to_owned()));
    }

    #[test]
    fn keys_are_text() {
        let table = [
            ("on", Some("true")),
            ("0x1F", Some("31")),
            ("1.5", Some("1.5")),
            ("1e3", Some("1000")),
            ("1e6", Some("1e+06")),
            ("0.00001", Some("1e-05")),
            ("1234567.0", Some("1.234567e+06")),
            (".inf", Some(".inf")),
            ("9223372036854775808", None),
            ("~", None),
            ("a", Some("a")),
        ];
        for (text, wanted) in table {
            assert_eq!(Scalar::plain(text).key().ok().as_deref(), wanted, "{text:?}");
        }
    }
}
