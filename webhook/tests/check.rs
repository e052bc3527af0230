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

/// The blocks of a page that are fenced as `language`, whose text has this in it.
fn block_with<'a>(page: &'a str, language: &str, part: &str) -> &'a str {
    let fence = format!("```{language}\n");
    let mut blocks = page.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0);
    blocks.find(|block| block.contains(part)).unwrap()
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/checking.md")).unwrap()
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
    let page = page();
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

/// The job's command, with a `docker` that runs the program that is in the image.
#[cfg(unix)]
#[test]
fn the_ci_job_does_what_it_says() {
    use std::os::unix::fs::PermissionsExt;

    let page = page();
    let job: serde_json::Value = serde_yaml_ng::from_str(block_with(&page, "yaml", "runs-on")).unwrap();
    let command = job["jobs"]["gameservers"]["steps"][1]["run"].as_str().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("the_ci_job");
    fs::create_dir_all(folder.join("deploy/more")).unwrap();
    fs::create_dir_all(folder.join("bin")).unwrap();
    let docker = folder.join("bin/docker");
    let script = format!(
        "#!/bin/sh\n[ \"$1 $2 $3 $4\" = \"run --rm -v $PWD:/files:ro\" ] || exit 9\nshift 5\ncommand=$1\nshift\n\
         for file; do set -- \"$@\" \".${{file#/files}}\"; shift; done\nexec {} \"$command\" \"$@\"\n",
        env!("CARGO_BIN_EXE_webhook")
    );
    fs::write(&docker, script).unwrap();
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
    let run = || {
        let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .args(["-c", command])
            .current_dir(&folder)
            .env("PATH", path)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let bad = block(&page, "yaml refused");
    fs::write(folder.join("deploy/good.yaml"), "kind: Service\napiVersion: v1\n").unwrap();
    fs::write(folder.join("deploy/more/bad.yaml"), bad).unwrap();
    let (code, said) = run();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("./deploy/more/bad.yaml:14: error: GameServerSet/minecraft: "), "{said}");
    fs::write(
        folder.join("deploy/more/bad.yaml"),
        bad.replace("minecraf\n", "minecraft\n")
            .replace("true\n          opsState: WaitToBeDelete", "true\n          labels: {a: b}"),
    )
    .unwrap();
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
}
