//! What the end of an exec means: the container's answer, or that it could not be asked.
//!
//! The API server relays two voices through one Status. The command's own exit code is the server's answer.
//! Everything else comes from the kubelet or the runtime and says nothing about the game, with one exception:
//! a command that the image does not have is the set's mistake and will not get better by asking again (§3.2).
//!
//! A command that dies with its container ends with 137, as one does that was killed for its own memory: a
//! failure either way here. Whoever hears it drops it where the pod store shows that the container was stopped
//! from outside (`runner`). If the store has not heard of that yet, it counts, which shows only with a
//! failureThreshold of 1. Reading the pod anew would narrow that gap and not close it: the kubelet reports
//! the end of a container up to a second or more after it, and every script that exits with 128 or more
//! would cost a read.

use gamewarden_api::quality::{Outcome, result_text};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

/// The outcome that the end of an exec stands for, with the beginning of what the command printed.
pub(super) fn outcome(status: &Status, stdout: &[u8], stderr: &[u8]) -> Outcome {
    if status.status.as_deref() == Some("Success") {
        return Outcome::Success { result: result_text(true, stdout, stderr) };
    }
    let message = status.message.as_deref().unwrap_or_default();
    if status.reason.as_deref() == Some("NonZeroExitCode") {
        return Outcome::Failure { result: result_text(false, stdout, stderr) };
    }
    match cannot_run(message) {
        Some(why) => Outcome::Failure { result: result_text(true, why.as_bytes(), b"") },
        None => Outcome::Unknown { reason: reason(message, status.reason.as_deref()) },
    }
}

fn reason(message: &str, reason: Option<&str>) -> String {
    match (message, reason) {
        ("", Some(reason)) => format!("the exec ended with {reason}"),
        ("", None) => "the exec ended without a reason".to_owned(),
        (message, _) => message.to_owned(),
    }
}

/// Whether the message says that this run of the container has ended: kubelet no longer finds it among those
/// that run, or the runtime does not.
pub(super) fn is_gone(message: &str) -> bool {
    const SAID: [&str; 6] = [
        "container not found (",
        "cannot exec in a stopped container",
        "no running task found",
        "cannot exec in a deleted state",
        "container is not running",
        "container not running",
    ];
    SAID.iter().any(|said| message.contains(said)) || container_state_is_not_running(message)
}

/// containerd's `container is in CONTAINER_EXITED state`.
fn container_state_is_not_running(message: &str) -> bool {
    message.contains("container is in CONTAINER_") && !message.contains("CONTAINER_RUNNING")
}

