//! `httpGet`, as kubelet does it: a GET over a connection of its own and without a proxy; a status from 200 to
//! 399 is true. Redirects are followed on the same host; one to another host is an answer like any other 3xx.
//! Certificates are not checked.

use std::{net::IpAddr, sync::Arc};

use gamewarden_api::{
    quality::{Outcome, result_text},
    schedule::{HttpGet, Redirect, Scheme},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT, CONNECTION, HOST, LOCATION},
    uri::{Authority, PathAndQuery},
};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{USER_AGENT, connect::connect, drive, failure};
use crate::probe::sources::with_sources;

/// How many requests one probe sends: Go's client gives up at the tenth redirect.
const MAX_REQUESTS: usize = 10;
/// How much of the body is read.
const MAX_BODY: usize = 10 * 1024;
/// How much of an HTTP/1 head is taken.
const MAX_HEAD: usize = 64 * 1024;

/// Asks, at these addresses of the host.
pub(super) async fn ask(get: &HttpGet, addresses: Vec<IpAddr>, tls: &Arc<ClientConfig>) -> Outcome {
    match follow(get, &addresses, tls).await {
        Ok(outcome) | Err(outcome) => outcome,
    }
}

/// What an answer leads to.
enum Step {
    Done(Outcome),
    Next(HttpGet),
}

async fn follow(get: &HttpGet, addresses: &[IpAddr], tls: &Arc<ClientConfig>) -> Result<Outcome, Outcome> {
    let mut get = get.clone();
    for _ in 0..MAX_REQUESTS {
        // The addresses stay: the host does, and a name that leads elsewhere by now is not asked.
        let stream = connect(addresses, get.at.port).await?;
        let step = match get.scheme {
            Scheme::Http => ask_http1(stream, &get).await?,
            Scheme::Https => {
                let stream = handshake(stream, &get, tls).await?;
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
                if http2 { ask_http2(stream, &get).await? } else { ask_http1(stream, &get).await? }
            }
        };
        match step {
            Step::Done(outcome) => return Ok(outcome),
            Step::Next(next) => get = next,
        }
    }
    Err(failure(format!("stopped after {MAX_REQUESTS} redirects")))
}

async fn handshake(
    stream: TcpStream,
    get: &HttpGet,
    tls: &Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, Outcome> {
    let name = match ServerName::try_from(get.at.host.to_string().trim_matches(['[', ']']).to_owned()) {
        Ok(name) => name,
        // A name that no certificate could have; then the server is not told one.
        Err(_) => match stream.peer_addr() {
            Ok(at) => ServerName::IpAddress(at.ip().into()),
            Err(error) => return Err(failure(format!("connection lost: {error}"))),
        },
    };
    let connected = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    connected.map_err(|error| failure(format!("TLS: {error}")))
}

async fn ask_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    get: &HttpGet,
) -> Result<Step, Outcome> {
    let mut request = request(get, Uri::from(target(get)?))?;
    request.headers_mut().insert(HOST, value(&get.authority)?);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .max_buf_size(MAX_HEAD)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(no_answer)?;
    drive(connection, async move { step(get, sender.send_request(request).await).await }).await
}

async fn ask_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    get: &HttpGet,
) -> Result<Step, Outcome> {
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(http::uri::Scheme::HTTPS);
    let authority = get.authority.parse::<Authority>().or_else(|_| get.at.to_string().parse());
    uri.authority = Some(authority.map_err(unfit)?);
    uri.path_and_query = Some(target(get)?);
    let request = request(get, Uri::from_parts(uri).map_err(unfit)?)?;
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(MAX_HEAD as u32)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(no_answer)?;
    drive(connection, async move { step(get, sender.send_request(request).await).await }).await
}

/// The request with all headers but those of the connection.
fn request(get: &HttpGet, uri: Uri) -> Result<Request<Empty<Bytes>>, Outcome> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    for (name, text) in &get.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(unfit)?;
        headers.try_append(name, value(text)?).map_err(unfit)?;
    }
    default_header(headers, ACCEPT, "*/*");
    default_header(headers, http::header::USER_AGENT, USER_AGENT);
    Ok(request)
}

/// Sets the header where the set's author did not; an empty one of theirs means none.
fn default_header(headers: &mut HeaderMap, name: HeaderName, default: &'static str) {
    match headers.get(&name) {
        None => _ = headers.insert(name, HeaderValue::from_static(default)),
        Some(value) if value.is_empty() => _ = headers.remove(name),
        Some(_) => {}
    }
}

fn target(get: &HttpGet) -> Result<PathAndQuery, Outcome> {
    get.target.parse().map_err(unfit)
}

fn value(text: &str) -> Result<HeaderValue, Outcome> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(unfit)
}

/// The rule that reads the fields lets nothing pass that could not be sent; were it to, nobody was asked.
fn unfit(error: impl std::fmt::Display) -> Outcome {
    Outcome::Unknown { reason: format!("the request cannot be sent: {error}") }
}

fn no_answer(error: hyper::Error) -> Outcome {
    failure(format!("no HTTP answer: {}", with_sources(&error)))
}

/// Reads the answer.
async fn step(get: &HttpGet, answer: Result<Response<Incoming>, hyper::Error>) -> Result<Step, Outcome> {
    let answer = answer.map_err(no_answer)?;
    let status = answer.status();
    if let Some(location) = location(status, answer.headers()) {
        match get.redirected(&location) {
            Redirect::To(next) => return Ok(Step::Next(next)),
            Redirect::Invalid(why) => return Err(failure(why)),
            Redirect::OtherHost => {}
        }
    }
    let body = body(answer.into_body()).await?;
    if (200..400).contains(&status.as_u16()) {
        return Ok(Step::Done(Outcome::Success { result: result_text(true, &body, b"") }));
    }
    let result = result_text(false, &body, b"");
    let result = if result.is_empty() { format!("answered {status}") } else { result };
    Ok(Step::Done(Outcome::Failure { result }))
}

/// Where the answer leads, if it is a redirect that names a place.
fn location(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = headers.get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned()).filter(|text| !text.is_empty())
}

/// The beginning of the body.
async fn body(mut body: Incoming) -> Result<Vec<u8>, Outcome> {
    let mut kept = Vec::new();
    while kept.len() < MAX_BODY {
        let Some(frame) = body.frame().await else {
            break;
        };
        let frame =
            frame.map_err(|error| failure(format!("the answer broke off: {}", with_sources(&error))))?;
        if let Some(data) = frame.data_ref() {
            let room = MAX_BODY - kept.len();
            kept.extend_from_slice(data.get(..room).unwrap_or(data));
        }
    }
    Ok(kept)
}
