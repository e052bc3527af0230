//! The streams of a process in a container: `Exec` of the runtime, which gives an address on this machine, and a
//! WebSocket to it (`v4.channel.k8s.io`: the first byte of a message says which stream it belongs to).
//!
//! The process ends with the connection: the runtime closes its stdin.

use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Uri, header::SEC_WEBSOCKET_PROTOCOL};
use hyper::body::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use super::session::{End, Event, Pipe};
use crate::probe::{
    cri::{Runtime, runtime_v1::ExecRequest, words},
    exec_status,
    sources::with_sources,
};

const PROTOCOL: HeaderValue = HeaderValue::from_static("v4.channel.k8s.io");
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
/// There is a connection for each container, mostly idle; most answers are a line.
const BUFFER: usize = 1024;
/// The runtime passes output on in pieces of 32 KiB.
const MAX_MESSAGE: usize = 256 * 1024;

/// Why there are no streams.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// As the runtime says it.
    #[error("{0}")]
    Refused(String),
    /// There is an address, but not one that can be used.
    #[error("the runtime's address for streams, {address}, cannot be used: {why}")]
    Address {
        /// What it gave.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The address cannot be connected to.
    #[error("cannot connect to the runtime's streams at {address} (is this the node's network?): {source}")]
    Connect {
        /// Where they should be.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It speaks otherwise.
    #[error("the runtime's streams at {address} are not as they should be: {why}")]
    Handshake {
        /// Where they are.
        address: String,
        /// How they differ.
        why: String,
    },
}

/// The streams of a process.
#[derive(Debug)]
pub(in crate::probe::cri) struct Stream(WebSocketStream<TcpStream>);

impl Stream {
    /// Starts the command in the container with this id.
    pub(super) async fn open(runtime: &Runtime, id: &str, command: Vec<String>) -> Result<Self, Error> {
        let request = ExecRequest {
            container_id: id.to_owned(),
            cmd: command,
            tty: false,
            stdin: true,
            stdout: true,
            stderr: true,
        };
        let answer = runtime.clone().exec(request).await;
        let url = answer.map_err(|status| Error::Refused(words::why(&status)))?.into_inner().url;
        let (address, host, port) = address(&url)?;
        let tcp = TcpStream::connect((host.as_str(), port)).await.and_then(|tcp| {
            tcp.set_nodelay(true)?;
            Ok(tcp)
        });
        let tcp = tcp.map_err(|source| Error::Connect { address: format!("{host}:{port}"), source })?;
        let handshake = |error: tungstenite::Error| Error::Handshake {
            address: format!("{host}:{port}"),
            why: with_sources(&error),
        };
        let mut request = address.into_client_request().map_err(handshake)?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_MESSAGE)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let (socket, _) = client_async_with_config(request, tcp, Some(config)).await.map_err(handshake)?;
        Ok(Self(socket))
    }
}

/// The address as a WebSocket has it, its host and its port. It has a token in it, which no error shows.
fn address(url: &str) -> Result<(String, String, u16), Error> {
    let shown = url.split("/exec/").next().unwrap_or_default().to_owned();
    let wrong = |why: &str| Error::Address { address: shown.clone(), why: why.to_owned() };
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong("only http is spoken here, without TLS"));
    }
    let host = uri.host().ok_or_else(|| wrong("it has no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(80);
    Ok((format!("ws{}", url.trim_start_matches("http")), host, port))
}

impl Pipe for Stream {
    async fn send(&mut self, text: String) -> Result<(), End> {
        let mut message = Vec::with_capacity(text.len() + 1);
        message.push(STDIN);
        message.extend_from_slice(text.as_bytes());
        self.0.send(Message::binary(message)).await.map_err(|error| broken(&error))
    }

    async fn next(&mut self) -> Event {
        loop {
            let mut message = match self.0.next().await {
                Some(Ok(Message::Binary(message))) => message,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_))) | None => return Event::Ended(closed()),
                Some(Ok(_)) => {
                    return Event::Ended(End::Broken("the runtime sent what is no stream".to_owned()));
                }
                Some(Err(error)) => return Event::Ended(broken(&error)),
            };
            // Empty ones say that the connection is there.
            if message.len() < 2 {
                continue;
            }
            let data = message.split_off(1);
            match message[0] {
                STDOUT => return Event::Stdout(data),
                STDERR => return Event::Stderr(data),
                ERROR => return Event::Ended(reported(&data)),
                _ => {}
            }
        }
    }
}

