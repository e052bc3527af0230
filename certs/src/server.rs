//! A certificate as a TLS server's configuration.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::ServingCert;

/// The certificate or its key cannot be served with.
#[derive(Debug, thiserror::Error)]
#[error("the serving certificate does not make a TLS server")]
pub struct ServerConfigError(#[from] rustls::Error);

/// A server that shows `cert` and nothing else; see [`server_config_with`].
///
/// # Errors
/// The key does not belong to the certificate, or is of a kind that ring does not know.
pub fn server_config(cert: &ServingCert) -> Result<ServerConfig, ServerConfigError> {
    let provider = rustls::crypto::ring::default_provider();
    let certified = CertifiedKey::from_der(cert.chain.clone(), cert.key.clone_key(), &provider)?;
    server_config_with(Arc::new(SingleCertAndKey::from(certified)))
}

/// A server that shows what `certificates` has at the moment, asks for no client certificate, and speaks HTTP/2 and
/// HTTP/1.1 over TLS 1.2 and 1.3, with ring whatever the process' default provider is.
///
/// # Errors
/// ring does not know these TLS versions.
pub fn server_config_with(
    certificates: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, ServerConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_foreign_key_is_refused() {
        let make = || {
            let now = "2026-05-01T12:00:00Z".parse().unwrap();
            crate::self_signed(&["gw.svc".to_owned()], now, Duration::from_secs(60)).unwrap()
        };
        let (mut one, two) = (make(), make());
        let config = server_config(&one).unwrap();
        assert_eq!(config.alpn_protocols, [&b"h2"[..], b"http/1.1"]);
        one.key = two.key;
        let error = server_config(&one).unwrap_err();
        assert_eq!(error.to_string(), "the serving certificate does not make a TLS server");
    }
}
