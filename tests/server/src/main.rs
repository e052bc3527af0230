//! A game server that answers probes of every kind as it is told, for end-to-end tests.
//!
//! ```text
//!   8080  HTTP   /state as told · /echo what was asked · /moved → /state · /away → another host · /slow
//!   8443  the same over TLS, with a certificate that nobody vouches for
//!         as external.metrics.k8s.io, any metric has as its value what /state says
//!   7777  TCP    open or closed, as told
//!   9000  gRPC   grpc.health.v1.Health, as told
//!   8081  POST   /state/<status>/<text> · /tcp/open · /tcp/closed · /grpc/<service>/<serving status>
//! ```
//!
//! `server say <text> <code>` prints the text and exits with the code: the image has no shell for exec probes.

use std::{
    env,
    net::Ipv6Addr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect},
    routing::{get, post},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;
use tonic_health::{ServingStatus, server::HealthReporter};

/// Where the API server, with an APIService that leads here, asks for metrics on behalf of autoscalers.
const METRICS: &str = "/apis/external.metrics.k8s.io/v1beta1";

/// What it was told.
#[derive(Clone)]
struct Told {
    /// What `/state` answers.
    state: Arc<Mutex<(StatusCode, String)>>,
    /// Whether the TCP port is open.
    tcp: watch::Sender<bool>,
    grpc: HealthReporter,
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().collect();
    if let [_, say, text, code] = arguments.as_slice() {
        if say != "say" {
            bail!("{say} is not known");
        }
        return answer_exec(text, code);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(serve())?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "what it prints is the answer")]
fn answer_exec(text: &str, code: &str) -> Result<ExitCode> {
    println!("{text}");
    Ok(ExitCode::from(code.parse::<u8>().context("the code is none")?))
}

async fn serve() -> Result<()> {
    let (grpc, health) = tonic_health::server::health_reporter();
    let told = Told {
        state: Arc::new(Mutex::new((StatusCode::OK, "3".to_owned()))),
        tcp: watch::Sender::new(true),
        grpc,
    };
    let app = app(told.clone());
    let control = control(told.clone());
    let tls = tls()?;
    tokio::try_join!(
        listen(8080, |stream| {
            let app = app.clone();
            async move { http(stream, app).await }
        }),
        listen(8443, |stream| {
            let (tls, app) = (tls.clone(), app.clone());
            async move {
                if let Ok(stream) = tls.accept(stream).await {
                    http(stream, app).await;
                }
            }
        }),
        listen(8081, |stream| {
            let control = control.clone();
            async move { http(stream, control).await }
        }),
        listen(9000, |stream| {
            let service = TowerToHyperService::new(health.clone());
            async move {
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                // A probe that goes away in the middle is no news.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            }
        }),
        game(told.tcp.subscribe()),
        terminated(),
    )?;
    Ok(())
}

/// Ends it all, as an error to those that are joined with it.
async fn terminated() -> Result<()> {
    signal(SignalKind::terminate())?.recv().await;
    bail!("told to end")
}

/// Serves each connection of a port in a task of its own.
async fn listen<F>(port: u16, connection: impl Fn(TcpStream) -> F) -> Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream));
    }
}

async fn http<S>(stream: S, app: Router)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let server = auto::Builder::new(TokioExecutor::new());
    // A probe that goes away in the middle is no news.
    let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)).await;
}

fn app(told: Told) -> Router {
    Router::new()
        .route("/state", get(state))
        .route("/echo", get(echo))
        .route("/moved", get(|| async { Redirect::temporary("/state") }))
        .route("/away", get(|| async { Redirect::temporary("http://elsewhere.invalid/") }))
        .route("/slow", get(slow))
        .route(METRICS, get(metrics))
        .route(&format!("{METRICS}/namespaces/{{namespace}}/{{metric}}"), get(metric))
        .with_state(told)
}

async fn state(State(told): State<Told>) -> impl IntoResponse {
    told.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What a probe says of itself.
async fn echo(headers: HeaderMap, request: Request) -> String {
    let all = |name: header::HeaderName| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.collect::<Vec<_>>().join(",")
    };
    format!(
        "{} host={} agent={} tokens={}",
        request.uri(),
        all(header::HOST),
        all(header::USER_AGENT),
        all(header::HeaderName::from_static("x-token")),
    )
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// What metrics there are: clients want one at least.
async fn metrics() -> impl IntoResponse {
    let players = r#"{"name":"players","singularName":"","namespaced":true,"kind":"ExternalMetricValueList","verbs":["get"]}"#;
    let list = format!(
        r#"{{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"external.metrics.k8s.io/v1beta1","resources":[{players}]}}"#
    );
    (JSON, list)
}

async fn metric(State(told): State<Told>, Path((_, metric)): Path<(String, String)>) -> impl IntoResponse {
    let (status, value) = told.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // Nobody looks at the time.
    let item = format!(
        r#"{{"metricName":"{metric}","metricLabels":{{}},"timestamp":"2026-01-01T00:00:00Z","value":"{value}"}}"#
    );
    let list = format!(
        r#"{{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{{}},"items":[{item}]}}"#
    );
    (status, JSON, list)
}

async fn slow() -> &'static str {
    sleep(Duration::from_secs(30)).await;
    "late"
}

fn control(told: Told) -> Router {
    Router::new()
        .route("/state/{status}/{text}", post(set_state))
        .route("/tcp/{how}", post(set_tcp))
        .route("/grpc/{service}/{status}", post(set_grpc))
        .with_state(told)
}

async fn set_state(State(told): State<Told>, Path((status, text)): Path<(u16, String)>) -> StatusCode {
    let Ok(status) = StatusCode::from_u16(status) else {
        return StatusCode::BAD_REQUEST;
    };
    *told.state.lock().unwrap_or_else(PoisonError::into_inner) = (status, text);
    StatusCode::OK
}

async fn set_tcp(State(told): State<Told>, Path(how): Path<String>) -> StatusCode {
    told.tcp.send_replace(how == "open");
    StatusCode::OK
}

async fn set_grpc(State(told): State<Told>, Path((service, status)): Path<(String, String)>) -> StatusCode {
    let status = match status.as_str() {
        "SERVING" => ServingStatus::Serving,
        "NOT_SERVING" => ServingStatus::NotServing,
        _ => return StatusCode::BAD_REQUEST,
    };
    told.grpc.set_service_status(service, status).await;
    StatusCode::OK
}

/// The game's own port, which greets and reads until the other side leaves.
async fn game(mut open: watch::Receiver<bool>) -> Result<()> {
    loop {
        open.wait_for(|open| *open).await?;
        tokio::select! {
            ended = listen(7777, |mut stream| async move {
                let mut read = [0; 512];
                while let Ok(1..) = stream.read(&mut read).await {}
            }) => ended?,
            closed = open.wait_for(|open| !*open) => {
                closed?;
            }
        }
    }
}

fn tls() -> Result<TlsAcceptor> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec!["nobody.example".to_owned()])?.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
