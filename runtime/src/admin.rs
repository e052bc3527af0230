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
    pub async fn bind(
        addr: SocketAddr,
        health: Health,
        metrics: Metrics,
    ) -> Result<Self, AdminError> {
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
    let lines: String = names
        .iter()
        .map(|name| format!("{what}: {name}\n"))
        .collect();
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
