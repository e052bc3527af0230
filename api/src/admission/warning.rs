//! A finding as a warning of admission: kubectl shows each on a line of its own, and Kubernetes asks for no more than
//! 120 characters (the API server cuts what is over 256 bytes, and all of them together at 4,096).

use super::Finding;

const LONGEST: usize = 120;

impl Finding {
    /// The finding on one line of at most 120 characters. What is too long loses its end.
    #[must_use]
    pub fn warning(&self) -> String {
        let text = self.to_string().replace(|c: char| c.is_control(), " ");
        if text.chars().count() <= LONGEST {
            return text;
        }
        let mut cut: String = text.chars().take(LONGEST - 1).collect();
        // Words stay whole where that costs little.
        if let Some(space) = cut.rfind(' ').filter(|space| cut.len() - space < 20) {
            cut.truncate(space);
        }
        cut.push('…');
        cut
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::LONGEST;
    use crate::admission::{Finding, Severity, check_server};

    fn warned(state: &str) -> Vec<Finding> {
        let mut found = check_server(&json!({"spec": {"opsState": state}}));
        found.retain(|finding| finding.severity == Severity::Warning);
        found
    }

    #[test]
    fn what_fits_stays_as_it_is_and_what_does_not_is_cut_between_words() {
        assert_eq!(warned("kill")[0].warning(), "spec.opsState: \"kill\" is unknown; did you mean \"Kill\"?");
        assert_eq!(
            warned(&"x".repeat(64))[0].warning(),
            format!("spec.opsState: \"{}\" cannot be a label of the pod: it is…", "x".repeat(64))
        );
    }

    proptest! {
        #[test]
        fn no_warning_is_longer_or_has_several_lines(state in ".{0,200}") {
            for finding in warned(&state) {
                let warning = finding.warning();
                prop_assert!(warning.chars().count() <= LONGEST && !warning.contains('\n'), "{warning}");
            }
            let server: Value = json!({"spec": {"containers": [{"name": state.clone(), "resources": {state: 1}}]}});
            for finding in check_server(&server) {
                prop_assert!(finding.warning().chars().count() <= LONGEST);
            }
        }
    }
}
