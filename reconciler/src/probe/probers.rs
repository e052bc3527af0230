//! All ways to ask a container, each by the backend that can.

use std::time::Duration;

use gamewarden_api::schedule::Handler;
use kube::Client;

use super::{Answer, Cri, ProbeTarget, Prober, direct::Direct, exec::ExecProber};

/// Asks whatever a quality asks: commands through what runs the containers, everything else directly.
#[derive(Clone)]
pub struct Probers {
    commands: Commands,
    direct: Direct,
}

/// What runs commands in containers.
#[derive(Clone)]
enum Commands {
    /// The API server, anywhere.
    Api(ExecProber),
    /// The runtime of this node, on this node.
    Node(Box<Cri>),
}

impl Probers {
    /// Runs commands through this client, which should be one of [`super::client`].
    ///
    /// # Errors
    /// The crypto provider supports no version of TLS.
    pub fn new(client: Client) -> Result<Self, rustls::Error> {
        Ok(Self { commands: Commands::Api(ExecProber::new(client)), direct: Direct::new()? })
    }

    /// Runs commands through the runtime of this node: only its containers can be asked.
    ///
    /// # Errors
    /// The crypto provider supports no version of TLS.
    pub fn on_node(cri: Cri) -> Result<Self, rustls::Error> {
        Ok(Self { commands: Commands::Node(Box::new(cri)), direct: Direct::new()? })
    }
}

impl Prober for Probers {
    async fn probe(&self, target: &ProbeTarget, timeout: Duration) -> Answer {
        match &target.handler {
            Handler::Exec(command) => match &self.commands {
                Commands::Api(exec) => exec.probe(target, command, timeout).await,
                Commands::Node(cri) => cri.probe(target, command, timeout).await,
            },
            Handler::Http(get) => self.direct.http(get, timeout).await,
            Handler::Tcp(at) => self.direct.tcp(at, timeout).await,
            Handler::Grpc { at, service } => self.direct.grpc(at, service, timeout).await,
        }
    }
}
