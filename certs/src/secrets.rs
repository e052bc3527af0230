//! The two Secrets, and how they are read and written. Pure.
//!
//! | Secret | keys | who reads it |
//! |---|---|---|
//! | CA | `ca.crt`, `ca.key`; `next.crt`, `next.key` during a rotation; `earlier.json` | the controller |
//! | serving, `kubernetes.io/tls` | `tls.crt`, `tls.key`; `ca.crt`, who signed it | the webhook, the controller |

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::issue::{self, IssueError, Issued};
use crate::policy::{Authority, Earlier, Leaf, Settings, Source, Stored};
use crate::read::{self, CaCertificate, CaPair, ReadError, Serving};

/// Asks for another certificate; whatever its value.
pub const ROTATE: &str = "gamewarden.dev/rotate";

const EARLIER: &str = "earlier.json";

/// The CA Secret, read.
#[derive(Debug, Default)]
pub(crate) struct AuthoritySecret {
    current: Option<CaPair>,
    next: Option<CaPair>,
    earlier: Vec<(CaCertificate, Timestamp)>,
    rotate: bool,
    /// What of it cannot be read, and why.
    pub problems: Vec<ReadError>,
}

/// The serving Secret, read.
#[derive(Debug, Default)]
pub(crate) struct ServingSecret {
    /// The certificate, if there is one to serve with.
    pub serving: Option<Serving>,
    /// `ca.crt`.
    pub cas: Vec<CaCertificate>,
    /// Whether another one is asked for.
    pub rotate: bool,
    /// What of it cannot be read, and why.
    pub problems: Vec<ReadError>,
}

/// An entry of `earlier.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EarlierEntry {
    certificate: String,
    trusted_until: Timestamp,
}

impl AuthoritySecret {
    /// Reads it. One that is not there is empty.
    #[must_use]
    pub(crate) fn read(secret: Option<&Secret>) -> Self {
        let Some(secret) = secret else { return Self::default() };
        let mut read = Self { rotate: asks(secret), ..Self::default() };
        read.current = read.noted(pair(secret, "ca.crt", "ca.key"));
        read.next = read.noted(pair(secret, "next.crt", "next.key"));
        if let Some(text) = data(secret, EARLIER) {
            let entries = serde_json::from_slice::<Vec<EarlierEntry>>(text);
            let entries = entries.map_err(|error| ReadError::X509 { what: EARLIER, why: error.to_string() });
            for entry in read.noted(entries.map(Some)).unwrap_or_default() {
                let cas = read::bundle(entry.certificate.as_bytes(), EARLIER);
                let cas = read.noted(cas.map(Some)).unwrap_or_default();
                read.earlier.extend(cas.into_iter().map(|ca| (ca, entry.trusted_until)));
            }
        }
        read
    }

    fn noted<T>(&mut self, read: Result<Option<T>, ReadError>) -> Option<T> {
        read.unwrap_or_else(|error| {
            self.problems.push(error);
            None
        })
    }

    /// What decisions are made on.
    #[must_use]
    pub(crate) fn facts(&self) -> Stored {
        let facts = |pair: &Option<CaPair>| pair.as_ref().map(|pair| pair.certificate.facts);
        let earlier = self.earlier.iter().map(|(ca, until)| Earlier { ca: ca.facts, until: *until });
        Stored {
            current: facts(&self.current),
            next: facts(&self.next),
            earlier: earlier.collect(),
            rotate: self.rotate,
            garbage: !self.problems.is_empty(),
        }
    }

    /// Every CA certificate in it.
    pub(crate) fn cas(&self) -> impl Iterator<Item = &CaCertificate> {
        let pairs = self.current.iter().chain(&self.next).map(|pair| &pair.certificate);
        pairs.chain(self.earlier.iter().map(|(ca, _)| ca))
    }

