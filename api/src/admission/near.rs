//! "Did you mean": the word of a list that is nearest to what somebody wrote.

use super::{
    field::{Field, shown},
    finding::Report,
};

/// The nearest of `words`, if it is near enough to be what was meant: upper and lower case do not count, and one
/// letter in three may be wrong. Two that are equally near are no help.
pub(super) fn nearest<'a>(text: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer text is not compared: names have at most 63 letters.
    const LONGEST: usize = 64;
    /// No list that a person wrote is longer.
    const MOST: usize = 64;
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let text = text.to_lowercase();
    let mut near: Vec<(usize, &str)> = words
        .into_iter()
        .take(MOST)
        .filter(|word| word.len() <= LONGEST)
        .map(|word| (distance(&text, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= word.chars().count().max(3) / 3)
        .collect();
    near.sort_unstable();
    match near.as_slice() {
        [(first, _), (second, _), ..] if first == second => None,
        [(_, word), ..] => Some(word),
        [] => None,
    }
}

/// `; did you mean "x"?`, or nothing; nothing too where the report has become long, as comparing costs time.
pub(super) fn suggestion<'a>(
    text: &str,
    words: impl IntoIterator<Item = &'a str>,
    report: &Report,
) -> String {
    if report.is_long() {
        return String::new();
    }
    nearest(text, words).map(|word| format!("; did you mean {word:?}?")).unwrap_or_default()
}

/// Names as people are shown them: not more than they read, and no name longer than one can be.
pub(super) fn listed(names: &[&str]) -> String {
    const MOST: usize = 16;
    const LONGEST: usize = 64;
    let shown: Vec<String> =
        names.iter().take(MOST).map(|name| name.chars().take(LONGEST).collect()).collect();
    let shown = shown.join(", ");
    match names.len().checked_sub(MOST) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// A word of a list; another is refused. The empty text means the default.
pub(super) fn one_of(field: &Field<'_, '_>, words: &[&str], report: &mut Report) {
    let Some(text) = field.text(report).filter(|text| !text.is_empty()) else { return };
    if !words.contains(&text) {
        let near = suggestion(text, words.iter().copied(), report);
        report.refuse(
            field,
            format!("{} is not known (known: {}){near}", shown(field.value), words.join(", ")),
        );
    }
}

/// A whole number within bounds; another is refused.
pub(super) fn between(field: &Field<'_, '_>, least: i64, most: i64, report: &mut Report) {
    if let Some(number) = field.integer(report).filter(|number| !(least..=most).contains(number)) {
        report.refuse(field, format!("{number} is out of range; write a number from {least} to {most}"));
    }
}

/// How many letters have to be put in, taken out, replaced, or swapped with their neighbour (optimal string
/// alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_suggested_and_nothing_else() {
        let states = ["None", "WaitToBeDeleted", "Maintaining", "Allocated", "Kill"];
        for (text, word) in [
            ("kill", Some("Kill")),
            ("Kil", Some("Kill")),
            ("Maintaning", Some("Maintaining")),
            ("WaitToBeDelete", Some("WaitToBeDeleted")),
            ("waittobedeleted", Some("WaitToBeDeleted")),
            ("Alloctaed", Some("Allocated")),
            ("NoneSuch", None),
            ("Busy", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, states), word, "{text:?}");
        }
        assert_eq!(nearest("gama", ["game", "gamb"]), None, "two are as near");
        assert_eq!(nearest(&"x".repeat(1000), states), None);
    }

    #[test]
    fn names_are_listed_shortly() {
        assert_eq!(listed(&["a", "b"]), "a, b");
        let long = "x".repeat(1000);
        let long = long.as_str();
        assert_eq!(listed(&[long; 17]), [&long[..64]; 16].join(", ") + " and 1 more");
    }
}
