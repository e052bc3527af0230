//! A player: a real connection to a game port.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
    time::timeout,
};

use crate::{Namespace, wait};

/// The game port of the demo's game servers.
const PORT: u16 = 25565;

/// How long a game server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays until dropped.
pub struct Player(BufStream<TcpStream>);

impl Player {
    /// Enters a server; returns when it has said welcome.
    ///
    /// # Errors
    /// It cannot be reached, or does not answer.
    pub async fn enter(namespace: &Namespace, server: &str) -> Result<Self> {
        let has_address = |pod: &Pod| address(pod).is_some();
        let pod = wait::one(&namespace.api::<Pod>(), server, "the pod has an address", has_address).await?;
        let address = address(&pod).context("an address")?;
        let connect = timeout(PATIENCE, TcpStream::connect((address, PORT)));
        let stream = connect.await?.with_context(|| format!("a player cannot enter {}", pod.name_any()))?;
        let mut player = Self(BufStream::new(stream));
        let welcome = player.line().await?;
        ensure!(welcome == "welcome", "{server} said {welcome:?}");
        Ok(player)
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

fn address(pod: &Pod) -> Option<String> {
    pod.status.as_ref()?.pod_ip.clone()
}
