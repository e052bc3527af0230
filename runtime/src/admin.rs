//! The admin port: plain HTTP for kubelet (`/livez`, `/healthz`, `/readyz`) and Prometheus (`/metrics`).
//!
//! It is open to whoever can reach the pod, so everything is bounded: one request per connection,
//! one deadline for all of it, a limit of connections, GET and HEAD only, bodies unread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::{Health, Metrics, metrics};

/// More than kubelet and a pair of Prometheus servers ever hold open.
const MAX_CONNECTIONS: usize = 64;

/// From accept to the last byte of the request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// From accept to the last byte of the answer; Prometheus gives up after 10 s by default.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Command line arguments of the admin port.
#[derive(Debug, Clone, clap::Args)]
pub struct AdminArgs {
    /// Where /livez, /readyz and /metrics are served (plain HTTP)
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "IP:PORT")]
    pub admin_addr: SocketAddr,
}

/// Why the admin port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on --admin-addr {addr}")]
pub struct AdminError {
    addr: SocketAddr,
    source: io::Error,
}

/// The admin server: its port is open, so a caller that comes early waits instead of being refused.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    addr: SocketAddr,
    state: AdminState,
}

#[derive(Debug, Clone)]
struct AdminState {
    health: Health,
    metrics: Metrics,
}

impl Admin {
    /// Opens the port.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub async fn bind(addr: SocketAddr, health: Health, metrics: Metrics) -> Result<Self, AdminError> {
        let failed = |source| AdminError { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        Ok(Self {
            addr: listener.local_addr().map_err(failed)?,
            listener,
            state: AdminState { health, metrics },
        })
    }

    /// The address it listens on (with the port that the system chose for port 0).
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves for ever: during a drain too, since that is when `/readyz` matters most. Drop the
    /// future to stop.
    pub async fn serve(mut self) {
        tracing::info!(addr = %self.addr, "serving health and metrics");
        let service = TowerToHyperService::new(router(self.state));
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        // `acquire_owned` fails only on a closed semaphore, and nothing closes this one.
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            // `Listener::accept` waits out and logs a shortage of descriptors.
            let (stream, _peer) = Listener::accept(&mut self.listener).await;
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(async move {
                match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "admin connection broke"),
                    Err(_) => tracing::debug!("admin connection took too long"),
                }
                drop(slot);
            });
        }
    }
}

fn router(state: AdminState) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/healthz", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .with_state(state)
}

async fn livez(State(state): State<AdminState>) -> Response {
    verdict("stalled", &state.health.stalled())
}

async fn readyz(State(state): State<AdminState>) -> Response {
    verdict("not ready", &state.health.unready())
}

/// 200 when nothing is wrong, else 503 with a line for each thing that is.
fn verdict(what: &str, names: &[&str]) -> Response {
    if names.is_empty() {
        return "ok\n".into_response();
    }
    let lines: String = names.iter().map(|name| format!("{what}: {name}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}

async fn metrics_text(State(state): State<AdminState>) -> Response {
    match state.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shutdown;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    struct Served {
        addr: SocketAddr,
        shutdown: Shutdown,
        health: Health,
    }

    async fn serve() -> Served {
        let shutdown = Shutdown::new();
        let health = Health::new(shutdown.clone());
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let admin = Admin::bind(any_port, health.clone(), Metrics::new()).await.unwrap();
        let addr = admin.local_addr();
        tokio::spawn(admin.serve());
        Served { addr, shutdown, health }
    }

    /// Sends `head` and reads until the server closes.
    async fn exchange(addr: SocketAddr, head: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Status code, content type and body.
    async fn get(addr: SocketAddr, path: &str) -> (u16, String, String) {
        let answer = exchange(addr, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        let content_type =
            head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
        (code, content_type.to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn readiness_lists_what_is_not_ready() {
        let served = serve().await;
        let check = served.health.readiness("cache");
        let (code, _, body) = get(served.addr, "/readyz").await;
        assert_eq!((code, body.as_str()), (503, "not ready: cache\n"));
        check.set(true);
        let (code, _, body) = get(served.addr, "/readyz").await;
        assert_eq!((code, body.as_str()), (200, "ok\n"));

        served.shutdown.drain();
        let (code, _, body) = get(served.addr, "/readyz").await;
        assert_eq!((code, body.as_str()), (503, "not ready: draining\n"));
        // Not ready is not dead.
        assert_eq!(get(served.addr, "/livez").await.0, 200);
    }

    #[tokio::test]
    async fn liveness_lists_what_is_stalled() {
        let served = serve().await;
        for path in ["/livez", "/healthz"] {
            assert_eq!(get(served.addr, path).await.0, 200);
        }
        let _silent = served.health.heartbeat("main", Duration::ZERO);
        for path in ["/livez", "/healthz"] {
            let (code, _, body) = get(served.addr, path).await;
            assert_eq!((code, body.as_str()), (503, "stalled: main\n"));
        }
    }

    #[tokio::test]
    async fn metrics_are_openmetrics() {
        let served = serve().await;
        let (code, content_type, body) = get(served.addr, "/metrics").await;
        assert_eq!(code, 200);
        assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(body.contains("gamewarden_build_info{"), "{body}");
        assert!(body.ends_with("# EOF\n"), "{body}");
    }

    #[tokio::test]
    async fn only_get_and_only_one_request_a_connection() {
        let served = serve().await;
        // The body that is promised never comes, and nobody waits for it.
        let post = "POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
        let answer = exchange(served.addr, post).await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
        let twice = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
        let answers = exchange(served.addr, &twice).await;
        assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 1, "{answers}");
        let (code, ..) = get(served.addr, "/else").await;
        assert_eq!(code, 404);
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_is_not_waited_for() {
        let served = serve().await;
        // Paused time runs as soon as nothing else does: here, with the header timeout.
        tokio::time::pause();
        let answer = exchange(served.addr, "GET /livez HTTP/1.1\r\nx: ").await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let served = serve().await;
        let health = Health::new(Shutdown::new());
        let error = Admin::bind(served.addr, health, Metrics::new()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on --admin-addr {}", served.addr));
    }
}
