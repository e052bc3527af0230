//! The certificate changes while the server serves.

use std::sync::Arc;
use std::time::Duration;

use gamewarden_certs::read::Serving;
use gamewarden_certs::{Served as Shown, issue, read, server_config_with};
use hyper::StatusCode;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::client::{Answer, NAME, limits, post, review, serve_with};

/// Two certificates of one CA.
fn two_of_one() -> (CertificateDer<'static>, [Serving; 2]) {
    let (now, day) = (Timestamp::now(), Duration::from_secs(24 * 3600));
    let ca = issue::ca(now, day).unwrap();
    let leaf = || {
        let key = (ca.certificate.as_str(), ca.key.as_str(), ca.not_after);
        let leaf = issue::leaf(key, &[NAME.to_owned()], now, day).unwrap();
        read::serving(leaf.certificate.as_bytes(), leaf.key.as_bytes()).unwrap()
    };
    (CertificateDer::from_pem_slice(ca.certificate.as_bytes()).unwrap(), [leaf(), leaf()])
}

fn shows(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn another_certificate_is_for_new_connections_and_ends_none() {
    let (ca, [first, second]) = two_of_one();
    let shown = Shown::new();
    let tls = server_config_with(Arc::new(shown.clone())).unwrap();
    let served = serve_with(tls, ca, limits()).await;
    // None yet: no handshake, and no harm to the server.
    let mut early = TcpStream::connect(served.addr).await.unwrap();
    let hello = [22, 3, 1, 0, 1, 1];
    tokio::io::AsyncWriteExt::write_all(&mut early, &hello).await.unwrap();

    shown.set(first.clone());
    assert_eq!(shows(&served.connect("h2").await), first.certified.cert[0]);
    let mut open = served.http2().await;
    let mut ask = async || {
        let request = post("/validate", review("u", &Value::Null));
        Answer::read(open.send_request(request).await.unwrap()).await.code
    };
    assert_eq!(ask().await, StatusCode::OK);

    shown.set(second.clone());
    assert_eq!(shows(&served.connect("h2").await), second.certified.cert[0]);
    assert_eq!(ask().await, StatusCode::OK, "the connection that is open goes on");
}
