//! `webhook check`: the rules of admission, for files, without a cluster.
//!
//! ```text
//!   read     a file → its objects, document by document
//!   lines    where in a document a path stands
//!   report   what was found → text or JSON
//! ```

mod lines;
mod read;
mod report;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use gamewarden_api::admission::{check_server, check_set};

use report::{Note, Said};

/// The API group of what is checked, in any version.
const GROUP: &str = "game.kruise.io/";

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// YAML or JSON files, with one document or several; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How to say what was found
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each finding, with file and line, and a summary
    Text,
    /// One object: files that could not be read, findings, and how many objects were checked and skipped
    Json,
}

impl CheckArgs {
    /// Checks all files, and says what was found on the standard output.
    ///
    /// Exit codes: 0 nothing is refused, 1 something is, 2 a file could not be read (whatever else was found) or the
    /// findings could not be written.
    pub(crate) fn run(&self) -> ExitCode {
        let said = check(&self.files);
        let mut out = anstream::stdout().lock();
        let written = match self.output {
            Format::Text => report::text(&said, &mut out),
            Format::Json => report::json(&said, &mut out),
        };
        match written.and_then(|()| out.flush()) {
            Ok(()) => ExitCode::from(said.exit_code()),
            // Nobody reads on (`| head`): there is nobody to tell.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(2),
            Err(error) => {
                tell(&format!("cannot write what was found: {error}"));
                ExitCode::from(2)
            }
        }
    }
}

/// Nothing is left to be done where the standard error cannot be written either.
fn tell(message: &str) {
    drop(writeln!(anstream::stderr(), "{message}"));
}

fn check(files: &[PathBuf]) -> Said {
    let mut said = Said::default();
    for file in files {
        match read::file(file) {
            Ok(text) => check_text(&file.display().to_string(), &text, &mut said),
            Err(error) => said.unreadable.push(error.to_string()),
        }
    }
    said
}

/// Checks what a file holds. What cannot be read does not keep the objects before it from being checked.
fn check_text(file: &str, text: &str, said: &mut Said) {
    let (objects, error) = read::objects(text);
    let mut lines = lines::Lines::of(text);
    for object in objects {
        let group = object.value["apiVersion"].as_str().is_some_and(|version| version.starts_with(GROUP));
        let kind = object.value["kind"].as_str().unwrap_or_default().to_owned();
        let found = match kind.as_str() {
            "GameServerSet" if group => check_set(&object.value),
            "GameServer" if group => check_server(&object.value),
            _ => {
                said.skipped += 1;
                continue;
            }
        };
        said.checked += 1;
        let name = object.value["metadata"]["name"].as_str().unwrap_or_default();
        for finding in found {
            said.notes.push(Note {
                file: file.to_owned(),
                document: object.document,
                line: lines.line(object.document, &object.path, &finding.path),
                object: format!("{kind}/{name}"),
                finding,
            });
        }
    }
    if let Some(error) = error {
        said.unreadable.push(format!("{file}: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (Vec<String>, u8) {
        let mut said = Said::default();
        check_text("game.yaml", text, &mut said);
        let mut out = Vec::new();
        report::text(&said, &mut out).unwrap();
        let text = anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string();
        (text.lines().map(str::to_owned).collect(), said.exit_code())
    }

    const GOOD: &str = "apiVersion: game.kruise.io/v1alpha1
kind: GameServerSet
metadata:
  name: minecraft
spec:
  replicas: 1
  gameServerTemplate:
    spec:
      containers:
        - name: minecraft
          image: i
";

    #[test]
    fn findings_carry_file_and_line_and_others_are_skipped() {
        let text = format!(
            "apiVersion: v1\nkind: Service\n---\n# a comment\n{}  serviceQualities:\n    - name: idle\n      containerName: \
             minecraf\n      exec: {{command: [bash]}}\n      permanent: true\n      serviceQualityAction: [{{state: true, opsState: kill}}]\n",
            GOOD.replace("replicas: 1", "replicas: -1")
        );
        let (lines, code) = lines(&text);
        assert_eq!(
            lines,
            [
                "game.yaml:10: error: GameServerSet/minecraft: spec.replicas: -1 is out of range; write a number from 0 to \
                 1000000",
                "game.yaml:18: error: GameServerSet/minecraft: spec.serviceQualities[0].containerName: containerName \
                 \"minecraf\" is not a container of gameServerTemplate (has: minecraft); did you mean \"minecraft\"?",
                "game.yaml:21: warning: GameServerSet/minecraft: \
                 spec.serviceQualities[0].serviceQualityAction[0].opsState: \"kill\" is a state of your own, which nothing \
                 here acts on; did you mean \"Kill\"?",
                "1 object checked: 2 errors, 1 warning; 1 of other kinds skipped",
            ]
        );
        assert_eq!(code, 1);
    }

    #[test]
    fn what_is_missing_is_said_of_the_place_where_it_is_due() {
        let (lines, code) = lines(&GOOD.replace("        - name: minecraft\n          image: i\n", ""));
        let wanted = "game.yaml:9: error: GameServerSet/minecraft: spec.gameServerTemplate.spec.containers: none; write at \
                      least one, with its name and image";
        assert_eq!((lines[0].as_str(), code), (wanted, 1));
    }

    #[test]
    fn what_has_no_field_is_said_of_what_should_hold_it() {
        let (lines, _) = lines(&GOOD.replace("  replicas: 1\n", ""));
        assert_eq!(
            lines[0],
            "game.yaml:6: error: GameServerSet/minecraft: spec.replicas: missing; write how many game servers there should \
             be, from 0"
        );
    }

    #[test]
    fn a_list_is_looked_into() {
        let item = GOOD.replace("replicas: 1", "replicas: -1").replace('\n', "\n    ");
        let (lines, code) = lines(&format!("apiVersion: v1\nkind: List\nitems:\n  - {}", item.trim_end()));
        let wanted = "game.yaml:9: error: GameServerSet/minecraft: spec.replicas: -1 is out of range; write a number from 0 \
                      to 1000000";
        assert_eq!((lines[0].as_str(), code), (wanted, 1));
    }

    #[test]
    fn exit_codes() {
        assert_eq!(lines(GOOD), (vec!["1 object checked: 0 errors, 0 warnings".to_owned()], 0));
        assert_eq!(lines("").1, 0);
        let (said, code) = lines(&format!("{GOOD}---\na: [\n"));
        assert_eq!(code, 2);
        assert!(said[0].starts_with("error: game.yaml: document 2 cannot be read: "), "{said:?}");
        assert_eq!(said[1], "1 object checked: 0 errors, 0 warnings");
        let missing = check(&["/nowhere/game.yaml".into()]);
        assert_eq!(missing.exit_code(), 2);
        assert_eq!(
            missing.unreadable,
            ["/nowhere/game.yaml cannot be read: No such file or directory (os error 2)"]
        );
    }

    #[test]
    fn json_is_for_programs() {
        let mut said = Said::default();
        check_text("game.yaml", &GOOD.replace("replicas: 1", "replicas: -1"), &mut said);
        let mut out = Vec::new();
        report::json(&said, &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "unreadable": [], "checked": 1, "skipped": 0,
                "findings": [{
                    "file": "game.yaml", "document": 1, "line": 6, "object": "GameServerSet/minecraft", "severity": "error",
                    "path": "spec.replicas", "message": "-1 is out of range; write a number from 0 to 1000000",
                }],
            })
        );
    }
}