    /// The current CA signs a serving certificate; `None` if there is no current one.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn sign(
        &self,
        names: &[String],
        now: Timestamp,
        settings: &Settings,
    ) -> Result<Option<(Issued, &CaPair)>, IssueError> {
        let Some(current) = &self.current else { return Ok(None) };
        let ca = (current.pem.as_str(), current.key.as_str(), current.certificate.facts.not_after);
        Ok(Some((issue::leaf(ca, names, now, settings.serving_validity)?, current)))
    }

    /// The Secret's data as `authority` has it; `known` are all certificates that are to be had.
    ///
    /// # Errors
    /// No CA can be made.
    pub(crate) fn data(
        &self,
        authority: &Authority,
        known: &[CaCertificate],
        now: Timestamp,
        settings: &Settings,
    ) -> Result<BTreeMap<String, ByteString>, IssueError> {
        let mut data = BTreeMap::new();
        let mut put = |key: &str, text: String| data.insert(key.to_owned(), ByteString(text.into_bytes()));
        for (source, certificate, key) in
            [(authority.current, "ca.crt", "ca.key"), (authority.next, "next.crt", "next.key")]
        {
            let kept = match source {
                Source::Nowhere => None,
                Source::Current => self.current.as_ref(),
                Source::Next => self.next.as_ref(),
                Source::New => {
                    let made = issue::ca(now, settings.ca_validity)?;
                    put(certificate, made.certificate);
                    put(key, made.key);
                    None
                }
            };
            if let Some(pair) = kept {
                put(certificate, pair.pem.clone());
                put(key, pair.key.clone());
            }
        }
        let entries = authority.earlier.iter().filter_map(|earlier| {
            let ca = known.iter().find(|ca| ca.facts == earlier.ca)?;
            Some(EarlierEntry { certificate: read::pem(&ca.der), trusted_until: earlier.until })
        });
        let entries: Vec<EarlierEntry> = entries.collect();
        if !entries.is_empty() {
            put(EARLIER, serde_json::to_string(&entries)?);
        }
        Ok(data)
    }
}

impl ServingSecret {
    /// Reads it. One that is not there is empty.
    #[must_use]
    pub(crate) fn read(secret: Option<&Secret>) -> Self {
        let Some(secret) = secret else { return Self::default() };
        let mut read = Self { rotate: asks(secret), ..Self::default() };
        let needed = |key| data(secret, key).ok_or(ReadError::Missing(key));
        let serving = needed("tls.crt").and_then(|chain| read::serving(chain, needed("tls.key")?));
        match serving {
            Ok(serving) => read.serving = Some(serving),
            Err(error) => read.problems.push(error),
        }
        match data(secret, "ca.crt").map_or(Ok(Vec::new()), |pem| read::bundle(pem, "ca.crt")) {
            Ok(cas) => read.cas = cas,
            Err(error) => read.problems.push(error),
        }
        read
    }

    /// What decisions are made on; `known` are all CAs that could have signed it.
    #[must_use]
    pub(crate) fn facts(&self, known: &[CaCertificate], names: &[String]) -> Option<Leaf> {
        let serving = self.serving.as_ref()?;
        Some(Leaf {
            not_before: serving.not_before,
            not_after: serving.not_after,
            issuer: read::issuer(serving, known, names),
        })
    }

    /// Whether `ca.crt` is something else than the CA that signed the `leaf` of it.
    #[must_use]
    pub(crate) fn is_garbage(&self, leaf: Option<&Leaf>) -> bool {
        let issuer = leaf.and_then(|leaf| leaf.issuer);
        issuer.is_some_and(|issuer| !self.cas.iter().map(|ca| ca.facts).eq([issuer]))
    }
}

/// The serving Secret's data.
#[must_use]
pub(crate) fn serving_data(leaf: &Issued, ca: &CaPair) -> BTreeMap<String, ByteString> {
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    [("tls.crt", &leaf.certificate), ("tls.key", &leaf.key), ("ca.crt", &ca.pem)]
        .map(|(key, value)| (key.to_owned(), text(value)))
        .into()
}

/// The Secret to write over `before`, with its resourceVersion, or to make where there was none: other people's
/// labels and annotations stay, a request to rotate goes.
#[must_use]
pub(crate) fn written(
    before: Option<&Secret>,
    (namespace, name, type_): (&str, &str, &str),
    data: BTreeMap<String, ByteString>,
) -> Secret {
    let mut secret = before.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some([("app.kubernetes.io/name".to_owned(), "gamewarden".to_owned())].into()),
            ..ObjectMeta::default()
        },
        type_: Some(type_.to_owned()),
        ..Secret::default()
    });
    secret.metadata.managed_fields = None;
    if let Some(annotations) = &mut secret.metadata.annotations {
        annotations.remove(ROTATE);
    }
    secret.data = Some(data);
    secret
}

fn asks(secret: &Secret) -> bool {
    secret.annotations().contains_key(ROTATE)
}

fn data<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    secret.data.as_ref()?.get(key).map(|value| value.0.as_slice())
}

/// A CA with its key; `None` where there is neither.
fn pair(secret: &Secret, certificate: &'static str, key: &'static str) -> Result<Option<CaPair>, ReadError> {
    match (data(secret, certificate), data(secret, key)) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ReadError::Missing(certificate)),
        (Some(_), None) => Err(ReadError::Missing(key)),
        (Some(pem), Some(secret)) => read::pair(pem, secret, certificate).map(Some),
    }
}
