//! A small HTTPS client that trusts the server's CA, and the server it talks to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use gamewarden_api::admission::Settings;
use gamewarden_certs::{self_signed, server_config};
use gamewarden_runtime::{Metrics, Shutdown};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use webhook::server::{Limits, Server};
use webhook::{WebhookMetrics, app};

pub(crate) const NAME: &str = "gw.test";

/// A running server. Dropped, it is gone with its task.
pub(crate) struct Served {
    pub(crate) addr: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) metrics: Metrics,
    pub(crate) done: JoinHandle<()>,
    ca: CertificateDer<'static>,
}

/// Limits that no test runs into by accident, and no delay at the end.
pub(crate) fn limits() -> Limits {
    Limits { drain_delay: Duration::ZERO, ..Limits::default() }
}

pub(crate) async fn serve(limits: Limits) -> Served {
    let now = jiff::Timestamp::now();
    let day = Duration::from_secs(24 * 3600);
    let cert = self_signed(&[NAME.to_owned()], now, day).unwrap();
    serve_with(server_config(&cert).unwrap(), cert.ca, limits).await
}

/// Serves with `tls`; [`Served`] trusts `ca`.
pub(crate) async fn serve_with(tls: ServerConfig, ca: CertificateDer<'static>, limits: Limits) -> Served {
    let metrics = Metrics::new();
    let router = app::router(
        metrics.register(WebhookMetrics::registered),
        limits.request,
        app::rules(Settings::default()),
    );
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(any_port, tls, router, limits).await.unwrap();
    let shutdown = Shutdown::new();
    Served {
        addr: server.local_addr(),
        ca,
        metrics,
        done: tokio::spawn({
            let shutdown = shutdown.clone();
            async move { server.serve(&shutdown).await }
        }),
        shutdown,
    }
}

impl Served {
    /// A TLS connection that speaks `alpn`.
    pub(crate) async fn connect(&self, alpn: &str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.addr).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        stream
    }

    /// Sends one request over HTTP/1.1 on a connection of its own.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let io = TokioIo::new(self.connect("http/1.1").await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        let connection = tokio::spawn(connection);
        let answer = Answer::read(sender.send_request(request).await.unwrap()).await;
        drop(sender);
        let _ = connection.await;
        answer
    }

    /// An HTTP/2 connection to send requests on.
    pub(crate) async fn http2(&self) -> hyper::client::conn::http2::SendRequest<Body> {
        let io = TokioIo::new(self.connect("h2").await);
        let executor = TokioExecutor::new();
        let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// The value of one counter, 0 if it is not there yet.
    pub(crate) fn counted(&self, path: &str, outcome: &str) -> u64 {
        let text = self.metrics.render().unwrap();
        let name = format!("gamewarden_webhook_requests_total{{path=\"{path}\",outcome=\"{outcome}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn read(response: hyper::Response<hyper::body::Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            code: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    pub(crate) fn message(&self) -> &str {
        assert_eq!(self.body["kind"], "Status", "{self:?}");
        assert_eq!(self.body["code"], self.code.as_u16(), "{self:?}");
        self.body["message"].as_str().unwrap()
    }
}

/// POSTs `body` to `path` as JSON.
pub(crate) fn post<B>(path: &str, body: impl Into<B>) -> Request<B> {
    Request::post(format!("https://{NAME}{path}"))
        .header("host", NAME)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

/// A review of `object`.
pub(crate) fn review(uid: &str, object: &Value) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {"uid": uid, "operation": "CREATE", "object": object},
    }))
    .unwrap()
}
