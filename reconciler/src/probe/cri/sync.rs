//! `ExecSync`: the runtime starts the command, waits for it, and kills it at the timeout.
//!
//! It also waits until the command's output is closed, by everybody who holds it: a daemon that the command has
//! left behind keeps the call open. Then the command has not ended in time, as through `pods/exec`, and it is
//! not asked again until the call ends or is let go.

use std::time::Duration;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use gamewarden_api::quality::Outcome;
use tokio::time::sleep;
use tonic::Status;

use super::{
    Runtime,
    runtime_v1::{ExecSyncRequest, VersionRequest},
    words,
};
use crate::probe::{Answer, Hanging};

/// How often a command that hangs is looked after.
const EVERY: Duration = Duration::from_secs(1);

/// How long a runtime that lives may take to say so.
pub(super) const ALIVE: Duration = Duration::from_secs(1);

/// How long a runtime is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Beyond the timeout, until it answers: its timeout begins when the command has started, and a slow node is not
    /// a slow game.
    pub(super) beyond: Duration,
    /// Until one that lives has said so.
    pub(super) alive: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { beyond: Duration::from_secs(5), alive: ALIVE }
    }
}

/// Runs the command in the container with this id.
pub(super) async fn probe(
    runtime: &Runtime,
    id: &str,
    command: &[String],
    timeout: Duration,
    patience: Patience,
) -> Answer {
    let seconds = whole_seconds(timeout);
    let request = ExecSyncRequest {
        container_id: id.to_owned(),
        cmd: command.to_vec(),
        timeout: i64::try_from(seconds).unwrap_or(i64::MAX),
    };
    let told = Duration::from_secs(seconds);
    let mut called = runtime.clone();
    let mut call = async move { called.exec_sync(request).await }.boxed();
    match tokio::time::timeout(timeout + patience.beyond, &mut call).await {
        Ok(Ok(response)) => words::ended(&response.into_inner(), told),
        Ok(Err(status)) => words::refused(&status, told),
        Err(_) if alive(runtime, patience.alive).await => {
            let hanging = hanging(call.map(drop).boxed(), runtime.clone(), patience.alive);
            Answer { hanging: Some(hanging), ..Answer::none_within(told) }
        }
        // Hanging up ends the command, as soon as the runtime listens again.
        Err(_) => Answer::of(Outcome::Unknown { reason: words::SILENT.to_owned() }),
    }
}

/// Looks after a call that does not end: a runtime that has stopped meanwhile is no fault of the command.
fn hanging(call: BoxFuture<'static, ()>, runtime: Runtime, within: Duration) -> Hanging {
    let looked_after = stream::unfold((call, runtime), move |(mut call, runtime)| async move {
        tokio::select! {
            biased;
            () = &mut call => return None,
            () = sleep(EVERY) => {}
        }
        let reached = alive(&runtime, within).await;
        Some((reached, (call, runtime)))
    });
    looked_after.boxed()
}

/// The timeout as the runtime takes it. 0 would be none.
fn whole_seconds(timeout: Duration) -> u64 {
    (timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0)).max(1)
}

pub(super) async fn alive(runtime: &Runtime, within: Duration) -> bool {
    version(runtime, within).await.is_ok()
}

/// Asks the runtime for its version, which every one has that answers at all.
///
/// # Errors
/// What it said instead; none where it has said nothing.
pub(super) async fn version(runtime: &Runtime, within: Duration) -> Result<(), Option<Status>> {
    let mut runtime = runtime.clone();
    let version = runtime.version(VersionRequest { version: String::new() });
    match tokio::time::timeout(within, version).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(status)) => Err(Some(status)),
        Err(_) => Err(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_counts_in_whole_seconds_and_always_has_a_limit() {
        for (millis, expected) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (5000, 5)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), expected, "{millis} ms");
        }
    }
}
