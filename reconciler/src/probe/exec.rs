//! The central backend: `pods/exec` through the API server.
//!
//! Each probe is a WebSocket connection of its own. Both output streams are read to their end while the
//! status is awaited (one that is not read stops the other, and the status never comes), but only their
//! beginning is kept.
//!
//! The API has no way to stop the command: hanging up leaves it running in the container. So a probe that
//! timed out keeps its connection, and who asked learns from [`Answer::hanging`] when it has ended.

use std::time::Duration;

use futures::FutureExt;
use gamewarden_api::quality::{MAX_RESULT, Outcome};
use http::{HeaderValue, Request, header::SEC_WEBSOCKET_PROTOCOL};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Config,
    api::{AttachParams, AttachedProcess},
    client::ClientBuilder,
};
use tokio::io::{AsyncRead, AsyncReadExt};
use tower::util::MapRequestLayer;

use super::{Answer, ProbeTarget, exec_status, sources::with_sources};
use crate::lease::Fence;

/// How many bytes of each stream are kept: more than a result may have, for what is left out of it.
const KEPT: usize = 4 * MAX_RESULT;
/// How long it may take until the runtime has taken the command. It is no part of the probe's timeout: a slow
/// node is not a slow game.
const CONNECT: Duration = Duration::from_secs(5);

/// A client for probes: it never tries again (the schedule does that, and by then the answer may be another), and
/// starts nothing once this process does not lead.
///
/// # Errors
/// The configuration holds no usable credentials or addresses.
pub fn client(mut config: Config, fence: &Fence) -> Result<Client, kube::Error> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder.with_layer(&MapRequestLayer::new(relayed)).with_layer(&fence.layer()).build())
}

/// Asks for the stream protocol that the API server relays to the kubelet, and that one to the runtime, as it
/// is. An answer then means that the runtime has taken the command, and a timeout after it is the command's.
/// The newer protocol is translated by the API server, which accepts before it knows whether there is a
/// kubelet: a dead node would look like a command that hangs. (What the newer one adds concerns stdin.)
fn relayed<B>(mut request: Request<B>) -> Request<B> {
    if request.headers().contains_key(SEC_WEBSOCKET_PROTOCOL) {
        let protocol = HeaderValue::from_static("v4.channel.k8s.io");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    request
}

/// Probes by `pods/exec`.
#[derive(Clone)]
pub(super) struct ExecProber {
    client: Client,
}

impl ExecProber {
    /// Probes through this client, which should be one of [`client`].
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    async fn start(&self, target: &ProbeTarget, command: &[String]) -> Result<AttachedProcess, String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &target.namespace);
        let params = AttachParams::default()
            .container(&target.container)
            .stdin(false)
            .stdout(true)
            .stderr(true)
            .max_stdout_buf_size(KEPT)
            .max_stderr_buf_size(KEPT);
        let started = pods.exec(&target.pod, command.iter().map(String::as_str), &params);
        match tokio::time::timeout(CONNECT, started).await {
            Ok(Ok(process)) => Ok(process),
            Ok(Err(kube::Error::Api(status))) => Err(status.message),
            Ok(Err(error)) => Err(with_sources(&error)),
            Err(_) => Err(format!("the container could not be reached within {}s", CONNECT.as_secs())),
        }
    }

    /// Runs the command in the target's container.
    pub(super) async fn probe(&self, target: &ProbeTarget, command: &[String], timeout: Duration) -> Answer {
        let process = match self.start(target, command).await {
            Ok(process) => process,
            Err(reason) => return answer(Outcome::Unknown { reason }),
        };
        let mut end = Box::pin(follow(process));
        match tokio::time::timeout(timeout, &mut end).await {
            Ok(outcome) => answer(outcome),
            Err(_) => Answer { hanging: Some(end.map(drop).boxed()), ..Answer::none_within(timeout) },
        }
    }
}

fn answer(outcome: Outcome) -> Answer {
    let gone = matches!(&outcome, Outcome::Unknown { reason } if exec_status::is_gone(reason));
    Answer { gone, ..Answer::of(outcome) }
}

/// Follows the command to its end.
async fn follow(mut process: AttachedProcess) -> Outcome {
    let status = process.take_status();
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let status = async {
        match status {
            Some(status) => status.await,
            None => None,
        }
    };
    let (status, stdout, stderr) = tokio::join!(status, beginning(stdout), beginning(stderr));
    match status {
        Some(status) => exec_status::outcome(&status, &stdout, &stderr),
        None => Outcome::Unknown {
            reason: match process.join().await {
                Ok(()) => "the connection was closed before the command had ended".to_owned(),
                Err(error) => with_sources(&error),
            },
        },
    }
}

/// Reads the stream to its end and keeps its beginning.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return kept;
    };
    let mut buffer = [0; KEPT];
    // The streams are pipes within this process; a broken connection shows as their end and as a missing
    // status, never as an error here.
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let room = KEPT - kept.len();
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_read_to_its_end_and_its_beginning_kept() {
        let output = vec![b'x'; 2_000_000];
        let mut stream = output.as_slice();
        assert_eq!(beginning(Some(&mut stream)).await, vec![b'x'; KEPT]);
        assert!(stream.is_empty(), "{} bytes not read", stream.len());
        assert_eq!(beginning(None::<&[u8]>).await, Vec::<u8>::new());
    }
}
