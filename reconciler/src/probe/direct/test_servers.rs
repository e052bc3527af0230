//! Servers for the tests of this module, each on a port of its own.

use std::{
    future::Future,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use gamewarden_api::schedule::{Endpoint, Host, HttpGet, Scheme};
use rustls::{ServerConfig, crypto::ring};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// Serves every connection so, as long as the test runs.
pub(super) async fn serve<F>(
    ip: &str,
    connection: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> Endpoint
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(connection(stream));
        }
    });
    Endpoint { host: Host::Address(at.ip()), port: at.port() }
}

/// Where nothing listens.
pub(super) async fn nobody() -> Endpoint {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    Endpoint { host: Host::Address(at.ip()), port: at.port() }
}

/// The head of an HTTP/1 request, as it came.
pub(super) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).unwrap()
}

/// The heads of all requests.
pub(super) type Heads = Arc<Mutex<Vec<String>>>;

/// An HTTP/1 server that answers so, letter for letter, and closes.
pub(super) async fn http(
    ip: &str,
    answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> (Endpoint, Heads) {
    let (heads, answer) = (Heads::default(), Arc::new(answer));
    let keep = Arc::clone(&heads);
    let at = serve(ip, move |stream| respond(stream, Arc::clone(&answer), Arc::clone(&heads))).await;
    (at, keep)
}

/// The same over TLS; which protocols it speaks by its words.
pub(super) async fn https(
    certificate: rcgen::CertificateParams,
    answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> (Endpoint, Heads) {
    let (heads, answer) = (Heads::default(), Arc::new(answer));
    let (keep, acceptor) = (Arc::clone(&heads), acceptor(certificate, &[]));
    let connection = move |stream| {
        let (acceptor, answer, heads) = (acceptor.clone(), Arc::clone(&answer), Arc::clone(&heads));
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                respond(stream, answer, heads).await;
            }
        }
    };
    (serve("127.0.0.1", connection).await, keep)
}

async fn respond(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Arc<impl Fn(&str) -> Vec<u8>>,
    heads: Heads,
) {
    let head = head(&mut stream).await;
    let answer = answer(&head);
    heads.lock().unwrap().push(head);
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

pub(super) fn acceptor(certificate: rcgen::CertificateParams, protocols: &[&str]) -> TlsAcceptor {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.serialize_der().try_into().unwrap())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A request for the path, as the rule makes it where nothing else is said.
pub(super) fn get(at: &Endpoint, target: &str) -> HttpGet {
    HttpGet {
        scheme: Scheme::Http,
        at: at.clone(),
        authority: at.to_string(),
        target: target.to_owned(),
        headers: vec![],
    }
}

/// What is left within a second of this machine's connections to `port`, open or remembered (that lasts for a
/// minute).
pub(super) async fn left_of(port: u16) -> Vec<String> {
    let remote = format!(":{port:04X}");
    let mut left = Vec::new();
    for _ in 0..20 {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let is_one = |line: &&str| line.split_whitespace().nth(2).is_some_and(|at| at.ends_with(&remote));
        left = table.lines().filter(is_one).map(str::to_owned).collect();
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    left
}

pub(super) const HERE: &str = "127.0.0.1";

/// That the address of tests is one.
pub(super) fn ip(text: &str) -> Host {
    Host::Address(text.parse::<IpAddr>().unwrap())
}
