//! `webhook check` does what docs/checking.md shows.

// Helpers are not #[test] functions, which is all that clippy.toml excepts.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// The first block of a page that is fenced as `language`.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

fn check(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_webhook"))
        .arg("check")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn the_page_shows_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/checking.md");
    let page = fs::read_to_string(page).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("the_page");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("game.yaml"), block(&page, "yaml refused")).unwrap();

    let output = check(&folder, &["game.yaml"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(format!("$ webhook check game.yaml\n{said}"), block(&page, "console"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");

    // What is shown on a pipe has no colours, and what cannot be read has a code of its own.
    assert!(!said.contains('\u{1b}'));
    assert_eq!(check(&folder, &["game.yaml", "missing.yaml"]).status.code(), Some(2));
}
