//! The corpus, once through: what a fuzzer has found stays found.

// Helpers are not #[test] functions, which is all that clippy.toml excepts.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Instant};

use gamewarden_fuzz::{TARGETS, Target};

fn replay(name: &str) {
    let Target { run, .. } = TARGETS.into_iter().find(|target| target.name == name).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let input = fs::read(&file).unwrap();
        let began = Instant::now();
        // nextest shows this where the test fails: the last one named is the one.
        eprintln!("{}", file.display());
        run(&input);
        let took = began.elapsed();
        assert!(took.as_secs() < 5, "{} took {took:?}", file.display());
    }
}

#[test]
fn review() {
    replay("review");
}

#[test]
fn template() {
    replay("template");
}

#[test]
fn ranges() {
    replay("ranges");
}

#[test]
fn admit() {
    replay("admit");
}
