//! The load: so many connections, each of which asks again when it has its answer, as an API server's do (HTTP/1.1).

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{body::Body, serve::NAME};

/// How much is asked.
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) seconds: f64,
}

/// What came of it.
pub(crate) struct Done {
    pub(crate) requests: u64,
    /// 503: no memory left for more at once.
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    /// Microseconds from request to answer.
    pub(crate) latencies: Vec<u32>,
}

impl Load {
    pub(crate) fn run(&self, addr: SocketAddr, ca: &CertificateDer<'static>, body: &Body) -> Done {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut roots = RootCertStore::empty();
            roots.add(ca.clone()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let connector = TlsConnector::from(Arc::new(config));
            let body = Bytes::copy_from_slice(body.bytes());
            let mut connections = Vec::new();
            for _ in 0..self.connections {
                connections.push(connect(addr, &connector).await);
            }
            let began = Instant::now();
            let until = began + Duration::from_secs_f64(self.seconds);
            let tasks: Vec<_> = connections
                .into_iter()
                .map(|sender| tokio::spawn(ask(sender, body.clone(), until)))
                .collect();
            let mut done = Done { requests: 0, refused: 0, seconds: 0.0, latencies: Vec::new() };
            for task in tasks {
                let (latencies, refused) = task.await.unwrap();
                done.requests += latencies.len() as u64;
                done.refused += refused;
                done.latencies.extend(latencies);
            }
            done.seconds = began.elapsed().as_secs_f64();
            done
        })
    }
}

type Sender = http1::SendRequest<Full<Bytes>>;

async fn connect(addr: SocketAddr, connector: &TlsConnector) -> Sender {
    let stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let stream = connector.connect(ServerName::try_from(NAME).unwrap(), stream).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(mut sender: Sender, body: Bytes, until: Instant) -> (Vec<u32>, u64) {
    let (mut latencies, mut refused) = (Vec::new(), 0);
    while Instant::now() < until {
        let request = Request::post("/mutate?timeout=5s")
            .header("host", NAME)
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))
            .unwrap();
        let began = Instant::now();
        // Who is refused before the whole body was read finds the connection closed.
        let Ok(response) = sender.send_request(request).await else {
            refused += 1;
            break;
        };
        let status = response.status();
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            refused += 1;
        } else {
            assert!(
                status == StatusCode::OK && answer.starts_with(b"{\"apiVersion\""),
                "{status} {answer:?}"
            );
            assert!(answer.windows(14).any(|window| window == b"\"allowed\":true"), "{answer:?}");
        }
    }
    (latencies, refused)
}