/// The part of the runtime's message that says that the command itself cannot be run, if it says so.
///
/// runc writes `… exec failed: … exec: "nope": executable file not found in $PATH: unknown`, or
/// `… exec /game/idle.sh: exec format error: unknown`; crun ``executable file `nope` not found``. The words at
/// the end alone would not do: `no such file or directory` is also what a runtime says whose socket or whose
/// container has just gone. CRI-O passes the words of either on after `command error: `, and what was printed
/// behind them.
pub(super) fn cannot_run(message: &str) -> Option<String> {
    const CAUSES: [&str; 5] = [
        "executable file not found",
        "no such file or directory",
        "permission denied",
        "exec format error",
        "is a directory",
    ];
    let runtime =
        ["exec failed: ", "command error: "].iter().filter_map(|start| message.find(start)).min()?;
    let said = &message[runtime..];
    let said = said.find(", stdout: ").map_or(said, |end| &said[..end]);
    let about_command = if let Some(crun) = said.find("executable file `") {
        &said[crun..]
    } else {
        let at = [": exec: \"", ": exec /"].iter().filter_map(|start| said.find(start)).min()?;
        said[at..].trim_start_matches(": ")
    };
    let lower = about_command.to_lowercase();
    let known = CAUSES.iter().any(|cause| lower.contains(cause)) || lower.contains("not found in $path");
    let text = about_command.trim_end_matches(": unknown").trim_end_matches(['\n', '"']);
    known.then(|| format!("cannot run the command: {text}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(value: Value) -> Status {
        serde_json::from_value(value).unwrap()
    }

    fn internal(message: &str) -> Value {
        json!({
            "status": "Failure", "reason": "InternalError", "code": 500, "message": message,
            "details": {"causes": [{"message": message}]},
        })
    }

    fn exit(code: u8) -> Value {
        json!({
            "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: error executing command, exit code {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        })
    }

    fn success(result: &str) -> Outcome {
        Outcome::Success { result: result.to_owned() }
    }

    fn failure(result: &str) -> Outcome {
        Outcome::Failure { result: result.to_owned() }
    }

    fn unknown(reason: &str) -> Outcome {
        Outcome::Unknown { reason: reason.to_owned() }
    }

    #[test]
    fn the_commands_own_end_is_the_answer() {
        for (what, value, expected) in [
            ("exit 0", json!({"status": "Success"}), success("out")),
            ("exit 1", exit(1), failure("err")),
            ("exit 127 of a shell", exit(127), failure("err")),
            // A script whose interpreter is missing ends so: runc says it on stderr and exits with 1.
            ("exit 255", exit(255), failure("err")),
        ] {
            assert_eq!(outcome(&status(value), b"out\n", b"err\n"), expected, "{what}");
        }
    }

    #[test]
    fn a_command_that_is_not_in_the_image_is_a_failure_that_says_so() {
        // As containerd 2.4 with runc said it under Kubernetes 1.35.
        const SEEN: &str = "Internal error occurred: error executing command in container: failed to exec in container: \
            failed to start exec \"157247b9de1c\": OCI runtime exec failed: exec failed: unable to start container process: ";
        const CONTAINERD: &str = "error executing command in container: failed to exec in container: failed to start exec \
            \"b8ac\": OCI runtime exec failed: exec failed: unable to start container process: ";
        const OLD_RUNC: &str = "OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: ";
        for (message, expected) in [
            (
                format!("{CONTAINERD}exec: \"nope\": executable file not found in $PATH: unknown"),
                "cannot run the command: exec: \"nope\": executable file not found in $PATH",
            ),
            (
                format!("{OLD_RUNC}exec: \"nope\": executable file not found in $PATH: unknown"),
                "cannot run the command: exec: \"nope\": executable file not found in $PATH",
            ),
            (
                format!("{SEEN}exec: \"nope\": executable file not found in $PATH"),
                "cannot run the command: exec: \"nope\": executable file not found in $PATH",
            ),
            (
                format!("{SEEN}exec: \"/nope\": stat /nope: no such file or directory"),
                "cannot run the command: exec: \"/nope\": stat /nope: no such file or directory",
            ),
            (
                format!("{SEEN}exec: \"/bin/noexec\": permission denied"),
                "cannot run the command: exec: \"/bin/noexec\": permission denied",
            ),
            (
                format!("{SEEN}exec: \"\": executable file not found in $PATH"),
                "cannot run the command: exec: \"\": executable file not found in $PATH",
            ),
            (
                "OCI runtime exec failed: exec failed: executable file `nope` not found in $PATH: No such file or \
                 directory: unknown"
                    .to_owned(),
                "cannot run the command: executable file `nope` not found in $PATH: No such file or directory",
            ),
        ] {
            let got = outcome(&status(internal(&message)), b"", b"");
            assert_eq!(got, failure(expected), "{message}");
        }
    }

    #[test]
    fn what_the_machinery_says_is_unknown() {
        for message in [
            "error dialing backend: dial tcp 10.0.0.5:10250: connect: connection refused",
            "error executing command in container: failed to connect to containerd: dial unix \
             /run/containerd/containerd.sock: connect: no such file or directory",
            "container not found (\"game\")",
            "pods \"game-0\" not found",
            "container zzz is not valid for pod game-0",
            "error dialing backend: dial tcp 127.0.0.1:1: connect: connection refused",
            "error executing command in container: failed to exec in container: failed to load task: no running \
             task found: task 5d1 not found: not found",
            "OCI runtime exec failed: exec failed: unable to start container process: error executing setns \
             process: exit status 1: unknown",
            "OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown",
            "OCI runtime exec failed: exec failed: unable to start container process: open \
             /proc/4711/ns/ipc: no such file or directory: unknown",
        ] {
            assert_eq!(outcome(&status(internal(message)), b"out", b"err"), unknown(message));
        }
    }

    #[test]
    fn what_says_that_the_container_has_ended_is_told_apart() {
        for (message, gone) in [
            ("container not found (\"game\")", true),
            ("OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown", true),
            (
                "failed to exec in container: failed to load task: no running task found: task 5d1 not found: not found",
                true,
            ),
            ("failed to exec in container: container is in CONTAINER_EXITED state", true),
            ("pods \"game-0\" not found", false),
            ("error dialing backend: dial tcp 10.0.0.5:10250: connect: connection refused", false),
            ("container game is not valid for pod game-0", false),
        ] {
            assert_eq!(is_gone(message), gone, "{message}");
        }
    }

    #[test]
    fn an_end_without_words_is_unknown_too() {
        assert_eq!(
            outcome(&status(json!({"status": "Failure", "reason": "Timeout"})), b"", b""),
            unknown("the exec ended with Timeout")
        );
        assert_eq!(outcome(&status(json!({})), b"", b""), unknown("the exec ended without a reason"));
    }
}
