//! Reads certificates: from PEM to the facts that decisions are made on. What is garbage is "not there", and the
//! error says why.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::policy::{Ca, Fingerprint};

/// Why something is no certificate, or not one of use.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such key in the Secret.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Not PEM, or PEM of something else.
    #[error("{what} is not PEM of what it should be")]
    Pem {
        /// What was read.
        what: &'static str,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// PEM, but no certificate in it.
    #[error("{0} holds no certificate")]
    Empty(&'static str),
    /// Not a certificate.
    #[error("{what} is not an X.509 certificate: {why}")]
    X509 {
        /// What was read.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// A certificate that may not sign others.
    #[error("{0} is not a CA's certificate")]
    NotCa(&'static str),
    /// A private key that is not the certificate's, or of a kind that is not known.
    #[error("the key does not fit {what}")]
    Key {
        /// What it should fit.
        what: &'static str,
        /// Why not.
        source: rustls::Error,
    },
    /// Clients would not accept it.
    #[error("clients would not accept it: {0}")]
    Refused(rustls::Error),
    /// Expired, or for later.
    #[error("it is not valid now")]
    Untimely,
    /// Not a name that a certificate can be for.
    #[error("{0} is not a DNS name")]
    Name(String),
}

/// A CA's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate {
    /// What decisions are made on.
    pub facts: Ca,
    /// The certificate.
    pub der: CertificateDer<'static>,
}

/// A CA that can sign: certificate and key, as PEM.
#[derive(Clone)]
pub struct CaPair {
    /// The certificate.
    pub certificate: CaCertificate,
    /// As PEM.
    pub pem: String,
    /// Its key, as PEM.
    pub key: String,
}

impl fmt::Debug for CaPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaPair").field("certificate", &self.certificate.facts).finish_non_exhaustive()
    }
}

/// A certificate to serve with: chain and key belong together.
#[derive(Clone, Debug)]
pub struct Serving {
    /// For rustls.
    pub certified: Arc<CertifiedKey>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
}

/// All CA certificates of a bundle.
///
/// # Errors
/// It is not PEM, or holds something else as well. An empty one is no error.
pub fn bundle(pem: &[u8], what: &'static str) -> Result<Vec<CaCertificate>, ReadError> {
    let certificates = CertificateDer::pem_slice_iter(pem);
    certificates.map(|read| ca(read.map_err(|source| ReadError::Pem { what, source })?, what)).collect()
}

/// A CA that can sign.
///
/// # Errors
/// Certificate and key are not both there, valid PEM and each other's.
pub fn pair(certificate: &[u8], key: &[u8], what: &'static str) -> Result<CaPair, ReadError> {
    let ca = bundle(certificate, what)?.into_iter().next().ok_or(ReadError::Empty(what))?;
    certified(vec![ca.der.clone()], key, what)?;
    let text = |bytes: &[u8]| {
        // What is PEM is ASCII where it matters.
        String::from_utf8_lossy(bytes).into_owned()
    };
    Ok(CaPair { pem: pem(&ca.der), certificate: ca, key: text(key) })
}

/// A certificate to serve with.
///
/// # Errors
/// Chain and key are not both there, valid PEM and each other's.
pub fn serving(chain: &[u8], key: &[u8]) -> Result<Serving, ReadError> {
    const WHAT: &str = "tls.crt";
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|source| ReadError::Pem { what: WHAT, source })?;
    let leaf = chain.first().ok_or(ReadError::Empty(WHAT))?;
    let (not_before, not_after) = validity(&parse(leaf, WHAT)?);
    Ok(Serving { certified: Arc::new(certified(chain, key, WHAT)?), not_before, not_after })
}

/// Whether clients that trust `ca` accept `serving` for all of `names` at `at`.
///
/// # Errors
/// They do not, and why.
pub fn accepted(
    serving: &Serving,
    ca: &CertificateDer<'static>,
    names: &[String],
    at: Timestamp,
) -> Result<(), ReadError> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).map_err(ReadError::Refused)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| ReadError::Refused(rustls::Error::General(error.to_string())))?;
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let Some((leaf, rest)) = serving.certified.cert.split_first() else {
        return Err(ReadError::Empty("tls.crt"));
    };
    for name in names {
        verifier.verify_server_cert(leaf, rest, &server_name(name)?, &[], at).map_err(ReadError::Refused)?;
    }
    Ok(())
}

/// Whether `serving` is for all of `names` and valid at `at`, whoever signed it.
///
/// # Errors
/// It is not, and why.
pub fn presentable(serving: &Serving, names: &[String], at: Timestamp) -> Result<(), ReadError> {
    if !(serving.not_before <= at && at < serving.not_after) {
        return Err(ReadError::Untimely);
    }
    let leaf = serving.certified.end_entity_cert().map_err(ReadError::Refused)?;
    let leaf = ParsedCertificate::try_from(leaf).map_err(ReadError::Refused)?;
    for name in names {
        verify_server_name(&leaf, &server_name(name)?).map_err(ReadError::Refused)?;
    }
    Ok(())
}

fn server_name(name: &str) -> Result<ServerName<'static>, ReadError> {
    ServerName::try_from(name.to_owned()).map_err(|_| ReadError::Name(name.to_owned()))
}

/// Of `cas`, the one that signed `serving` for `names`, whatever the time is now.
pub fn issuer<'a>(
    serving: &Serving,
    cas: impl IntoIterator<Item = &'a CaCertificate>,
    names: &[String],
) -> Option<Ca> {
    let signed = |ca: &&CaCertificate| {
        // Both are valid then, if they ever are at once.
        let at = serving.not_before.max(ca.facts.not_before);
        accepted(serving, &ca.der, names, at).is_ok()
    };
    cas.into_iter().find(signed).map(|ca| ca.facts)
}

/// A certificate as PEM.
#[must_use]
pub fn pem(der: &CertificateDer<'_>) -> String {
    ::pem::encode_config(
        &::pem::Pem::new("CERTIFICATE", der.as_ref()),
        ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF),
    )
}

fn ca(der: CertificateDer<'static>, what: &'static str) -> Result<CaCertificate, ReadError> {
    let certificate = parse(&der, what)?;
    if !certificate.is_ca() {
        return Err(ReadError::NotCa(what));
    }
    let (not_before, not_after) = validity(&certificate);
    let id = Fingerprint(Sha256::digest(&der).into());
    Ok(CaCertificate { facts: Ca { id, not_before, not_after }, der })
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &[u8],
    what: &'static str,
) -> Result<CertifiedKey, ReadError> {
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|source| ReadError::Pem { what: "the key", source })?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|source| ReadError::Key { what, source })
}

fn parse<'a>(der: &'a CertificateDer<'_>, what: &'static str) -> Result<X509Certificate<'a>, ReadError> {
    let read = X509Certificate::from_der(der);
    read.map(|(_, certificate)| certificate).map_err(|error| ReadError::X509 { what, why: error.to_string() })
}

fn validity(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    // Years that jiff does not know are beyond anybody's.
    let time = |seconds: i64, beyond| Timestamp::from_second(seconds).unwrap_or(beyond);
    (
        time(validity.not_before.timestamp(), Timestamp::MAX),
        time(validity.not_after.timestamp(), Timestamp::MAX),
    )
}
