use super::*;

const TIMEOUT: Duration = Duration::from_secs(3);

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
    for (what, exit_code, stdout, stderr, expected) in [
        ("exit 0", 0, "out\n", "err\n", success("out")),
        ("exit 1", 1, "out\n", "err\n", failure("err")),
        ("exit 1, silent on stderr", 1, "out\n", "", failure("out")),
        ("killed", 137, "", "", failure("")),
        ("says that it timed out, by itself", 1, "", "command timed out", failure("command timed out")),
        ("CRI-O's timeout", -1, "", "command timed out", failure("timed out after 3s")),
        (
            "CRI-O's own trouble",
            -1,
            "",
            "Unsupported monitor_exec_cgroup value: pod",
            unknown("the command has no exit code: Unsupported monitor_exec_cgroup value: pod"),
        ),
    ] {
        let response = ExecSyncResponse { stdout: stdout.into(), stderr: stderr.into(), exit_code };
        let answer = ended(&response, TIMEOUT);
        let timed_out = expected == failure("timed out after 3s");
        assert_eq!((answer.outcome, answer.timed_out, answer.gone), (expected, timed_out, false), "{what}");
    }
}

/// (what, code, message, outcome, gone), as the sources of containerd 1.6, 1.7 and 2.x and of CRI-O 1.30 and later
/// word it.
fn errors() -> Vec<(&'static str, Code, &'static str, Outcome, bool)> {
    vec![
        (
            "containerd, timeout",
            Code::DeadlineExceeded,
            "failed to exec in container: timeout 3s exceeded: context deadline exceeded",
            failure("timed out after 3s"),
            false,
        ),
        (
            "containerd, its shim does not answer",
            Code::DeadlineExceeded,
            "failed to exec in container: failed to start exec \"4f\": context deadline exceeded",
            unknown("failed to exec in container: failed to start exec \"4f\": context deadline exceeded"),
            false,
        ),
        (
            "containerd with runc, no such command",
            Code::Unknown,
            "failed to exec in container: failed to start exec \"4f\": OCI runtime exec failed: exec failed: unable to \
             start container process: exec: \"nope\": executable file not found in $PATH: unknown",
            failure("cannot run the command: exec: \"nope\": executable file not found in $PATH"),
            false,
        ),
        (
            "containerd with crun, no such command",
            Code::Unknown,
            "failed to exec in container: failed to start exec \"4f\": OCI runtime exec failed: executable file `nope` \
             not found in $PATH: No such file or directory: unknown",
            failure(
                "cannot run the command: executable file `nope` not found in $PATH: No such file or directory",
            ),
            false,
        ),
        (
            "CRI-O with runc, no such command",
            Code::Unknown,
            "command error: time=\"2025-04-16T20:10:28+08:00\" level=error msg=\"exec failed: unable to start container \
             process: exec: \\\"nope\\\": executable file not found in $PATH\"\n, stdout: , stderr: , exit code -1",
            failure("cannot run the command: exec: \"nope\": executable file not found in $PATH"),
            false,
        ),
        (
            "CRI-O with crun, no such command",
            Code::Unknown,
            "command error: executable file `nope` not found in $PATH: No such file or directory\n, stdout: , stderr: , \
             exit code -1",
            failure(
                "cannot run the command: executable file `nope` not found in $PATH: No such file or directory",
            ),
            false,
        ),
        (
            "CRI-O, something else",
            Code::Unknown,
            "command error: EOF, stdout: , stderr: , exit code -1",
            unknown("command error: EOF, stdout: , stderr: , exit code -1"),
            false,
        ),
        (
            "too many processes",
            Code::Unknown,
            "failed to exec in container: failed to start exec \"4f\": OCI runtime exec failed: exec failed: unable to \
             start container process: read init-p: connection reset by peer: unknown",
            unknown(
                "failed to exec in container: failed to start exec \"4f\": OCI runtime exec failed: exec failed: unable \
                 to start container process: read init-p: connection reset by peer: unknown",
            ),
            false,
        ),
        (
            "containerd, the answer is larger than it may send",
            Code::ResourceExhausted,
            "grpc: trying to send message larger than max (16777300 vs. 16777216)",
            failure("printed more than 1024 KiB"),
            false,
        ),
        (
            "the answer is larger than we take",
            Code::OutOfRange,
            "Error, decoded message length too large: found 2000010 bytes, the limit is: 1048576 bytes",
            failure("printed more than 1024 KiB"),
            false,
        ),
        (
            "containerd, removed",
            Code::NotFound,
            "failed to exec in container: failed to find container \"115\" in store: not found",
            unknown("failed to exec in container: failed to find container \"115\" in store: not found"),
            true,
        ),
        (
            "containerd, ended",
            Code::Unknown,
            "failed to exec in container: container is in CONTAINER_EXITED state",
            unknown("failed to exec in container: container is in CONTAINER_EXITED state"),
            true,
        ),
        (
            "containerd, ended a moment ago",
            Code::NotFound,
            "failed to exec in container: failed to load task: no running task found: task 115 not found: not found",
            unknown(
                "failed to exec in container: failed to load task: no running task found: task 115 not found: not found",
            ),
            true,
        ),
        (
            "containerd, stopped just now",
            Code::FailedPrecondition,
            "failed to exec in container: failed to start exec \"4f\": OCI runtime exec failed: exec failed: cannot exec \
             in a stopped container: unknown",
            unknown(
                "failed to exec in container: failed to start exec \"4f\": OCI runtime exec failed: exec failed: cannot \
                 exec in a stopped container: unknown",
            ),
            true,
        ),
        (
            "CRI-O, removed",
            Code::NotFound,
            "could not find container \"115\": container with ID starting with 115 not found: ID does not exist",
            unknown(
                "could not find container \"115\": container with ID starting with 115 not found: ID does not exist",
            ),
            true,
        ),
        (
            "CRI-O, ended",
            Code::NotFound,
            "container is not created or running: checking if PID of 115 is running failed: container process not found",
            unknown(
                "container is not created or running: checking if PID of 115 is running failed: container process not \
                 found",
            ),
            true,
        ),
        (
            "something else is not found",
            Code::NotFound,
            "failed to exec in container: failed to get container spec: blob not found",
            unknown("failed to exec in container: failed to get container spec: blob not found"),
            false,
        ),
        (
            "containerd without CRI",
            Code::Unimplemented,
            "unknown service runtime.v1.RuntimeService",
            unknown("the socket is not of a runtime that runs pods (no CRI v1)"),
            false,
        ),
        (
            "containerd starts",
            Code::Unavailable,
            "server is not initialized yet",
            unknown("server is not initialized yet"),
            false,
        ),
        (
            "no word",
            Code::Internal,
            "",
            unknown("the container runtime said Internal and nothing more"),
            false,
        ),
    ]
}

#[test]
fn what_a_runtime_says_instead_is_told_apart() {
    for (what, code, message, outcome, gone) in errors() {
        let answer = refused(&Status::new(code, message), TIMEOUT);
        let timed_out = outcome == failure("timed out after 3s");
        assert_eq!((answer.outcome, answer.timed_out, answer.gone), (outcome, timed_out, gone), "{what}");
    }
}
