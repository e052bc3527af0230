//! What one probe came to, and the text it printed (design §3.1, §3.2).

use crate::event::cut;

/// Longest result text, in bytes.
pub const MAX_RESULT: usize = 1024;

/// What one probe came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0, an HTTP status from 200 to 399, a connection, SERVING.
    Success {
        /// What it printed, as [`result_text`] gives it.
        result: String,
    },
    /// Anything else that the server itself answered, timeouts included.
    Failure {
        /// What it printed, as [`result_text`] gives it.
        result: String,
    },
    /// It could not be asked: transport broken, runtime down.
    Unknown {
        /// Why, for people.
        reason: String,
    },
}

/// The result text of a probe: stdout, or on failure stderr if it says anything, else stdout. An HTTP
/// body is given as stdout with an empty stderr.
///
/// `|` and line breaks are removed (the text travels in conditions that are read line by line), white
/// space at both ends too, and at most [`MAX_RESULT`] bytes are kept, whole characters only.
#[must_use]
pub fn result_text(success: bool, stdout: &[u8], stderr: &[u8]) -> String {
    if !success {
        let text = cleaned(stderr);
        if !text.is_empty() {
            return text;
        }
    }
    cleaned(stdout)
}

fn cleaned(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output).replace(['|', '\n', '\r'], "");
    let text = text.trim();
    cut(text, MAX_RESULT).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_result_is_what_the_probe_printed() {
        for (success, stdout, stderr, expected) in [
            (true, "3\n", "noise", "3"),
            (true, "", "noise", ""),
            (false, "out", "err\n", "err"),
            (false, "out", "", "out"),
            (false, "out", " \n", "out"),
            (false, "", "", ""),
            (true, " a|b\r\nc \n", "", "abc"),
            (true, "| 5 |", "", "5"),
            (true, "two words", "", "two words"),
        ] {
            let text = result_text(success, stdout.as_bytes(), stderr.as_bytes());
            assert_eq!(text, expected, "{success} {stdout:?} {stderr:?}");
        }
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        assert_eq!(result_text(true, b"a\xffb", b""), "a\u{fffd}b");
    }

    #[test]
    fn a_long_result_is_cut_between_characters() {
        let text = format!("a{}", "é".repeat(600));
        assert_eq!(result_text(true, text.as_bytes(), b""), format!("a{}", "é".repeat(511)));
    }

    proptest! {
        // §3.1
        #[test]
        fn a_result_is_short_and_on_one_line(
            success: bool,
            stdout in prop::collection::vec(any::<u8>(), 0..3000),
            stderr in prop::collection::vec(prop::sample::select(b" \t\n|\xc3\xa9x".to_vec()), 0..3000),
        ) {
            let text = result_text(success, &stdout, &stderr);
            prop_assert!(text.len() <= MAX_RESULT);
            prop_assert!(!text.contains(['|', '\n', '\r']));
            prop_assert_eq!(text.trim(), &text);
            prop_assert_eq!(result_text(true, text.as_bytes(), b""), text.clone(), "cleaning twice changes nothing");
        }
    }
}
