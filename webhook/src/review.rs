//! AdmissionReview, the envelope, from bytes to a request. Pure.
//!
//! Read leniently: fields that nobody here needs are skipped, whatever is in them, however deep.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// As the envelope has it, and the answer too.
pub(crate) const API_VERSION: &str = "admission.k8s.io/v1";
/// As the envelope has it, and the answer too.
pub(crate) const KIND: &str = "AdmissionReview";

/// What is needed of a request. Objects are as they were sent: most are not looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object as request")]
pub struct Request<'a, Object = &'a RawValue> {
    /// The API server's name for it, which the answer repeats.
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    /// The type of the object.
    #[serde(borrow, default)]
    pub kind: Kind<'a>,
    /// What the request is for.
    #[serde(borrow, default)]
    pub resource: Resource<'a>,
    /// `status`, `scale`, …; empty for the object itself.
    #[serde(borrow, default)]
    pub sub_resource: Cow<'a, str>,
    /// The object's name; empty while it has none, and for deletions of a collection.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// Where the object is.
    #[serde(borrow, default)]
    pub namespace: Cow<'a, str>,
    /// What is done to it.
    #[serde(default)]
    pub operation: Operation,
    /// Who asks.
    #[serde(borrow, default)]
    pub user_info: UserInfo<'a>,
    /// Whether nothing is to happen.
    #[serde(default)]
    pub dry_run: Option<bool>,
    /// How it is to be done: CreateOptions, UpdateOptions or DeleteOptions.
    #[serde(borrow, default)]
    pub options: Option<&'a RawValue>,
    /// The object as it would be.
    #[serde(default = "none")]
    pub object: Option<Object>,
    /// The object as it is.
    #[serde(borrow, default)]
    pub old_object: Option<&'a RawValue>,
}

/// A request that says nothing.
impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            uid: Cow::default(),
            kind: Kind::default(),
            resource: Resource::default(),
            sub_resource: Cow::default(),
            name: Cow::default(),
            namespace: Cow::default(),
            user_info: UserInfo::default(),
            dry_run: None,
            options: None,
            operation: Operation::default(),
            object: None,
            old_object: None,
        }
    }
}

/// The type of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "an object as kind")]
pub struct Kind<'a> {
    /// API group.
    #[serde(borrow)]
    pub group: Cow<'a, str>,
    /// As in `kind:`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
}

/// What a request is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "an object as resource")]
pub struct Resource<'a> {
    /// API group.
    #[serde(borrow)]
    pub group: Cow<'a, str>,
    /// The plural.
    #[serde(borrow)]
    pub resource: Cow<'a, str>,
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "an object as userInfo")]
pub struct UserInfo<'a> {
    /// The name of the user or ServiceAccount.
    #[serde(borrow)]
    pub username: Cow<'a, str>,
    /// Their groups, if the API server knows any.
    #[serde(borrow)]
    pub groups: Option<Vec<Cow<'a, str>>>,
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
    decode_as(body)
}

/// The same, and the object's values. Reading them along the way is cheaper than reading their text twice, and not as
/// lenient: an object that cannot be read makes an error of the whole review.
///
/// # Errors
/// As [`decode`], and what is wrong with the object.
pub fn decode_with_object(body: &[u8]) -> Result<(Request<'_>, Option<Value>), Malformed> {
    let mut read: Request<'_, Value> = decode_as(body)?;
    let object = read.object.take();
    Ok((read.without_object(), object))
}

impl<'a> Request<'a, Value> {
    /// The same, of which the object has been taken.
    fn without_object(self) -> Request<'a> {
        let Self { uid, kind, resource, sub_resource, name, namespace, operation, .. } = self;
        let Self { user_info, dry_run, options, old_object, .. } = self;
        Request {
            uid,
            kind,
            resource,
            sub_resource,
            name,
            namespace,
            operation,
            user_info,
            dry_run,
            options,
            object: None,
            old_object,
        }
    }
}

fn decode_as<'a, Object>(body: &'a [u8]) -> Result<Request<'a, Object>, Malformed>
where
    Object: Deserialize<'a>,
{
    #[derive(Deserialize)]
    #[serde(
        rename_all = "camelCase",
        expecting = "an object",
        bound(deserialize = "Object: Deserialize<'de>")
    )]
    struct Envelope<'a, Object> {
        #[serde(borrow, default)]
        api_version: Cow<'a, str>,
        #[serde(borrow, default)]
        kind: Cow<'a, str>,
        #[serde(borrow, default = "none")]
        request: Option<Request<'a, Object>>,
    }

    // Once for all of it, not for each text in it.
    let body = str::from_utf8(body).map_err(|error| Malformed::Json(error.to_string()))?;
    let envelope: Envelope<'_, Object> =
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

/// Nothing, whatever it would have been.
fn none<T>() -> Option<T> {
    None
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
