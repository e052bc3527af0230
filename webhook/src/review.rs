//! AdmissionReview, the envelope, from bytes to a request. Pure.
//!
//! Read leniently: fields that nobody here needs are skipped, whatever is in them, however deep.

use serde::Deserialize;
use serde_json::value::RawValue;

/// As the envelope has it, and the answer too.
pub(crate) const API_VERSION: &str = "admission.k8s.io/v1";
/// As the envelope has it, and the answer too.
pub(crate) const KIND: &str = "AdmissionReview";

/// What is needed of a request. Objects are as they were sent: most are not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object as request")]
pub struct Request<'a> {
    /// The API server's name for it, which the answer repeats.
    #[serde(default)]
    pub uid: String,
    /// The type of the object.
    #[serde(default)]
    pub kind: Kind,
    /// What the request is for.
    #[serde(default)]
    pub resource: Resource,
    /// `status`, `scale`, …; empty for the object itself.
    #[serde(default)]
    pub sub_resource: String,
    /// The object's name; empty while it has none, and for deletions of a collection.
    #[serde(default)]
    pub name: String,
    /// What is done to it.
    #[serde(default)]
    pub operation: Operation,
    /// The object as it would be.
    #[serde(borrow, default)]
    pub object: Option<&'a RawValue>,
    /// The object as it is.
    #[serde(borrow, default)]
    pub old_object: Option<&'a RawValue>,
}

/// The type of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "an object as kind")]
pub struct Kind {
    /// API group.
    pub group: String,
    /// As in `kind:`.
    pub kind: String,
}

/// What a request is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "an object as resource")]
pub struct Resource {
    /// API group.
    pub group: String,
    /// The plural.
    pub resource: String,
}

/// What is done to an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is removed.
    Delete,
    /// Something else, which no rule is about.
    #[default]
    #[serde(other)]
    Other,
}

/// Why bytes are not a review that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Not JSON, or not of this shape.
    #[error("body is not an AdmissionReview: {0}")]
    Json(String),
    /// Something else, or of a version that is no longer.
    #[error("body is {kind} of {api_version}, want {KIND} of {API_VERSION}")]
    Version {
        /// As it was sent.
        api_version: String,
        /// As it was sent.
        kind: String,
    },
    /// An answer, or nothing.
    #[error("AdmissionReview has no request")]
    NoRequest,
    /// An answer could not be matched with it.
    #[error("AdmissionReview's request has no uid")]
    NoUid,
}

/// Reads a request.
///
/// # Errors
/// The bytes are not an `admission.k8s.io/v1` AdmissionReview with a request that has a uid.
pub fn decode(body: &[u8]) -> Result<Request<'_>, Malformed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Envelope<'a> {
        #[serde(default)]
        api_version: String,
        #[serde(default)]
        kind: String,
        #[serde(borrow, default)]
        request: Option<Request<'a>>,
    }

    // Once for all of it, not for each text in it.
    let body = str::from_utf8(body).map_err(|error| Malformed::Json(error.to_string()))?;
    let envelope: Envelope<'_> =
        serde_json::from_str(body).map_err(|error| Malformed::Json(short(&error)))?;
    if envelope.api_version != API_VERSION || envelope.kind != KIND {
        return Err(Malformed::Version {
            api_version: quoted(&envelope.api_version),
            kind: quoted(&envelope.kind),
        });
    }
    let request = envelope.request.ok_or(Malformed::NoRequest)?;
    if request.uid.is_empty() {
        return Err(Malformed::NoUid);
    }
    Ok(request)
}

/// What is wrong with JSON. Where text stands instead of something else, it is all in there; where it stands, at the end.
fn short(error: &serde_json::Error) -> String {
    const MOST: usize = 256;
    let text = error.to_string();
    let place = text.rfind(" at line ").unwrap_or(text.len());
    match text[..place].char_indices().nth(MOST) {
        None => text,
        Some((end, _)) => format!("{}…{}", &text[..end], &text[place..]),
    }
}

/// What the sender called it, short enough for an answer and a log line.
fn quoted(text: &str) -> String {
    const MOST: usize = 64;
    let cut: String = text.chars().take(MOST).collect();
    format!("{cut:?}")
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