fn closed() -> End {
    End::Broken("the runtime has closed the streams".to_owned())
}

fn broken(error: &tungstenite::Error) -> End {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => closed(),
        error => End::Broken(with_sources(error)),
    }
}

fn reported(data: &Bytes) -> End {
    match serde_json::from_slice::<Status>(data) {
        Ok(status) => End::Reported(Box::new(status)),
        Err(error) => End::Broken(format!("the runtime reports what is no status: {error}")),
    }
}

/// The exit codes of what cannot start a program. (runc's is 255, which it also has where there are no processes or no memory to be
/// had just now.)
const NOT_STARTED: [&str; 2] = ["126", "127"];

/// Whether a shell that ended before it has answered was never there: either the runtime says so (containerd), or runc, by
/// an exit code of its own or on stderr, in the shell's place (CRI-O). With another code there was one, and something has
/// ended it: there may be no memory for it now, say.
pub(super) fn is_no_shell(end: &End, said: &str) -> bool {
    let End::Reported(status) = end else { return false };
    // Its log has the quotes escaped.
    let said = said.replace("\\\"", "\"");
    exit_code(status).is_some_and(|code| NOT_STARTED.contains(&code))
        || [status.message.as_deref(), Some(said.as_str())]
            .into_iter()
            .flatten()
            .any(|message| exec_status::cannot_run(message).is_some())
}

/// The exit code that the runtime reports, as it writes it.
fn exit_code(status: &Status) -> Option<&str> {
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    code.message.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtimes_address_is_made_a_websockets() {
        for (url, expected) in [
            (
                "http://127.0.0.1:35211/exec/TOKEN",
                Ok(("ws://127.0.0.1:35211/exec/TOKEN", "127.0.0.1", 35211)),
            ),
            ("http://[::1]:10010/exec/TOKEN", Ok(("ws://[::1]:10010/exec/TOKEN", "::1", 10010))),
            (
                "https://127.0.0.1:35211/exec/TOKEN",
                Err(
                    "the runtime's address for streams, https://127.0.0.1:35211, cannot be used: only http is spoken \
                     here, without TLS",
                ),
            ),
            ("", Err("the runtime's address for streams, , cannot be used: empty string")),
        ] {
            let got = address(url).map_err(|error| error.to_string());
            let got = got.as_ref().map(|(url, host, port)| (url.as_str(), host.as_str(), *port));
            assert_eq!(got.map_err(String::as_str), expected, "{url}");
        }
    }

    #[test]
    fn a_container_without_a_shell_is_told_from_one_that_is_gone() {
        for (reason, message, expected) in [
            (
                "InternalError",
                "error executing command in container: failed to exec in container: failed to start exec \"4f\": OCI \
                 runtime exec failed: exec failed: unable to start container process: exec: \"sh\": executable file not \
                 found in $PATH",
                true,
            ),
            (
                "InternalError",
                "error executing command in container: failed to exec in container: failed to load task: no running task \
                 found: task 5d1 not found: not found",
                false,
            ),
        ] {
            let status = Status {
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
                ..Status::default()
            };
            assert_eq!(is_no_shell(&End::Reported(Box::new(status)), ""), expected, "{message}");
        }
        assert!(!is_no_shell(&closed(), ""));
        for (code, expected) in [
            ("126", true),
            ("127", true),
            ("255", false),
            ("1", false),
            ("2", false),
            ("137", false),
            ("143", false),
        ] {
            assert_eq!(is_no_shell(&ended_with(code), ""), expected, "{code}");
        }
        // CRI-O with runc 1.1: what it says is all that tells.
        for (said, expected) in [
            (
                "time=\"2026-11-28T15:39:14Z\" level=error msg=\"exec failed: unable to start container process: exec: \
                 \\\"sh\\\": executable file not found in $PATH\"\n",
                true,
            ),
            (
                "time=\"2026-11-28T15:39:14Z\" level=error msg=\"exec failed: unable to start container process: read \
                 init-p: connection reset by peer\"\n",
                false,
            ),
            ("", false),
        ] {
            assert_eq!(is_no_shell(&ended_with("255"), said), expected, "{said}");
        }
    }

    fn ended_with(code: &str) -> End {
        let status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code}]},
        }));
        End::Reported(Box::new(status.unwrap()))
    }
}
