//! Issues certificates: pure but for the keys, time comes in as an argument.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

/// Certificates begin this long before they are made, for clients whose clock is behind.
pub const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// A certificate and its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The private key, PKCS#8.
    pub key: String,
    /// Valid until.
    pub not_after: Timestamp,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, key: _, not_after } = self;
        f.debug_struct("Issued")
            .field("certificate", certificate)
            .field("not_after", not_after)
            .finish_non_exhaustive()
    }
}

/// A certificate to serve with, and what a client needs to trust it.
#[derive(Debug)]
pub struct ServingCert {
    /// The CA that signed it (what a caBundle holds). It is not part of the chain.
    pub ca: CertificateDer<'static>,
    /// The leaf first. With a self-signed CA the leaf is all there is.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key.
    pub key: PrivateKeyDer<'static>,
    /// When both end.
    pub not_after: Timestamp,
}

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A certificate for nobody is for nobody's use.
    #[error("a serving certificate needs at least one DNS name")]
    NoNames,
    /// Out of the calendar's range, or zero.
    #[error("a certificate cannot be valid for {validity:?} from {now}")]
    Validity {
        /// Asked for.
        validity: Duration,
        /// From when on.
        now: Timestamp,
    },
    /// A name is not a DNS name, no random numbers could be had, or the CA cannot be used.
    #[error("cannot issue the {what} certificate")]
    Issue {
        /// Which one.
        what: &'static str,
        /// Why not.
        source: rcgen::Error,
    },
    /// What is to be kept beside it cannot be written down.
    #[error("cannot write down the earlier CAs")]
    Encode(#[from] serde_json::Error),
    /// What was issued cannot be read back.
    #[error("the {what} certificate that was issued cannot be read")]
    Read {
        /// Which one.
        what: &'static str,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
}

/// Makes a CA: ECDSA P-256, valid from an hour before `now` until `validity` after it.
///
/// # Errors
/// Times out of range, no random numbers.
pub fn ca(now: Timestamp, validity: Duration) -> Result<Issued, IssueError> {
    let failed = |source| IssueError::Issue { what: "CA", source };
    let span = Span::new(now, validity, Timestamp::MAX)?;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = span.limit(ca_params()).self_signed(&key).map_err(failed)?;
    Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem(), not_after: span.not_after })
}

/// Lets a CA (certificate and key as PEM, valid until `ca_not_after`) sign a leaf for `dns_names`, valid from an
/// hour before `now` until `validity` after it, but no longer than the CA.
///
/// # Errors
/// No names, names that cannot stand in a certificate, times out of range, a CA that cannot be read.
pub fn leaf(
    (ca, ca_key, ca_not_after): (&str, &str, Timestamp),
    dns_names: &[String],
    now: Timestamp,
    validity: Duration,
) -> Result<Issued, IssueError> {
    if dns_names.is_empty() {
        return Err(IssueError::NoNames);
    }
    let failed = |source| IssueError::Issue { what: "serving", source };
    let span = Span::new(now, validity, ca_not_after)?;
    let issuer = Issuer::from_ca_cert_pem(ca, KeyPair::from_pem(ca_key).map_err(failed)?).map_err(failed)?;
    let key = KeyPair::generate().map_err(failed)?;
    let params = span.limit(leaf_params(dns_names).map_err(failed)?);
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem(), not_after: span.not_after })
}

/// Makes a CA, lets it sign one leaf for `dns_names`, and forgets the CA's key: a certificate of this process
/// alone, for trials and tests.
///
/// # Errors
/// No names, names that cannot stand in a certificate, or times out of range.
pub fn self_signed(
    dns_names: &[String],
    now: Timestamp,
    validity: Duration,
) -> Result<ServingCert, IssueError> {
    let unread = |what| move |source| IssueError::Read { what, source };
    let certificate = |what, pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(unread(what));
    let ca = self::ca(now, validity)?;
    let leaf = self::leaf((&ca.certificate, &ca.key, ca.not_after), dns_names, now, validity)?;
    Ok(ServingCert {
        ca: certificate("CA", &ca.certificate)?,
        chain: vec![certificate("serving", &leaf.certificate)?],
        key: PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).map_err(unread("serving"))?,
        not_after: leaf.not_after,
    })
}

