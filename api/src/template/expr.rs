//! Conditions of a template, and what they come out as.

use std::{borrow::Cow, cmp::Ordering};

/// A condition or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Result,
    Text(String),
    /// A number as it was written, so that `eq .Result 0` can compare texts.
    Number(String),
    Call(Function, Vec<Expr>),
}

/// What can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Not,
}

impl Function {
    /// The function of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "and" => Self::And,
            "or" => Self::Or,
            "not" => Self::Not,
            _ => return None,
        })
    }

    /// How many arguments it takes: at least, and at most where there is a bound.
    pub(super) fn arity(self) -> (usize, Option<usize>) {
        match self {
            Self::Eq => (2, None),
            Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => (2, Some(2)),
            Self::And | Self::Or => (1, None),
            Self::Not => (1, Some(1)),
        }
    }
}

/// What an expression comes out as.
enum Value<'a> {
    Text(&'a str),
    Number(&'a str),
    Bool(bool),
}

impl<'a> Value<'a> {
    fn text(&self) -> Cow<'a, str> {
        match self {
            Self::Text(text) | Self::Number(text) => Cow::Borrowed(*text),
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        }
    }

    /// Go's truth: text that is not empty, a number that is not 0.
    fn truth(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Number(text) => number(text).is_some_and(|n| n != Number::Whole(0)),
            Self::Bool(value) => *value,
        }
    }
}

impl Expr {
    /// Whether it is true for this result.
    pub(super) fn holds(&self, result: &str) -> bool {
        self.value(result).truth()
    }

    /// Whether it depends on the result.
    pub(super) fn uses_result(&self) -> bool {
        match self {
            Self::Result => true,
            Self::Text(_) | Self::Number(_) => false,
            Self::Call(_, arguments) => arguments.iter().any(Self::uses_result),
        }
    }

    fn value<'a>(&'a self, result: &'a str) -> Value<'a> {
        match self {
            Self::Result => Value::Text(result),
            Self::Text(text) => Value::Text(text),
            Self::Number(text) => Value::Number(text),
            Self::Call(function, arguments) => call(*function, arguments, result),
        }
    }
}

/// The parser has checked the number of arguments; were there fewer, the call would come out false.
fn call<'a>(function: Function, arguments: &'a [Expr], result: &'a str) -> Value<'a> {
    let mut values = arguments.iter().map(|argument| argument.value(result));
    let Some(first) = values.next() else {
        return Value::Bool(false);
    };
    // `and` and `or` come out as one of their arguments, the one that settles them, as in Go.
    let settles = match function {
        Function::And => false,
        Function::Or => true,
        Function::Not => return Value::Bool(!first.truth()),
        Function::Eq => return Value::Bool(values.any(|other| other.text() == first.text())),
        compare => {
            return Value::Bool(values.next().is_some_and(|second| compares(compare, &first, &second)));
        }
    };
    let mut last = first;
    for next in values {
        if last.truth() == settles {
            break;
        }
        last = next;
    }
    last
}

fn compares(function: Function, left: &Value<'_>, right: &Value<'_>) -> bool {
    let (left, right) = (left.text(), right.text());
    if function == Function::Ne {
        return left != right;
    }
    let order = match (number(&left), number(&right)) {
        (Some(left), Some(right)) => left.compare(right),
        _ => left.cmp(&right),
    };
    match function {
        Function::Lt => order.is_lt(),
        Function::Le => order.is_le(),
        Function::Gt => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// A number, whole ones exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    fn compare(self, other: Self) -> Ordering {
        if let (Self::Whole(left), Self::Whole(right)) = (self, other) {
            return left.cmp(&right);
        }
        // Neither is NaN (`number` gives none), so that the order is always there.
        self.real().partial_cmp(&other.real()).unwrap_or(Ordering::Equal)
    }

    #[expect(clippy::cast_precision_loss, reason = "compared with a fraction, which is no more exact")]
    fn real(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

/// The number a text says, if it says one: decimal digits, with sign, fraction and exponent. `inf`, `nan`
/// and hexadecimal are text.
pub(super) fn number(text: &str) -> Option<Number> {
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    if let Ok(whole) = text.parse() {
        return Some(Number::Whole(whole));
    }
    let real: f64 = text.parse().ok()?;
    if !real.is_finite() {
        return None;
    }
    Some(if real == 0.0 { Number::Whole(0) } else { Number::Real(real) })
}
