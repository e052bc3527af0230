//! The node's backend: commands run by the container runtime of this node, over its socket (CRI).
//!
//! ```text
//!   socket   where the runtime listens, and the connection that is made again by itself
//!   owner    that a container is the one of the pod that is asked for
//!   sync     `ExecSync`: one command, started and ended by the runtime
//!   words    what the runtime's answers mean (pure)
//!   resident a shell in the container that runs commands again and again, for a tenth of the price
//! ```
//!
//! The runtime obeys whoever holds its socket: nobody checks what is run, or where, but what is here.

mod metrics;
mod owner;
mod resident;
// Generated: `make generate`.
#[allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub)]
#[rustfmt::skip]
mod runtime_v1;
mod socket;
mod sync;
mod words;

#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod test_runtime;

use std::{path::PathBuf, time::Duration};

use tonic::transport::Channel;

use self::{
    metrics::WayLabel, owner::Owners, resident::Resident,
    runtime_v1::runtime_service_client::RuntimeServiceClient, socket::Socket, sync::Patience,
};
use super::{Answer, ProbeTarget};

pub use metrics::Metrics;

/// What a runtime may answer at most, in bytes. It is held in memory as a whole for each probe in flight, twice while it is decoded
/// (`prober.resources.limits` of the chart).
const MAX_ANSWER: usize = 1024 * 1024;

/// How long a runtime may take to say that it is there, while the node is busy.
const ANSWER: Duration = Duration::from_secs(5);

/// Where and how the runtime is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The runtime's socket; none: it is looked for in the known places.
    pub socket: Option<PathBuf>,
    /// The folder that the known places are in: `/`, or where a pod has the node's files.
    pub host: PathBuf,
    /// Whether commands are run by a shell that stays in the container, where there is one. The runtime's streams
    /// must be reached for it: it needs the node's network.
    pub resident: bool,
    /// The pod that this process runs in. A runtime that does not run it is not the node's: there may be several.
    pub own: Option<OwnPod>,
}

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { socket: None, host: PathBuf::from("/"), resident: true, own: None }
    }
}

/// Why no runtime can be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path that means another place with each working directory.
    #[error("{what} must be an absolute path, not {path:?}")]
    NotAbsolute {
        /// Which setting it is.
        what: &'static str,
        /// What it is set to.
        path: PathBuf,
    },
}

/// Runs commands through the runtime. Clones share a connection.
#[derive(Clone)]
pub struct Cri {
    runtime: Runtime,
    owners: Owners,
    resident: Option<Resident>,
    metrics: Metrics,
    patience: Patience,
    own: Option<OwnPod>,
}

/// The runtime's service, over the connection.
type Runtime = RuntimeServiceClient<Channel>;

impl Cri {
    /// The runtime at these settings. It is connected to when it is first asked, and again after it was restarted.
    /// Must be called where tokio runs.
    ///
    /// # Errors
    /// The settings make no sense.
    pub fn new(settings: Settings, metrics: Metrics) -> Result<Self, Error> {
        let socket = Socket::new(settings.socket, settings.host, settings.own.clone())?;
        let runtime = Runtime::new(socket.channel()).max_decoding_message_size(MAX_ANSWER);
        let resident = settings.resident.then(|| Resident::new(metrics.clone()));
        Ok(Self {
            runtime,
            owners: Owners::default(),
            resident,
            metrics,
            patience: Patience::default(),
            own: settings.own,
        })
    }

    /// Asks the runtime whether it is there, and the node's.
    ///
    /// # Errors
    /// Why it cannot be asked, for people.
    pub async fn answers(&self) -> Result<(), String> {
        let version = sync::version(&self.runtime, ANSWER).await;
        version
            .map_err(|said| said.map_or_else(|| words::SILENT.to_owned(), |status| words::why(&status)))?;
        owner::is_the_nodes(&self.runtime, self.own.as_ref()).await
    }

    /// Runs the command in the target's container.
    pub(super) async fn probe(&self, target: &ProbeTarget, command: &[String], timeout: Duration) -> Answer {
        let id = match self.owners.id(&self.runtime, target).await {
            Ok(id) => id,
            Err(answer) => return answer,
        };
        if let Some(resident) = &self.resident
            && let Some(answer) = resident.probe(&self.runtime, id, command, timeout).await
        {
            self.metrics.ran(WayLabel::Resident);
            return answer;
        }
        self.metrics.ran(WayLabel::ExecSync);
        sync::probe(&self.runtime, id, command, timeout, self.patience).await
    }
}
