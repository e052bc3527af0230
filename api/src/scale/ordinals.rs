//! A set of ordinals, kept as ranges: `0-2000000000` costs no more than `7`.

use std::{fmt, str::FromStr};

/// A set of ordinals. Its text is that of the annotations: `1,2,5-7`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordinals {
    /// First and last of each range: sorted, apart from each other by at least one ordinal.
    ranges: Vec<(u32, u32)>,
}

/// A text that is not a set of ordinals.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a list of ordinals: write numbers and ranges, as \"1,2,5-7\"")]
pub struct OrdinalsError(String);

impl Ordinals {
    /// Adds the ordinals from `first` to `last`, both included; none where `last` is before `first`.
    pub fn insert_range(&mut self, first: u32, last: u32) {
        if last < first {
            return;
        }
        // All ranges that overlap the new one or touch it become one with it.
        let from = self.ranges.partition_point(|&(_, end)| end.saturating_add(1) < first);
        let to = self.ranges.partition_point(|&(start, _)| start <= last.saturating_add(1));
        let merged = match self.ranges.get(from..to) {
            Some([(start, _), .., (_, end)]) => (first.min(*start), last.max(*end)),
            Some([(start, end)]) => (first.min(*start), last.max(*end)),
            _ => (first, last),
        };
        self.ranges.splice(from..to.max(from), [merged]);
    }

    /// Adds one ordinal.
    pub fn insert(&mut self, ordinal: u32) {
        self.insert_range(ordinal, ordinal);
    }

    /// Adds all ordinals of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        let both = std::mem::take(&mut self.ranges).into_iter().chain(other.ranges.iter().copied());
        *self = Self::of_ranges(both.collect());
    }

    /// The ordinals of all ranges, in whatever order; none ends before it starts. Put in one by one, a long list would be
    /// moved again and again.
    pub(super) fn of_ranges(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// Whether the ordinal is one of them.
    #[must_use]
    pub fn contains(&self, ordinal: u32) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= ordinal);
        after.checked_sub(1).and_then(|i| self.ranges.get(i)).is_some_and(|&(_, last)| ordinal <= last)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|&(first, last)| u64::from(last - first) + 1).sum()
    }

    /// The ordinals, ascending. There may be billions: bound what you take.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.ranges.iter().flat_map(|&(first, last)| first..=last)
    }

    /// The ordinals that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        for &(first, last) in &self.ranges {
            let mut start = Some(first);
            let from = other.ranges.partition_point(|&(_, end)| end < first);
            for &(gap_first, gap_last) in other.ranges.iter().skip(from).take_while(|&&(f, _)| f <= last) {
                if let (Some(start), Some(end)) = (start, gap_first.checked_sub(1))
                    && start <= end
                {
                    ranges.push((start, end));
                }
                start = gap_last.checked_add(1);
            }
            if let Some(start) = start.filter(|start| *start <= last) {
                ranges.push((start, last));
            }
        }
        Self { ranges }
    }

    /// The ordinals that are *not* in the set, ascending: the first is the lowest free one.
    pub fn free(&self) -> impl Iterator<Item = u32> {
        let starts = std::iter::once(Some(0)).chain(self.ranges.iter().map(|&(_, last)| last.checked_add(1)));
        let ends = self.ranges.iter().map(|&(first, _)| first.checked_sub(1)).chain([Some(u32::MAX)]);
        starts.zip(ends).filter_map(|(start, end)| Some(start?..=end?)).flatten()
    }
}

impl FromIterator<u32> for Ordinals {
    fn from_iter<I: IntoIterator<Item = u32>>(ordinals: I) -> Self {
        Self::of_ranges(ordinals.into_iter().map(|ordinal| (ordinal, ordinal)).collect())
    }
}

