//! Reasons and messages, put together: `A; B`, each part once.

use crate::event::{cut, quoted};

/// Longest reason and longest message, in bytes, whatever they are put together from.
const MAX: usize = 1024;

/// What is wrong with one aspect of a server; nothing, to begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    reasons: Vec<String>,
    messages: Vec<String>,
}

impl Trouble {
    /// Adds what somebody else has said; what was said before is not repeated, and what says nothing is left
    /// out.
    pub(super) fn add(&mut self, reason: &str, message: &str) {
        for (parts, new) in [(&mut self.reasons, reason), (&mut self.messages, message)] {
            let new = quoted(new.trim());
            if !new.is_empty() && !parts.iter().any(|part| part == new) {
                parts.push(new.to_owned());
            }
        }
    }

    /// Nothing is wrong.
    pub(super) fn is_none(&self) -> bool {
        self.reasons.is_empty() && self.messages.is_empty()
    }

    /// The reasons, parted by `; `.
    pub(super) fn reason(&self) -> Option<String> {
        joined(&self.reasons)
    }

    /// The messages, parted by `; `.
    pub(super) fn message(&self) -> Option<String> {
        joined(&self.messages)
    }
}

fn joined(parts: &[String]) -> Option<String> {
    let text = parts.join("; ");
    (!text.is_empty()).then(|| cut(&text, MAX).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_stands_once_and_none_is_too_long() {
        let mut trouble = Trouble::default();
        assert!(trouble.is_none());
        trouble.add("A", "a");
        trouble.add("B", "a");
        trouble.add("A", "");
        assert_eq!((trouble.reason().as_deref(), trouble.message().as_deref()), (Some("A; B"), Some("a")));
        trouble.add("C", &"ä".repeat(200));
        assert_eq!(trouble.message().unwrap().len(), "a; ".len() + 256);
        for number in 0..9 {
            trouble.add("D", &format!("{number}{}", "x".repeat(300)));
        }
        assert_eq!(trouble.message().unwrap().len(), MAX);
    }
}
