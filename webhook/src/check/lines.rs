//! Where in a file a path stands.

use saphyr::{LoadableYamlNode, MarkedYaml, SafelyIndex};

/// The lines of a file's documents, read when the first is asked for: most files have no mistakes.
pub(super) struct Lines<'a> {
    text: &'a str,
    /// `None` until then; empty where this reader does not take the file.
    documents: Option<Vec<MarkedYaml<'a>>>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, documents: None }
    }

    /// The line, from 1, of a path within an object; of what holds it, where it is missing. `None` where that is not
    /// known.
    pub(super) fn line(&mut self, document: usize, object: &str, path: &str) -> Option<usize> {
        let text = self.text;
        let documents =
            self.documents.get_or_insert_with(|| MarkedYaml::load_from_str(text).unwrap_or_default());
        let mut node = documents.get(document.checked_sub(1)?)?;
        let mut line = node.span.start.line();
        for step in steps(object).chain(steps(path)) {
            let next = match step.parse::<usize>() {
                Ok(index) if node.data.is_sequence() => node.get(index),
                _ => node.get(step),
            };
            let Some(next) = next else { break };
            // An empty value stands where the next one begins.
            if next.span.start.line() < next.span.end.line() || !next.data.is_null() {
                line = next.span.start.line();
            }
            node = next;
        }
        Some(line)
    }
}

/// `spec.labels[a.b/c].items[0]` → spec, labels, a.b/c, items, 0.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('.');
        if rest.is_empty() {
            return None;
        }
        let step;
        if let Some(inside) = rest.strip_prefix('[') {
            (step, rest) = inside.split_once(']').unwrap_or((inside, ""));
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            (step, rest) = rest.split_at(end);
        }
        Some(step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_steps() {
        let all: Vec<&str> = steps("spec.a[0].labels[game.kruise.io/x].b").collect();
        assert_eq!(all, ["spec", "a", "0", "labels", "game.kruise.io/x", "b"]);
        assert_eq!(steps("").count(), 0);
    }

    #[test]
    fn what_cannot_be_found_has_no_line() {
        assert_eq!(Lines::of("a: [").line(1, "", "a"), None);
        assert_eq!(Lines::of("a: 1").line(2, "", "a"), None);
        assert_eq!(Lines::of("x: 1\na:\n  b: &b [1,\n    2]\nc: *b\n").line(1, "", "a.b[1]"), Some(4));
    }
}
