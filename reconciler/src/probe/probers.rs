//! All ways to ask a container, each by the backend that can.

use std::time::Duration;

use gamewarden_api::schedule::Handler;
use kube::Client;

use super::{Answer, ProbeTarget, Prober, direct::Direct, exec::ExecProber};

/// Asks whatever a quality asks: commands through the API server, everything else directly.
#[derive(Clone)]
pub struct Probers {
    exec: ExecProber,
    direct: Direct,
}

impl Probers {
    /// Runs commands through this client, which should be one of [`super::client`].
    ///
    /// # Errors
    /// The crypto provider supports no version of TLS.
    pub fn new(client: Client) -> Result<Self, rustls::Error> {
        Ok(Self { exec: ExecProber::new(client), direct: Direct::new()? })
    }
}

impl Prober for Probers {
    async fn probe(&self, target: &ProbeTarget, timeout: Duration) -> Answer {
        match &target.handler {
            Handler::Exec(command) => self.exec.probe(target, command, timeout).await,
            Handler::Http(get) => self.direct.http(get, timeout).await,
            Handler::Tcp(at) => self.direct.tcp(at, timeout).await,
            Handler::Grpc { at, service } => self.direct.grpc(at, service, timeout).await,
        }
    }
}