impl fmt::Display for Ordinals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for &(first, last) in &self.ranges {
            f.write_str(comma)?;
            comma = ",";
            match last - first {
                0 => write!(f, "{first}")?,
                1 => write!(f, "{first},{last}")?,
                _ => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Ordinals {
    type Err = OrdinalsError;

    fn from_str(text: &str) -> Result<Self, OrdinalsError> {
        let error = || OrdinalsError(text.to_owned());
        let mut ranges = Vec::new();
        let text = text.trim();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u32>().map_err(|_| error());
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return Err(error());
            }
            ranges.push((first, last));
        }
        Ok(Self::of_ranges(ranges))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_that_of_the_annotation() {
        for (text, written) in [
            ("", ""),
            ("1,2,5-7", "1,2,5-7"),
            ("7, 5,6,2,1", "1,2,5-7"),
            ("0-2000000000", "0-2000000000"),
            ("3-5,4-9,10", "3-10"),
            ("4294967295,4294967294,4294967293", "4294967293-4294967295"),
        ] {
            assert_eq!(text.parse::<Ordinals>().unwrap().to_string(), written, "{text}");
        }
        for text in ["a", "1,", "3-1", "-1", "1-2-3"] {
            assert_eq!(
                text.parse::<Ordinals>().unwrap_err().to_string(),
                format!("{text:?} is not a list of ordinals: write numbers and ranges, as \"1,2,5-7\"")
            );
        }
    }

    #[test]
    fn nothing_is_free_where_everything_is_taken() {
        let all: Ordinals = "0-4294967295".parse().unwrap();
        assert_eq!(all.free().next(), None);
        assert_eq!(all.count(), 1 << 32);
        let but_last: Ordinals = "0-4294967294".parse().unwrap();
        assert_eq!(but_last.free().collect::<Vec<_>>(), [u32::MAX]);
    }

    #[test]
    fn a_long_list_is_read_in_any_order() {
        // Put in at the front, one by one, these take ten seconds.
        let text: Vec<String> = (0..200_000).rev().map(|n| (2 * n).to_string()).collect();
        let began = std::time::Instant::now();
        let mut set: Ordinals = text.join(",").parse().unwrap();
        set.insert_all(&(0..200_000).rev().map(|n| 4 * n + 1).collect());
        assert_eq!(set.count(), 400_000);
        // Nor are the spaces before it looked at once for each.
        assert!((" ".repeat(200_000) + &"1,".repeat(200_000) + "1").parse::<Ordinals>().is_ok());
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn without_leaves_the_others(
            ours in prop::collection::vec((0u32..40, 0u32..8), 0..8),
            theirs in prop::collection::vec((0u32..40, 0u32..8), 0..8),
        ) {
            let set = |ranges: &[(u32, u32)]| {
                let mut set = Ordinals::default();
                ranges.iter().for_each(|(first, more)| set.insert_range(*first, first + more));
                set
            };
            let (ours, theirs) = (set(&ours), set(&theirs));
            let expected: Ordinals = ours.iter().filter(|o| !theirs.contains(*o)).collect();
            prop_assert_eq!(ours.without(&theirs), expected);
        }

        #[test]
        fn it_is_the_set_of_what_was_put_in(ranges in prop::collection::vec((0u32..40, 0u32..8), 0..12)) {
            let mut set = Ordinals::default();
            let mut model = BTreeSet::new();
            for (first, more) in ranges {
                set.insert_range(first, first + more);
                model.extend(first..=first + more);
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.count(), model.len() as u64);
            for ordinal in 0..60 {
                prop_assert_eq!(set.contains(ordinal), model.contains(&ordinal));
            }
            let free: Vec<u32> = (0..).filter(|o| !model.contains(o)).take(10).collect();
            prop_assert_eq!(set.free().take(10).collect::<Vec<_>>(), free);
            prop_assert_eq!(set.to_string().parse::<Ordinals>().unwrap(), set.clone());
            prop_assert_eq!(&model.iter().copied().collect::<Ordinals>(), &set);
            for pair in set.ranges.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0, "{:?} are not merged", pair);
            }
        }
    }
}
