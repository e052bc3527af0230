//! Paths within objects.

use std::fmt::Write;

use super::yaml::Node;

#[derive(Debug)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

/// As Kubernetes writes it: `spec.labels[a.b/c].items[0]`.
pub(super) fn write(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        let written = match step {
            Step::Item(index) => write!(text, "[{index}]"),
            Step::Key(key) if key.is_empty() || key.contains(['.', '[', ']', ' ']) => write!(text, "[{key}]"),
            Step::Key(key) if text.is_empty() => write!(text, "{key}"),
            Step::Key(key) => write!(text, ".{key}"),
        };
        debug_assert!(written.is_ok(), "text takes all");
    }
    text
}

/// The line, from 1, of a path within a value; of what holds it, where it is missing.
pub(super) fn line(root: &Node, path: &str) -> usize {
    let mut node = root;
    for step in steps(path) {
        let Some(next) = node.get(step) else { break };
        node = next;
    }
    node.line
}

/// `spec.labels[a.b/c].items[0]` → spec, labels, a.b/c, items, 0.
pub(super) fn steps(path: &str) -> impl Iterator<Item = &str> {
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
    fn steps_are_written_as_a_path() {
        let key = |key: &str| Step::Key(key.to_owned());
        let steps = [key("spec"), key("a"), Step::Item(0), key("labels"), key("game.kruise.io/x"), key("b")];
        assert_eq!(write(&steps), "spec.a[0].labels[game.kruise.io/x].b");
        assert_eq!(write(&[]), "");
    }
}
