//! A player: a real connection to a game port.
//!
//! To a node of ours there is a route; into somebody's own cluster the API server forwards the port.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream},
    net::TcpStream,
    time::timeout,
};

use crate::{
    Namespace,
    cluster::{Which, which},
    wait,
};

/// What bytes go through, both ways.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The game port of the demo's game servers.
const PORT: u16 = 25565;

/// How long a game server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays until dropped.
pub struct Player(BufStream<Box<dyn Wire>>);

impl Player {
    /// Enters a server; returns when it has said welcome.
    ///
    /// # Errors
    /// It cannot be reached, or does not answer.
    pub async fn enter(namespace: &Namespace, server: &str) -> Result<Self> {
        let has_address = |pod: &Pod| address(pod).is_some();
        let pod = wait::one(&namespace.api::<Pod>(), server, "the pod has an address", has_address).await?;
        Self::enter_pod(namespace, &pod).await
    }

    /// Enters the server in this very pod, which has an address: another of its name is not taken for it.
    ///
    /// # Errors
    /// It cannot be reached, or does not answer.
    pub async fn enter_pod(namespace: &Namespace, pod: &Pod) -> Result<Self> {
        let connect = timeout(PATIENCE, connect(namespace, pod));
        let wire = connect.await?.with_context(|| format!("a player cannot enter {}", pod.name_any()))?;
        let mut player = Self(BufStream::new(wire));
        let welcome = player.line().await?;
        ensure!(welcome == "welcome", "{} said {welcome:?}", pod.name_any());
        Ok(player)
    }

    /// Stays so long, or until thrown out. Whether the connection is still there.
    pub async fn stays(&mut self, how_long: Duration) -> bool {
        let mut line = String::new();
        let ends = async { while matches!(self.0.read_line(&mut line).await, Ok(1..)) {} };
        timeout(how_long, ends).await.is_err()
    }

    /// Says something in the game's chat, as a player who is still there can.
    ///
    /// # Errors
    /// The connection is gone, or the game does not take it.
    pub async fn say(&mut self, words: &str) -> Result<String> {
        self.0.write_all(format!("say {words}\n").as_bytes()).await?;
        self.0.flush().await?;
        self.line().await
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await??;
        ensure!(read > 0, "the player was disconnected");
        Ok(line.trim_end().to_owned())
    }
}

async fn connect(namespace: &Namespace, pod: &Pod) -> Result<Box<dyn Wire>> {
    if which()? == Which::Own {
        let address = address(pod).context("an address")?;
        return Ok(Box::new(TcpStream::connect((address, PORT)).await?));
    }
    let mut forwarded = namespace.api::<Pod>().portforward(&pod.name_any(), &[PORT]).await?;
    Ok(Box::new(forwarded.take_stream(PORT).context("a stream for each port")?))
}

fn address(pod: &Pod) -> Option<String> {
    pod.status.as_ref()?.pod_ip.clone()
}