/// From when until when.
struct Span {
    begin: OffsetDateTime,
    end: OffsetDateTime,
    not_after: Timestamp,
}

impl Span {
    fn new(now: Timestamp, validity: Duration, at_most: Timestamp) -> Result<Self, IssueError> {
        let out_of_range = || IssueError::Validity { validity, now };
        let calendar = |time: Timestamp| OffsetDateTime::from_unix_timestamp(time.as_second());
        let not_after = now.checked_add(validity).map_err(|_| out_of_range())?.min(at_most);
        let not_before = now.checked_sub(BACKDATED).map_err(|_| out_of_range())?;
        if validity.as_secs() == 0 || not_after <= now {
            return Err(out_of_range());
        }
        Ok(Self {
            begin: calendar(not_before).map_err(|_| out_of_range())?,
            end: calendar(not_after).map_err(|_| out_of_range())?,
            not_after,
        })
    }

    /// rcgen's own defaults are 1975 and 4096: always set both.
    fn limit(&self, mut params: CertificateParams) -> CertificateParams {
        (params.not_before, params.not_after) = (self.begin, self.end);
        params
    }
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "gamewarden webhook CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(dns_names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(dns_names)?;
    params.distinguished_name.push(DnType::CommonName, "gamewarden webhook");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn noon() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    /// What a client that trusts the CA says about the certificate at `time`.
    fn verify(cert: &ServingCert, name: &str, time: Timestamp) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(cert.ca.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let seconds = u64::try_from(time.as_second()).unwrap();
        verifier
            .verify_server_cert(
                &cert.chain[0],
                &cert.chain[1..],
                &ServerName::try_from(name.to_owned()).unwrap(),
                &[],
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            )
            .map(|_| ())
    }

    #[test]
    fn clients_that_trust_the_ca_trust_the_leaf_for_its_names_and_its_time() {
        let names = ["gw.svc".to_owned(), "gw.ns.svc".to_owned()];
        let cert = self_signed(&names, noon(), DAY).unwrap();
        let hour = SignedDuration::from_hours(1);
        for name in ["gw.svc", "gw.ns.svc"] {
            verify(&cert, name, noon()).unwrap();
            verify(&cert, name, noon() + hour * 23).unwrap();
        }
        let message = |result: Result<(), rustls::Error>| result.unwrap_err().to_string();
        let other = message(verify(&cert, "other.svc", noon()));
        assert!(other.contains("not valid for name"), "{other}");
        let late = message(verify(&cert, "gw.svc", noon() + hour * 25));
        assert!(late.contains("certificate expired"), "{late}");
        verify(&cert, "gw.svc", noon() - hour).unwrap();
        let early = message(verify(&cert, "gw.svc", noon() - hour * 2));
        assert!(early.contains("certificate not valid yet"), "{early}");
        assert_eq!(cert.not_after, noon() + hour * 24);
    }

    #[test]
    fn each_has_keys_of_its_own() {
        let names = ["gw.svc".to_owned()];
        let one = self_signed(&names, noon(), DAY).unwrap();
        let two = self_signed(&names, noon(), DAY).unwrap();
        assert_ne!(one.ca, two.ca);
        assert_ne!(one.key.secret_der(), two.key.secret_der());
    }

    #[test]
    fn refusals() {
        let message = |names: &[&str], now: Timestamp, validity: Duration| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            self_signed(&names, now, validity).unwrap_err().to_string()
        };
        assert_eq!(message(&[], noon(), DAY), "a serving certificate needs at least one DNS name");
        assert_eq!(
            message(&["gw.svc"], noon(), Duration::ZERO),
            "a certificate cannot be valid for 0ns from 2026-05-01T12:00:00Z"
        );
        assert_eq!(
            message(&["gw.svc"], Timestamp::MAX, DAY),
            format!("a certificate cannot be valid for 86400s from {}", Timestamp::MAX)
        );
        assert_eq!(message(&["b\u{fc}cher"], noon(), DAY), "cannot issue the serving certificate");
    }
}
