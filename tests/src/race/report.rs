//! What a race came to, for people: the table of docs/results/race.md, and all that is known of a wrong removal.

use std::{collections::BTreeMap, fmt, time::Duration};

use gamewarden_api::removal::{Phase, Protection};
use jiff::{SignedDuration, Timestamp};

use super::{
    judge::{Judgement, Removed, Wrong, judge},
    log::{Disturbance, Entry, What},
};

/// How long before a removal its story begins.
const BEFORE: SignedDuration = SignedDuration::from_secs(20);
/// How long after it the story ends.
const AFTER: SignedDuration = SignedDuration::from_secs(5);

/// The judgement, and what it was made on.
#[derive(Clone, Debug)]
pub struct Report {
    /// The judgement.
    pub judgement: Judgement,
    entries: Vec<Entry>,
    seed: u64,
    lasted: Duration,
}

impl Report {
    /// Judges the log.
    pub(super) fn of(
        entries: Vec<Entry>,
        sets: &BTreeMap<String, Protection>,
        seed: u64,
        lasted: Duration,
    ) -> Self {
        Self { judgement: judge(&entries, sets), entries, seed, lasted }
    }

    /// How many lines of the log are of this kind.
    pub fn count(&self, kind: impl Fn(&What) -> bool) -> usize {
        self.entries.iter().filter(|entry| kind(&entry.what)).count()
    }

    /// How often this was done.
    #[must_use]
    pub fn disturbed(&self, how: Disturbance) -> usize {
        self.count(|what| *what == What::Disturbed(how))
    }

    /// Everything about the wrong removals: what is known of their pods, and what happened to their sets just then.
    #[must_use]
    pub fn wrong(&self) -> String {
        let mut text = String::new();
        for Wrong { removed, instead_of } in &self.judgement.wrong {
            text += &format!("---- WRONG: {removed:#?}\ninstead of {instead_of:?}\n");
            for entry in &self.entries {
                if self.is_about(entry, removed) {
                    text += &format!("{entry}\n");
                }
            }
        }
        text
    }

    fn is_about(&self, entry: &Entry, removed: &Removed) -> bool {
        let pod = entry.what.pod();
        if pod == Some(&removed.pod) {
            return true;
        }
        let from = removed.began.unwrap_or(removed.deleted);
        if !is_between(entry.at, from, removed.deleted) {
            return false;
        }
        pod.is_none_or(|pod| {
            let is_made = |entry: &Entry| {
                matches!(&entry.what, What::Made { pod: made, set, .. } if made == pod && *set == removed.set)
            };
            self.entries.iter().any(is_made)
        })
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let removed = &self.judgement.removed;
        let of = |set: &str| removed.iter().filter(|removed| removed.set == set).count();
        let count = |kind: fn(&What) -> bool| self.count(kind);
        let mut windows: Vec<SignedDuration> = removed.iter().filter_map(Removed::window).collect();
        windows.sort_unstable();
        let late: usize = removed.iter().map(|removed| removed.late.len()).sum();
        let in_use: usize = removed.iter().map(|removed| removed.in_use.len()).sum();
        let wrongly: usize = self.judgement.wrong.iter().map(|wrong| wrong.removed.in_use.len()).sum();
        vec![
            ("seed", self.seed.to_string()),
            ("lasted", format!("{} s", self.lasted.as_secs())),
            ("joins", count(|what| matches!(what, What::Joined { .. })).to_string()),
            ("leaves", count(|what| matches!(what, What::Left { .. })).to_string()),
            ("not let in (the server was just going)", {
                count(|what| matches!(what, What::TurnedAway { .. })).to_string()
            }),
            ("scale changes", count(|what| matches!(what, What::Scaled { .. })).to_string()),
            ("leaders killed", self.disturbed(Disturbance::LeaderKilled).to_string()),
            ("leaders stopped past their lease", self.disturbed(Disturbance::LeaderGoesOn).to_string()),
            ("API servers killed", self.disturbed(Disturbance::ApiServerAnswers).to_string()),
            ("removals from the Strict set", of("strict").to_string()),
            ("removals from the Prefer set", of("prefer").to_string()),
            ("… after a last look", windows.len().to_string()),
            ("… whose claim was not seen", {
                removed.iter().filter(|removed| removed.began.is_none()).count().to_string()
            }),
            ("claims given back", {
                let open =
                    |what: &What| matches!(what, What::Released { phase, .. } if *phase != Phase::Committed);
                self.count(open).to_string()
            }),
            ("looks without an answer", {
                let is = |what: &What| matches!(what, What::Claim(claim) if claim.phase == Phase::Unanswered);
                self.count(is).to_string()
            }),
            ("commits withdrawn", count(|what| matches!(what, What::Withdrawn { .. })).to_string()),
            ("**wrong removals**", format!("**{}**", self.judgement.wrong.len())),
            ("players of Prefer servers that went as none was idle", (in_use - wrongly).to_string()),
            ("players who joined after the look began, and were thrown out", late.to_string()),
            ("thrown out though nothing was removed", self.judgement.unexplained.len().to_string()),
            ("from look to DELETE: half of them", shown(at(&windows, 50))),
            ("… 99 %", shown(at(&windows, 99))),
            ("… the longest", shown(windows.last().copied())),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | |\n|---|---|")?;
        for (what, value) in self.rows() {
            writeln!(f, "| {what} | {value} |")?;
        }
        Ok(())
    }
}

fn is_between(at: Timestamp, from: Timestamp, until: Timestamp) -> bool {
    at.duration_since(from) >= -BEFORE && at.duration_since(until) <= AFTER
}

/// The value that so many percent of the sorted ones do not exceed.
fn at(sorted: &[SignedDuration], percent: usize) -> Option<SignedDuration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

fn shown(time: Option<SignedDuration>) -> String {
    time.map_or_else(|| "none".to_owned(), |time| format!("{:.3} s", time.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_values_that_were_seen() {
        let seconds = |all: &[i64]| all.iter().map(|s| SignedDuration::from_secs(*s)).collect::<Vec<_>>();
        let hundred = seconds(&(1..=100).collect::<Vec<_>>());
        for (sorted, percent, expected) in [
            (&hundred[..], 50, Some(50)),
            (&hundred[..], 99, Some(99)),
            (&hundred[..1], 50, Some(1)),
            (&[], 50, None),
        ] {
            assert_eq!(
                at(sorted, percent),
                expected.map(SignedDuration::from_secs),
                "{percent} % of {}",
                sorted.len()
            );
        }
    }
}
