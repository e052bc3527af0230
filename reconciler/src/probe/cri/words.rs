//! What the runtime's answers to `ExecSync` mean: the container's answer, or that it could not be asked.
//!
//! Where kubelet and the API server stand between, they put the runtime's words into a Status
//! (`probe::exec_status`). Here they come as they are. containerd and CRI-O differ:
//!
//! | | containerd | CRI-O |
//! |---|---|---|
//! | timed out | an error, `timeout 1s exceeded: …` | exit code -1, stderr `command timed out` |
//! | cannot run the command | an error with runc's words | an error with runc's words, its quotes escaped |
//! | too much output | 16 MiB kept (1.6.0 to 1.6.5: all), and an error as the answer is too large to send | 16 MiB kept |

use std::time::Duration;

use gamewarden_api::quality::{Outcome, result_text};
use tonic::{Code, Status};

use super::{MAX_ANSWER, runtime_v1::ExecSyncResponse};
use crate::probe::{Answer, exec_status, sources::with_sources};

/// What is said of a runtime that does not answer.
pub(super) const SILENT: &str = "the container runtime does not answer";

/// The exit code of what has none.
const NO_EXIT_CODE: i32 = -1;

/// The answer that the end of a command stands for.
pub(super) fn ended(response: &ExecSyncResponse, timeout: Duration) -> Answer {
    let ExecSyncResponse { stdout, stderr, exit_code } = response;
    match *exit_code {
        NO_EXIT_CODE if stderr.starts_with(b"command timed out") => Answer::none_within(timeout),
        NO_EXIT_CODE => {
            let said = result_text(false, stdout, stderr);
            Answer::of(Outcome::Unknown { reason: format!("the command has no exit code: {said}") })
        }
        code => Answer::of(exited(code, stdout, stderr)),
    }
}

/// The outcome of a command that ended with this exit code.
pub(super) fn exited(code: i32, stdout: &[u8], stderr: &[u8]) -> Outcome {
    let success = code == 0;
    let result = result_text(success, stdout, stderr);
    if success { Outcome::Success { result } } else { Outcome::Failure { result } }
}

/// The answer that an error stands for.
pub(super) fn refused(status: &Status, timeout: Duration) -> Answer {
    let message = status.message();
    // CRI-O quotes the log line that runc wrote.
    let plain = message.replace("\\\"", "\"");
    if is_timeout(message) {
        Answer::none_within(timeout)
    } else if is_too_much(status) {
        let result = format!("printed more than {} KiB", MAX_ANSWER / 1024);
        Answer::of(Outcome::Failure { result })
    } else if let Some(why) = exec_status::cannot_run(&plain) {
        Answer::of(Outcome::Failure { result: result_text(true, why.as_bytes(), b"") })
    } else {
        Answer { gone: is_gone(status, &plain), ..Answer::of(Outcome::Unknown { reason: why(status) }) }
    }
}

/// Why the runtime could not be asked, for people.
pub(super) fn why(status: &Status) -> String {
    // One that has a source did not come from the runtime, but is why nothing came.
    if let Some(source) = std::error::Error::source(status) {
        return format!("the container runtime cannot be reached: {}", with_sources(source));
    }
    match (status.code(), status.message()) {
        (Code::Unimplemented, _) => "the socket is not of a runtime that runs pods (no CRI v1)".to_owned(),
        (code, "") => format!("the container runtime said {code:?} and nothing more"),
        (_, message) => message.to_owned(),
    }
}

/// containerd's word for the command's own timeout. That something else took too long is another matter.
fn is_timeout(message: &str) -> bool {
    message.contains("failed to exec in container: timeout ") && message.contains(" exceeded")
}

/// The command has ended, and printed more than can be sent (says the runtime) or is taken (says our side).
fn is_too_much(status: &Status) -> bool {
    let message = status.message();
    matches!(status.code(), Code::ResourceExhausted | Code::OutOfRange)
        && (message.contains("larger than max") || message.contains("message length too large"))
}

/// Whether this run of the container has ended, or the runtime has forgotten it.
fn is_gone(status: &Status, message: &str) -> bool {
    let not_found = status.code() == Code::NotFound
        && ["failed to find container", "could not find container", "container is not created or running"]
            .iter()
            .any(|said| message.contains(said));
    not_found || exec_status::is_gone(message)
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
