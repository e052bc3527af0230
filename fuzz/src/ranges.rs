//! Lists of ordinals.

use gamewarden_api::{
    scale::{Ordinals, ReserveIds},
    types::IntOrString,
};

/// Any text: as an annotation, and line by line as the entries of reserveGameServerIds.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(set) = text.parse::<Ordinals>() {
        for end in text.split([',', '-']).filter_map(|end| end.trim().parse().ok()) {
            assert!(set.contains(end), "{end} is listed and not there");
        }
        holds(&set);
    }
    let entries: Vec<IntOrString> = text
        .lines()
        .map(|line| line.parse().map_or_else(|_| IntOrString::String(line.to_owned()), IntOrString::Int))
        .collect();
    let read = ReserveIds::parse(&entries);
    let mut problems = read.problems.iter().map(|problem| problem.index).peekable();
    for (index, entry) in entries.iter().enumerate() {
        if problems.next_if_eq(&index).is_some() {
            continue;
        }
        match entry {
            IntOrString::Int(number) => {
                let ordinal = u32::try_from(*number).expect("what is no ordinal is a problem");
                assert!(read.ids.contains(ordinal), "{ordinal} is listed and not there");
            }
            IntOrString::String(text) => {
                for end in text.split('-') {
                    let ordinal = end.trim().parse().expect("what is no ordinal is a problem");
                    assert!(read.ids.contains(ordinal), "{ordinal} is listed and not there");
                }
            }
        }
    }
    assert_eq!(problems.next(), None, "a problem with an entry that is not there");
    holds(&read.ids);
}

/// What holds of every set of ordinals.
fn holds(set: &Ordinals) {
    let text = set.to_string();
    let again: Ordinals = text.parse().expect("what was written can be read");
    assert_eq!(again, *set, "the text says something else");
    assert_eq!(set.is_empty(), set.count() == 0);
    assert_eq!(set.iter().next().is_none(), set.is_empty());
    let free = set.free().next();
    assert_eq!(free.is_none(), set.count() == 1 << 32, "none is free, or there is room");
    assert!(free.is_none_or(|ordinal| !set.contains(ordinal)), "a free one is taken");
    assert!(set.without(set).is_empty());
    assert_eq!(set.without(&Ordinals::default()), *set);
    let everything: Ordinals = "0-4294967295".parse().expect("a range");
    let others = everything.without(set);
    assert_eq!(others.count(), (1 << 32) - set.count());
    let mut both = others;
    both.insert_all(set);
    assert_eq!(both, everything, "a set and all others are everything");
}
