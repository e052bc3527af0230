//! The central backend: `pods/exec` through the API server.
//!
//! Each probe is a WebSocket connection of its own.
//!
//! The API has no way to stop the command: hanging up leaves it running in the container. So a probe that
//! timed out keeps its connection, and who asked learns from [`Answer::hanging`] when it has ended. It has failed
//! only where the node still answers; otherwise nobody knows what the command does.

use std::time::Duration;

use gamewarden_api::quality::Outcome;
use http::{HeaderValue, Request, header::SEC_WEBSOCKET_PROTOCOL};
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, Config, Resource, api::AttachParams, client::ClientBuilder, core::request};
use tower::util::MapRequestLayer;

use super::{
    Answer, ProbeTarget, exec_status,
    exec_stream::{Pinged, Running},
    sources::with_sources,
};
use crate::lease::Fence;

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

    async fn start(&self, target: &ProbeTarget, command: &[String]) -> Result<Running, String> {
        let params =
            AttachParams::default().container(&target.container).stdin(false).stdout(true).stderr(true);
        let pods = Pod::url_path(&(), Some(&target.namespace));
        let exec = request::Request::new(pods).exec(&target.pod, command, &params);
        let exec = exec.map_err(|error| with_sources(&error))?;
        match tokio::time::timeout(CONNECT, self.client.connect(exec)).await {
            Ok(Ok(connection)) => Ok(Running::new(connection.into_stream())),
            Ok(Err(kube::Error::Api(status))) => Err(status.message),
            Ok(Err(error)) => Err(with_sources(&error)),
            Err(_) => Err(format!("the container could not be reached within {}s", CONNECT.as_secs())),
        }
    }

    /// Runs the command in the target's container.
    pub(super) async fn probe(&self, target: &ProbeTarget, command: &[String], timeout: Duration) -> Answer {
        let mut running = match self.start(target, command).await {
            Ok(running) => running,
            Err(reason) => return answer(Outcome::Unknown { reason }),
        };
        if let Ok(outcome) = tokio::time::timeout(timeout, running.end()).await {
            return answer(outcome);
        }
        match running.ping().await {
            Pinged::Answered => Answer { hanging: Some(running.hanging()), ..Answer::none_within(timeout) },
            Pinged::Silent => Answer { hanging: Some(running.hanging()), ..Answer::out_of_reach() },
            // The connection has broken.
            Pinged::Ended(outcome @ Outcome::Unknown { .. }) => answer(outcome),
            // It came too late.
            Pinged::Ended(_) => Answer::none_within(timeout),
        }
    }
}

fn answer(outcome: Outcome) -> Answer {
    let gone = matches!(&outcome, Outcome::Unknown { reason } if exec_status::is_gone(reason));
    Answer { gone, ..Answer::of(outcome) }
}
