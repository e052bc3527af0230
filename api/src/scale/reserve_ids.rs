//! `spec.reserveGameServerIds`: numbers and ranges, as people write them.

use std::ops::RangeInclusive;

use super::Ordinals;
use crate::types::IntOrString;

/// The reserved ordinals of a set, and the entries that could not be read. Such an entry reserves
/// nothing; the others hold all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReserveIds {
    /// What is reserved.
    pub ids: Ordinals,
    /// What is not, although the list speaks of it.
    pub problems: Vec<ReserveIdProblem>,
}

/// An entry that reserves nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {value}: {fault}", path = self.path())]
pub struct ReserveIdProblem {
    /// Place in the list, from 0.
    pub index: usize,
    /// The entry as written.
    pub value: String,
    /// What is wrong with it.
    pub fault: ReserveIdFault,
}

impl ReserveIdProblem {
    /// The entry's field path.
    #[must_use]
    pub fn path(&self) -> String {
        format!("spec.reserveGameServerIds[{}]", self.index)
    }
}

/// What is wrong with an entry, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveIdFault {
    /// A number below 0.
    #[error("ordinals start at 0; write a number of 0 or more")]
    Negative,
    /// A range that ends before it starts.
    #[error("the range ends before it starts; write \"{last}-{first}\"")]
    Inverted {
        /// The number before the dash.
        first: u32,
        /// The number after it.
        last: u32,
    },
    /// Anything else.
    #[error("not an ordinal; write a number such as 5, or a range such as \"5-7\"")]
    Unreadable,
}

impl ReserveIds {
    /// Reads the whole list.
    #[must_use]
    pub fn parse(entries: &[IntOrString]) -> Self {
        let mut read = Self::default();
        let mut ranges = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match parse_reserve_id(entry) {
                Ok(range) => ranges.push(range.into_inner()),
                Err(fault) => {
                    let value = match entry {
                        IntOrString::Int(number) => number.to_string(),
                        IntOrString::String(text) => format!("{text:?}"),
                    };
                    read.problems.push(ReserveIdProblem { index, value, fault });
                }
            }
        }
        read.ids = Ordinals::of_ranges(ranges);
        read
    }
}

/// Reads one entry: a number, a number as text, or `first-last`, both included.
pub(crate) fn parse_reserve_id(entry: &IntOrString) -> Result<RangeInclusive<u32>, ReserveIdFault> {
    let text = match entry {
        IntOrString::Int(number) => {
            let ordinal = u32::try_from(*number).map_err(|_| ReserveIdFault::Negative)?;
            return Ok(ordinal..=ordinal);
        }
        IntOrString::String(text) => text.trim(),
    };
    if text.parse::<i64>().is_ok_and(|number| number < 0) {
        return Err(ReserveIdFault::Negative);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (ordinal(first)?, ordinal(last)?);
    if last < first {
        return Err(ReserveIdFault::Inverted { first, last });
    }
    Ok(first..=last)
}

fn ordinal(text: &str) -> Result<u32, ReserveIdFault> {
    let text = text.trim();
    // `+7` is a number to Rust, but nobody's ordinal.
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ReserveIdFault::Unreadable);
    }
    text.parse().map_err(|_| ReserveIdFault::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> IntOrString {
        IntOrString::String(text.into())
    }

    #[test]
    fn numbers_and_ranges_are_merged() {
        let read = ReserveIds::parse(&[
            IntOrString::Int(2),
            text("1"),
            text("5-7"),
            text("6 - 6"),
            text("0-2000000000"),
        ]);
        assert_eq!(read.problems, []);
        assert_eq!(read.ids.to_string(), "0-2000000000");
        assert_eq!(read.ids.free().next(), Some(2_000_000_001));
        assert_eq!(
            ReserveIds::parse(&[IntOrString::Int(2), text("1"), text("5-7")]).ids.to_string(),
            "1,2,5-7"
        );
    }

    #[test]
    fn a_bad_entry_is_named_and_the_others_hold() {
        let unreadable = "not an ordinal; write a number such as 5, or a range such as \"5-7\"";
        let negative = "ordinals start at 0; write a number of 0 or more";
        for (entry, message) in [
            (IntOrString::Int(-1), format!("-1: {negative}")),
            (text("-3"), format!("\"-3\": {negative}")),
            (text("7-3"), "\"7-3\": the range ends before it starts; write \"3-7\"".into()),
            (text(""), format!("\"\": {unreadable}")),
            (text("a"), format!("\"a\": {unreadable}")),
            (text("1,2"), format!("\"1,2\": {unreadable}")),
            (text("1-2-3"), format!("\"1-2-3\": {unreadable}")),
            (text("3-"), format!("\"3-\": {unreadable}")),
            (text("+7"), format!("\"+7\": {unreadable}")),
            (text("4294967296"), format!("\"4294967296\": {unreadable}")),
        ] {
            let read = ReserveIds::parse(&[IntOrString::Int(1), entry, text("4")]);
            assert_eq!(read.ids.to_string(), "1,4");
            let problems: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
            assert_eq!(problems, [format!("spec.reserveGameServerIds[1]: {message}")]);
        }
    }
}
