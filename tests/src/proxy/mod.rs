//! A proxy before the API server, with places at which requests are held until a test lets them go on.
//!
//! ```text
//!   controller ──plain HTTP──► proxy ──TLS, as the installed controller──► API server
//!   of the test's own            │ confine  lists of all namespaces become those of the test's
//!                                │ pause    a request that a rule names is held; the test sees it
//! ```
//!
//! So a program is stopped between two of its steps that knows nothing of being tested. A request that is held is sent
//! when the test says so, even if who asked has long given up: that is what a network may do. Watches and upgraded
//! connections (exec) are passed on as they come.

mod confine;
mod pause;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use http_body_util::{BodyExt, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use self::{confine::confined, pause::Pauses};
use crate::{Namespace, cluster};

pub use self::pause::{Asked, Caught, Pause};

/// The largest body that is taken; the API server's own limit is 3 MiB.
const LARGEST_BODY: usize = 4 << 20;

/// A proxy, until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepts: JoinHandle<()>,
}

struct Shared {
    client: Client,
    namespace: String,
    /// What a client has to show: whoever else is on this machine gets no administrator's rights.
    token: String,
    pauses: Pauses,
    /// Every write that was answered, in that order.
    writes: Mutex<Vec<(Asked, StatusCode)>>,
}

impl Proxy {
    /// Opens one whose clients see this namespace only, and have the controller's name and an administrator's rights.
    ///
    /// # Errors
    /// There is no cluster, or no port.
    pub async fn open(namespace: &Namespace) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let shared = Arc::new(Shared {
            client: cluster::client_to_pass_on().await?,
            namespace: namespace.name.clone(),
            token: format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
            pauses: Pauses::default(),
            writes: Mutex::default(),
        });
        let address = listener.local_addr()?;
        let accepts = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepts })
    }

    /// A kubeconfig for its clients.
    #[must_use]
    pub fn kubeconfig(&self) -> Value {
        let name = "proxy";
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": name, "user": {"token": self.shared.token}}],
            "contexts": [{"name": name, "context": {
                "cluster": name, "user": name, "namespace": self.shared.namespace,
            }}],
        })
    }

    /// Holds requests that the rule says yes to from now on. Where several do, the oldest holds it.
    #[must_use]
    pub fn hold(&self, rule: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> Pause {
        self.shared.pauses.add(rule)
    }

    /// The API server's answers so far to the writes that `which` selects, as far as there are any.
    #[must_use]
    pub fn answers(&self, which: impl Fn(&Asked) -> bool) -> Vec<StatusCode> {
        let writes = self.shared.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.iter().filter(|(asked, _)| which(asked)).map(|(_, status)| *status).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(&shared)))),
            Err(error) => eprintln!("proxy: not accepted: {error}"),
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, shared).await.unwrap_or_else(|error| failed(&error))) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    match connection.await {
        // A client that has given up, or was killed.
        Err(error) if error.is_incomplete_message() => {}
        Err(error) => eprintln!("proxy: a connection has ended: {error:?}"),
        Ok(()) => {}
    }
}

/// What a client gets when the API server cannot be asked.
fn failed(error: &anyhow::Error) -> Response<Body> {
    eprintln!("proxy: {error:#}");
    let mut response = Response::new(Body::from(format!("{error:#}").into_bytes()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

async fn answer(mut request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>> {
    let upgrade = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let shown = parts.headers.get(AUTHORIZATION).and_then(|shown| shown.to_str().ok());
    if shown.and_then(|shown| shown.strip_prefix("Bearer ")) != Some(&shared.token) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    }
    let body = Limited::new(body, LARGEST_BODY).collect().await;
    let body = body.map_err(anyhow::Error::from_boxed).context("reading a request")?.to_bytes();
    // A task of its own: it goes on when its client has gone.
    tokio::spawn(pass(parts, body, upgrade, shared)).await?
}

/// Passes a request on, once nobody holds it.
async fn pass(
    mut parts: Parts,
    body: Bytes,
    upgrade: Option<OnUpgrade>,
    shared: Arc<Shared>,
) -> Result<Response<Body>> {
    let asked = Asked {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let told = shared.pauses.pass(&asked).await;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = confined(path, &shared.namespace).parse()?;
    // What is between the client and us.
    for header in [ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING] {
        parts.headers.remove(header);
    }
    let sent = shared.client.send(Request::from_parts(parts, Body::from(body))).await;
    let mut response = sent.with_context(|| format!("passing on {asked}"))?;
    let status = response.status();
    if asked.method != Method::GET {
        shared.writes.lock().unwrap_or_else(PoisonError::into_inner).push((asked, status));
    }
    if let Some(told) = told {
        // It may have been let go by somebody who does not ask.
        let _ = told.send(status);
    }
    response.headers_mut().remove(TRANSFER_ENCODING);
    match upgrade {
        Some(upgrade) if status == StatusCode::SWITCHING_PROTOCOLS => {
            tokio::spawn(connect(upgrade, hyper::upgrade::on(&mut response)));
            let (mut parts, _) = response.into_parts();
            parts.headers.insert(http::header::CONNECTION, HeaderValue::from_static("Upgrade"));
            Ok(Response::from_parts(parts, Body::empty()))
        }
        _ => Ok(response),
    }
}

/// Copies bytes both ways, until one side ends.
async fn connect(client: OnUpgrade, server: OnUpgrade) {
    let copied = async {
        let (client, server) = tokio::try_join!(client, server)?;
        copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(server)).await?;
        anyhow::Ok(())
    };
    if let Err(error) = copied.await {
        eprintln!("proxy: an upgraded connection has ended: {error:#}");
    }
}
