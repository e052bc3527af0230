//! `webhook check`: the rules of admission, for files, without a cluster.
//!
//! ```text
//!   read     a file → its objects, document by document
//!   yaml     text → documents, as kubectl reads them, with the line of each value
//!   scalar   what a scalar is: text, a number, …
//!   path     paths within objects
//!   report   what was found → text or JSON
//!   emit     objects → YAML
//! ```

mod emit;
mod path;
mod read;
mod report;
mod scalar;
mod yaml;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use gamewarden_api::admission::{Ours, Settings, check_server, check_set, kind_of, set_defaults};
use serde_json::Value;

use report::{Note, Said, Unreadable};

use crate::rules::RulesArgs;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// YAML or JSON files, with one document or several; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How to say what was found
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,

    /// Print the objects as YAML on the standard output, with the defaults that the webhook fills in; what was found goes
    /// to the standard error
    #[arg(long)]
    defaults: bool,

    #[command(flatten)]
    rules: RulesArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each finding, with file and line, and a summary
    Text,
    /// One object: what could not be read, files without an object, findings, and how many objects were checked and skipped
    Json,
}

impl CheckArgs {
    /// Checks all files, and says what was found on the standard output.
    ///
    /// Exit codes: 0 nothing is refused, 1 something is, 2 a file could not be read (whatever else was found) or the
    /// findings could not be written.
    pub(crate) fn run(&self) -> ExitCode {
        let (said, objects) = check(&self.files, &self.rules.into());
        let written = if self.defaults {
            report::objects(&objects, &mut io::stdout().lock())
                .and_then(|()| self.report(&said, &mut anstream::stderr().lock()))
        } else {
            self.report(&said, &mut anstream::stdout().lock())
        };
        match written {
            Ok(()) => ExitCode::from(said.exit_code()),
            // Nobody reads on (`| head`): there is nobody to tell.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(2),
            Err(error) => {
                tell(&format!("cannot write what was found: {error}"));
                ExitCode::from(2)
            }
        }
    }

    fn report(&self, said: &Said, out: &mut impl Write) -> io::Result<()> {
        match self.output {
            Format::Text => report::text(said, out),
            Format::Json => report::json(said, out),
        }?;
        out.flush()
    }
}

/// Nothing is left to be done where the standard error cannot be written either.
fn tell(message: &str) {
    drop(writeln!(anstream::stderr(), "{message}"));
}

/// What is to be said of the files, and their objects with the defaults filled in.
fn check(files: &[PathBuf], settings: &Settings) -> (Said, Vec<Value>) {
    let (mut said, mut objects) = (Said::default(), Vec::new());
    for file in files {
        let name = file.display().to_string();
        match read::file(file) {
            Ok(text) => objects.extend(check_text(&name, &text, settings, &mut said)),
            Err(error) => {
                said.unreadable.push(Unreadable { file: name, line: None, message: error.to_string() });
            }
        }
    }
    (said, objects)
}

