//! The TLS server: accepts, times and drains connections, HTTP/1.1 and 2. Who connects is not known
//! before the handshake, nor after it (the API server shows no certificate by default), so a connection
//! that costs without asking for anything is closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use gamewarden_runtime::Shutdown;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::RequestLimits;
use crate::idle::Activity;

/// Bounds of the server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; more are closed at once. An API server has one for each request that it waits for.
    pub connections: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the handshake to the head of the first request.
    pub header: Duration,
    /// Without a request, or to a later request's head. Longer than the API server's own idle timeout of 90 s: a
    /// connection that we close may be one that it has just begun to write a request to, which fails then.
    pub idle: Duration,
    /// From the start of the drain until no more connections are accepted: as long as it takes until
    /// nobody is sent here any more.
    pub drain_delay: Duration,
    /// From then on until requests under way are cut off. With the delay, below the 30 s that a pod
    /// has by default.
    pub drain: Duration,
    /// Bounds of requests.
    pub request: RequestLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            handshake: Duration::from_secs(3),
            header: Duration::from_secs(5),
            idle: Duration::from_secs(120),
            drain_delay: Duration::from_secs(5),
            drain: Duration::from_secs(20),
            request: RequestLimits::default(),
        }
    }
}

/// HTTP/2 requests at once on one connection. API servers ask over HTTP/1.1 (kubernetes#75791).
const MAX_STREAMS: u32 = 32;

/// What an HTTP/1.1 connection may have read and not yet handed on, in bytes. It is not set aside like the rest (see
/// `memory`), and hyper's own limit of 400 KiB is, on all connections, more than the program may hold.
const CONNECTION_BUFFER: usize = 64 * 1024;

/// A server whose port is open.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    connection: Connection,
}

/// What every connection needs.
#[derive(Debug, Clone)]
struct Connection {
    tls: Arc<ServerConfig>,
    router: Router,
    limits: Limits,
    /// Cancelled when each connection's next answer is to be its last.
    draining: CancellationToken,
    /// Cancelled when connections are to end after the request they are at.
    closing: CancellationToken,
}

impl Server {
    /// Opens the port.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub async fn bind(
        addr: SocketAddr,
        tls: ServerConfig,
        router: Router,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        Ok(Self {
            addr: listener.local_addr()?,
            listener,
            connection: Connection {
                tls: Arc::new(tls),
                router,
                limits,
                draining: CancellationToken::new(),
                closing: CancellationToken::new(),
            },
        })
    }

    /// The address it listens on (with the port that the system chose for port 0).
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` starts the drain (which has made the process unready by itself), goes
    /// on for the drain delay, then accepts no more and lets requests under way finish.
    ///
    /// In the delay each answer says that it is the last of its connection: so an API server that is at work goes
    /// elsewhere by itself, and what is closed in the end is idle.
    pub async fn serve(self, shutdown: &Shutdown) {
        let Self { listener, addr, connection } = self;
        tracing::info!(%addr, "serving admission");
        let limits = connection.limits;
        let (draining, closing) = (connection.draining.clone(), connection.closing.clone());
        let connections = TaskTracker::new();
        let drained = async {
            shutdown.started().await;
            draining.cancel();
            sleep(limits.drain_delay).await;
        };
        tokio::select! {
            () = accept(listener, connection, &connections) => {}
            () = drained => {}
        }
        closing.cancel();
        connections.close();
        if timeout(limits.drain, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "drain took too long, cutting off");
        }
        tracing::info!("drained");
    }
}

/// Accepts for ever; dropped, it closes the port.
async fn accept(mut listener: TcpListener, connection: Connection, connections: &TaskTracker) {
    let slots = Arc::new(Semaphore::new(connection.limits.connections));
    loop {
        // `Listener::accept` waits out and logs a shortage of descriptors.
        let (stream, peer) = Listener::accept(&mut listener).await;
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => drop(connections.spawn(connection.clone().serve(stream, peer, slot))),
            // Closed: an API server hears of it at once, where it would wait for its timeout.
            Err(_) => tracing::warn!(%peer, "too many connections, closed"),
        }
    }
}

impl Connection {
    async fn serve(self, stream: TcpStream, peer: SocketAddr, _slot: OwnedSemaphorePermit) {
        let handshake = TlsAcceptor::from(self.tls).accept(stream);
        let stream = match timeout(self.limits.handshake, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "handshake failed"),
            Err(_) => return tracing::debug!(%peer, "handshake took too long"),
        };
        let activity = Activity::new();
        let service = activity.watch(self.router, self.draining);
        let mut http = auto::Builder::new(TokioExecutor::new());
        // It runs from the answer before: also while nothing is asked. The first head has a limit of its own, below.
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle)
            .max_buf_size(CONNECTION_BUFFER);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .keep_alive_interval(Some(self.limits.idle / 4))
            .keep_alive_timeout(self.limits.header);
        let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let mut served = std::pin::pin!(served);

        let ended = tokio::select! {
            ended = served.as_mut() => ended,
            () = activity.idle(self.limits.header, self.limits.idle) => {
                return tracing::debug!(%peer, "idle, closed");
            }
            () = self.closing.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection broke");
        }
    }
}
