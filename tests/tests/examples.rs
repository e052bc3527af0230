//! The examples are the manual's own YAML, letter for letter.

use std::{fs, path::PathBuf};

/// The bodies of the manual's `cat <<EOF | kubectl apply -f -` blocks, in order.
fn applied_in_manual(manual: &str) -> Vec<&str> {
    manual
        .split("cat <<EOF | kubectl apply -f -\n")
        .skip(1)
        .map(|rest| rest.split_once("EOF\n").map_or(rest, |(body, _)| body))
        .collect()
}

fn repo(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[test]
fn the_examples_are_the_manuals_yaml() {
    let examples = ["minecraft", "demo-gs"].map(|name| (name, repo(&format!("examples/{name}.yaml"))));
    let manual = fs::read_to_string(repo("docs/manual/service-quality.zh.md")).unwrap();
    let manual = applied_in_manual(&manual);
    assert_eq!(manual.len(), examples.len(), "the manual's examples");
    for ((name, path), applied) in examples.iter().zip(manual) {
        let example = fs::read_to_string(path).unwrap();
        assert_eq!(example, applied, "examples/{name}.yaml is not the manual's");
    }
}