/// Checks what a file holds. What cannot be read does not keep the other documents from being checked.
fn check_text(file: &str, text: &str, settings: &Settings, said: &mut Said) -> Vec<Value> {
    let (objects, unreadable) = read::objects(text);
    if objects.is_empty() && unreadable.is_empty() {
        said.empty.push(file.to_owned());
    }
    for yaml::Unreadable { line, message } in unreadable {
        said.unreadable.push(Unreadable { file: file.to_owned(), line: Some(line), message });
    }
    let mut filled = Vec::new();
    for mut object in objects {
        let Some((ours, mut found)) = kind_of(&object.value) else {
            said.skipped += 1;
            filled.push(object.value);
            continue;
        };
        found.extend(match ours {
            Ours::Set => check_set(&object.value, settings),
            Ours::Server => check_server(&object.value),
        });
        found.sort_by_key(|finding| finding.severity);
        let kind = object.value["kind"].as_str().unwrap_or_default().to_owned();
        said.checked += 1;
        let name = object.value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let remarks = std::mem::take(&mut object.remarks);
        let remarks =
            remarks.into_iter().map(|remark| (remark.line, remark.severity, remark.path, remark.message));
        let found = found
            .into_iter()
            .map(|finding| (object.line(&finding.path), finding.severity, finding.path, finding.message));
        said.notes.extend(remarks.chain(found).map(|(line, severity, path, message)| Note {
            file: file.to_owned(),
            document: object.document,
            line,
            object: format!("{kind}/{name}"),
            severity,
            path,
            message,
        }));
        if ours == Ours::Set {
            // What it does is seen in the object; the patch is for an API server.
            let _ = set_defaults(&mut object.value, None);
        }
        filled.push(object.value);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (Vec<String>, u8) {
        let mut said = Said::default();
        check_text("game.yaml", text, &Settings::default(), &mut said);
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
                 spec.serviceQualities[0].serviceQualityAction[0].opsState: \"kill\" is unknown; did you mean \
                 \"Kill\"?",
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
    fn an_api_version_that_nobody_serves_is_told() {
        let (without, code) = lines(&GOOD.replace("apiVersion: game.kruise.io/v1alpha1\n", ""));
        let wanted = "game.yaml:1: warning: GameServerSet/minecraft: apiVersion: missing, kubectl refuses that; write \
                      game.kruise.io/v1alpha1";
        assert_eq!((without[0].as_str(), code), (wanted, 0));
        let (other, _) = lines(&GOOD.replace("v1alpha1", "v1"));
        let wanted = "game.yaml:1: error: GameServerSet/minecraft: apiVersion: \"game.kruise.io/v1\" has no such kind; write \
                      game.kruise.io/v1alpha1";
        assert_eq!(other[0], wanted);
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
        for empty in ["", "# nothing\n", "---\n---\n# nothing\n", "kind: List\nitems: []\n"] {
            let said = ["game.yaml: note: nothing to check", "0 objects checked: 0 errors, 0 warnings"];
            assert_eq!(lines(empty), (said.map(str::to_owned).into(), 0));
        }
        let (said, code) = lines(&format!("{GOOD}---\na: [\n"));
        assert_eq!(code, 2);
        assert!(said[0].starts_with("game.yaml:13: error: cannot be read: "), "{said:?}");
        assert_eq!(said[1], "1 object checked: 0 errors, 0 warnings");
        let missing = check(&["/nowhere/game.yaml".into()], &Settings::default()).0;
        assert_eq!(missing.exit_code(), 2);
        assert_eq!(
            missing.unreadable,
            [Unreadable {
                file: "/nowhere/game.yaml".to_owned(),
                line: None,
                message: "cannot be read: No such file or directory (os error 2)".to_owned(),
            }]
        );
    }

    #[test]
    fn objects_come_with_their_defaults_and_others_as_they_are() {
        let service = "apiVersion: v1\nkind: Service\nspec: {type: NodePort}\n";
        let text = format!(
            "{service}---\n{GOOD}  serviceQualities: [{{name: up, tcpSocket: {{port: 1}}, timeoutSeconds: 1, x: z}}]\n"
        );
        let objects = check_text("game.yaml", &text, &Settings::default(), &mut Said::default());
        let mut out = Vec::new();
        report::objects(&objects, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("---\napiVersion: v1\nkind: Service\nspec:\n  type: NodePort\n---\n"),
            "{text}"
        );
        let (read, error) = read::objects(&text);
        assert_eq!((read.len(), error), (2, Vec::new()));
        assert_eq!(
            read[1].value["spec"]["serviceQualities"][0],
            serde_json::json!({
                "name": "up", "containerName": "minecraft", "permanent": false, "tcpSocket": {"port": 1}, "x": "z",
                "initialDelaySeconds": 10, "timeoutSeconds": 1, "periodSeconds": 3, "successThreshold": 1,
                "failureThreshold": 3,
            })
        );
    }

    #[test]
    fn what_is_written_wrongly_is_told_of_the_object() {
        let text = GOOD.replace("replicas: 1", "replicas: 1\n  replicas: -1");
        let (said, code) = lines(&text);
        let wanted = [
            "game.yaml:7: error: GameServerSet/minecraft: spec.replicas: replicas is there twice, and kubectl takes the last; \
             leave one of them",
            "game.yaml:7: error: GameServerSet/minecraft: spec.replicas: -1 is out of range; write a number from 0 to 1000000",
        ];
        assert_eq!((&said[..2], code), (wanted.map(str::to_owned).as_slice(), 1));
        let item = text.replace("-1", "1").replace('\n', "\n    ");
        let (said, _) =
            lines(&format!("apiVersion: v1\nkind: List\nitems:\n  - kind: Service\n  - {}", item.trim_end()));
        assert!(
            said[0].starts_with("game.yaml:11: error: GameServerSet/minecraft: spec.replicas: replicas is"),
            "{said:?}"
        );
    }

    #[test]
    fn documents_after_a_broken_one_are_checked() {
        let (said, code) = lines(&format!("a: [\n---\n{}", GOOD.replace("replicas: 1", "replicas: -1")));
        assert!(said[0].starts_with("game.yaml:1: error: cannot be read: "), "{said:?}");
        assert!(
            said[1].starts_with("game.yaml:8: error: GameServerSet/minecraft: spec.replicas: -1 "),
            "{said:?}"
        );
        assert_eq!(code, 2);
    }

    #[test]
    fn json_says_where_a_file_cannot_be_read() {
        let mut said = Said::default();
        check_text("game.yaml", "a: 1\n---\nb: {{ .Result }}\n", &Settings::default(), &mut said);
        check_text("empty.yaml", "", &Settings::default(), &mut said);
        let message = "cannot be read: b: a key has to be text; a template has to stand in quotes: '{{ … }}'";
        assert_eq!(
            serde_json::to_value(&said).unwrap(),
            serde_json::json!({
                "unreadable": [{"file": "game.yaml", "line": 3, "message": message}],
                "empty": ["empty.yaml"], "checked": 0, "skipped": 1, "findings": [],
            })
        );
    }

    #[test]
    fn json_is_for_programs() {
        let mut said = Said::default();
        check_text(
            "game.yaml",
            &GOOD.replace("replicas: 1", "replicas: -1"),
            &Settings::default(),
            &mut said,
        );
        let mut out = Vec::new();
        report::json(&said, &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "unreadable": [], "empty": [], "checked": 1, "skipped": 0,
                "findings": [{
                    "file": "game.yaml", "document": 1, "line": 6, "object": "GameServerSet/minecraft", "severity": "error",
                    "path": "spec.replicas", "message": "-1 is out of range; write a number from 0 to 1000000",
                }],
            })
        );
    }
}
