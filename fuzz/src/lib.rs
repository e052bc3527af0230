//! What holds of any input at all: nothing panics, nothing is slow, and answers are small and by the book.
//!
//! ```text
//!   review     bytes → the envelope of a request
//!   template   `{{.Result}}` in the values of an action, with a result
//!   ranges     reserveGameServerIds and the annotations' lists of ordinals
//!   admit      bytes → the webhook's answers
//! ```
//!
//! Each is a function that panics where something does not hold. libFuzzer calls them with what it makes up
//! (`main.rs`, built by `make fuzz` only), and an ordinary test with the corpus (`tests/corpus.rs`).

#![expect(clippy::expect_used, reason = "what does not hold is told by a panic")]

mod admit;
mod ranges;
mod review;
mod template;

/// A way into the code.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of the folder of its corpus.
    pub name: &'static str,
    /// Panics where an input shows that something does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 4] = [
    Target { name: "review", run: review::run },
    Target { name: "template", run: template::run },
    Target { name: "ranges", run: ranges::run },
    Target { name: "admit", run: admit::run },
];
