//! `tcpSocket`: whether a connection can be opened.

use std::net::IpAddr;

use gamewarden_api::quality::Outcome;
use tokio::io::AsyncWriteExt;

use super::connect::connect;

/// Connects, and closes.
pub(super) async fn ask(port: u16, addresses: Vec<IpAddr>) -> Outcome {
    match connect(&addresses, port).await {
        Ok(mut stream) => {
            // So that the server reads an end and not an error. Its answer is given either way.
            let _ = stream.shutdown().await;
            Outcome::Success { result: String::new() }
        }
        Err(outcome) => outcome,
    }
}
