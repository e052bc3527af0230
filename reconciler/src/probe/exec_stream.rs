//! A command that runs in a container, at the other end of a WebSocket: what it prints, how it ends, and whether
//! anybody is still there.
//!
//! Each message begins with its channel (`v4.channel.k8s.io`). All are read to the end (a stream that is not read
//! stops the others, and the status never comes), but only the beginning of what is printed is kept.
//!
//! A silent command may hang, or the network to its node is gone: a connection says nothing of that for minutes.
//! A ping tells the two apart, as the API server relays this protocol as it is: the runtime's streaming server
//! answers it, whatever the command does.

use std::{pin::Pin, time::Duration};

use futures::{Sink, SinkExt, Stream, StreamExt, stream};
use gamewarden_api::quality::{MAX_RESULT, Outcome};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::{Hanging, exec_status, sources::with_sources};

/// How many bytes of each stream are kept: more than a result may have, for what is left out of it.
pub(super) const KEPT: usize = 4 * MAX_RESULT;
/// How long a ping may take. One that gets through takes milliseconds, on a loaded node more.
const PONG: Duration = Duration::from_secs(2);
/// How often a command that hangs is looked after.
const EVERY: Duration = Duration::from_secs(1);

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;

type Socket = Pin<Box<dyn Wire + Send>>;

/// The connection, whatever it is made of.
trait Wire: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> {}
impl<T: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error>> Wire for T {}

/// A command that has been started.
pub(super) struct Running {
    socket: Socket,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// What came of a ping.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pinged {
    /// The other end is there; the command goes on.
    Answered,
    /// Nobody answers.
    Silent,
    /// The command, or the connection, has ended in the meantime.
    Ended(Outcome),
}

impl Running {
    /// Follows the command whose messages come here.
    pub(super) fn new(
        socket: impl Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Send + 'static,
    ) -> Self {
        Self { socket: Box::pin(socket), stdout: Vec::new(), stderr: Vec::new() }
    }

    /// Waits for the command's end. Cancelling it loses nothing.
    pub(super) async fn end(&mut self) -> Outcome {
        loop {
            let message = self.socket.next().await;
            if let Some(outcome) = self.take(message) {
                return outcome;
            }
        }
    }

    /// Asks whether the other end is still there.
    pub(super) async fn ping(&mut self) -> Pinged {
        timeout(PONG, self.pinged()).await.unwrap_or(Pinged::Silent)
    }

    async fn pinged(&mut self) -> Pinged {
        if let Err(error) = self.socket.send(Message::Ping(Bytes::new())).await {
            return Pinged::Ended(broken(&error));
        }
        loop {
            let message = self.socket.next().await;
            // What else arrives is as good.
            let heard = matches!(&message, Some(Ok(Message::Pong(_) | Message::Binary(_))));
            match self.take(message) {
                Some(outcome) => return Pinged::Ended(outcome),
                None if heard => return Pinged::Answered,
                None => {}
            }
        }
    }

    /// Looks after the command while it hangs.
    pub(super) fn hanging(self) -> Hanging {
        let looked_after = stream::unfold(self, |mut running| async {
            tokio::select! {
                biased;
                _ = running.end() => return None,
                () = sleep(EVERY) => {}
            }
            match running.ping().await {
                Pinged::Answered => Some((true, running)),
                Pinged::Silent => Some((false, running)),
                Pinged::Ended(_) => None,
            }
        });
        looked_after.boxed()
    }

    /// Takes in a message; gives the outcome with the last one.
    fn take(&mut self, message: Option<Result<Message, Error>>) -> Option<Outcome> {
        let data = match message {
            Some(Ok(Message::Binary(data))) => data,
            Some(Ok(Message::Close(_))) | None => {
                return Some(unknown("the connection was closed before the command had ended".to_owned()));
            }
            Some(Err(error)) => return Some(broken(&error)),
            Some(Ok(_)) => return None,
        };
        let (channel, data) = data.split_first()?;
        match *channel {
            STDOUT => keep(&mut self.stdout, data),
            STDERR => keep(&mut self.stderr, data),
            // Each channel begins with an empty message.
            STATUS if !data.is_empty() => return Some(self.ended(data)),
            _ => {}
        }
        None
    }

    fn ended(&self, status: &[u8]) -> Outcome {
        match serde_json::from_slice(status) {
            Ok(status) => exec_status::outcome(&status, &self.stdout, &self.stderr),
            Err(error) => unknown(format!("the status of the command cannot be read: {error}")),
        }
    }
}

fn keep(kept: &mut Vec<u8>, data: &[u8]) {
    let room = KEPT - kept.len();
    kept.extend_from_slice(&data[..data.len().min(room)]);
}

fn broken(error: &Error) -> Outcome {
    unknown(with_sources(error))
}

fn unknown(reason: String) -> Outcome {
    Outcome::Unknown { reason }
}

#[cfg(test)]
#[path = "exec_stream_tests.rs"]
mod tests;
