//! The YAML that the documentation shows.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::cluster;

/// One YAML document of a fenced block.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Page and line of the block, `docs/recipes.md:21`.
    pub place: String,
    /// The document.
    pub object: Value,
}

/// Every object in the `yaml` blocks of docs/*.md, in order; README.md included. Blocks without a `kind` are parts of
/// objects and left out, and so are `yaml refused` blocks, which show a mistake.
///
/// # Errors
/// A page cannot be read, or a block is no YAML.
pub fn shown() -> Result<Vec<Shown>> {
    let root = cluster::repository();
    let mut pages: Vec<PathBuf> = vec![root.join("README.md")];
    for entry in fs::read_dir(root.join("docs"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    let mut shown = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
        let name = page.strip_prefix(&root).unwrap_or(&page).display().to_string();
        for (line, block) in blocks(&text) {
            let place = format!("{name}:{line}");
            for document in serde_yaml_ng::Deserializer::from_str(&block) {
                let object = Value::deserialize(document).with_context(|| format!("{place}: no YAML"))?;
                if object.get("kind").is_some() {
                    shown.push(Shown { place: place.clone(), object });
                }
            }
        }
    }
    Ok(shown)
}

/// The `yaml` blocks of a page, each with the number of its first line.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_end()) {
            (None, "```yaml") => open = Some((index + 2, String::new())),
            (None, _) => {}
            (Some(_), "```") => blocks.extend(open.take()),
            (Some((_, block)), line) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

/// The paths of `object` that are not in `read`, which is the same object after a type has read and written it: the
/// fields that the type does not know.
#[must_use]
pub fn unknown_fields(object: &Value, read: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    compare(object, Some(read), "", &mut paths);
    paths
}

fn compare(object: &Value, read: Option<&Value>, path: &str, paths: &mut Vec<String>) {
    match (object, read) {
        (_, None) => paths.push(path.to_owned()),
        (Value::Object(fields), Some(read)) => {
            for (key, value) in fields {
                compare(value, read.get(key), &format!("{path}.{key}"), paths);
            }
        }
        (Value::Array(items), Some(read)) => {
            for (index, item) in items.iter().enumerate() {
                compare(item, read.get(index), &format!("{path}[{index}]"), paths);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_fenced_yaml_counts() {
        let text = "a\n```yaml\nkind: A\n```\n```shell\nls\n```\n```yaml\nx: 1\ny: 2\n```\n";
        assert_eq!(blocks(text), [(3, "kind: A\n".to_owned()), (9, "x: 1\ny: 2\n".to_owned())]);
    }

    #[test]
    fn what_a_type_drops_is_unknown() {
        let (object, read) = (json!({"a": [{"b": 1, "c": 2}], "d": 3}), json!({"a": [{"b": 1}], "d": "3"}));
        assert_eq!(unknown_fields(&object, &read), [".a[0].c"]);
    }
}
