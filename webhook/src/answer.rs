//! AdmissionReview, the envelope, from a verdict to the answer. Pure, and by the book.

use gamewarden_api::admission::Finding;
use gamewarden_api::guard::Refusal;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::review::{API_VERSION, KIND, Request};

/// More mistakes are counted, not told: nobody reads them, and the answer stays small.
const MOST_MISTAKES: usize = 50;

/// Nor are those told with which their places and messages would be longer, in bytes. Places may have keys in them, which
/// are as long as their author likes.
const LONGEST_TOLD: usize = 16 * 1024;

/// Names of the request, and a single place or message, are cut where they are longer; in characters.
const LONGEST_TEXT: usize = 1024;

/// More warnings are not told: the API server keeps no more than 4,096 characters of them.
const MOST_WARNINGS: usize = 20;

/// An answer, ready to be written as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    api_version: &'static str,
    kind: &'static str,
    response: Response,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    /// Base64, as the API server writes bytes itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Why a request is refused: a Kubernetes Status.
#[derive(Debug, Serialize)]
struct Status {
    status: &'static str,
    message: String,
    reason: &'static str,
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, Serialize)]
struct Details {
    name: String,
    group: String,
    kind: String,
    causes: Vec<Cause>,
}

#[derive(Debug, Serialize)]
struct Cause {
    reason: &'static str,
    message: String,
    field: String,
}

impl Answer {
    /// Lets the request pass as it is.
    #[must_use]
    pub fn allow(request: &Request<'_>) -> Self {
        Self {
            api_version: API_VERSION,
            kind: KIND,
            response: Response {
                uid: request.uid.to_string(),
                allowed: true,
                status: None,
                patch_type: None,
                patch: None,
                warnings: Vec::new(),
            },
        }
    }

    /// Refuses the object for its mistakes, all of them: as the API server itself does (422, Invalid), so that kubectl
    /// lists them one below the other, and in the message too, for who shows nothing else.
    #[must_use]
    pub(crate) fn invalid(request: &Request<'_>, mistakes: &[Finding]) -> Self {
        let mut length = 0;
        let mut causes: Vec<Cause> = mistakes
            .iter()
            .take(MOST_MISTAKES)
            .map(|Finding { path, message, .. }| Cause {
                reason: "FieldValueInvalid",
                message: cut(message),
                field: cut(path),
            })
            .take_while(|Cause { field, message, .. }| {
                length += field.len() + message.len();
                length <= LONGEST_TOLD
            })
            .collect();
        let left_out = mistakes.len() - causes.len();
        if left_out > 0 {
            causes.push(Cause {
                reason: "FieldValueInvalid",
                message: format!("and {left_out} more mistakes; `webhook check` shows all of them"),
                field: String::new(),
            });
        }
        let lines: Vec<String> = causes
            .iter()
            .map(
                |Cause { field, message, .. }| {
                    if field.is_empty() { message.clone() } else { format!("{field}: {message}") }
                },
            )
            .collect();
        let list = match lines.as_slice() {
            [one] => format!(" {one}"),
            several => several.iter().map(|line| format!("\n* {line}")).collect(),
        };
        let [name, group, kind] =
            [&request.name, &request.kind.group, &request.kind.kind].map(|text| cut(text));
        let details = Details { name: name.clone(), group: group.clone(), kind: kind.clone(), causes };
        let message = format!("{kind}.{group} {name:?} is invalid:{list}");
        Self::refuse(
            request,
            Status { status: "Failure", message, reason: "Invalid", code: 422, details: Some(details) },
        )
    }

    /// Refuses a request that cannot be judged.
    #[must_use]
    pub(crate) fn bad(request: &Request<'_>, message: String) -> Self {
        Self::refuse(
            request,
            Status { status: "Failure", message, reason: "BadRequest", code: 400, details: None },
        )
    }

    /// Refuses a request that would take a server which may be in use, or may do so.
    #[must_use]
    pub(crate) fn guarded(request: &Request<'_>, refusal: &Refusal) -> Self {
        let (reason, code) = refusal.status();
        let message = refusal.to_string();
        // Without details: a Retry-After of ours would make the client repeat what a person has to decide on.
        Self::refuse(request, Status { status: "Failure", message, reason, code, details: None })
    }

    fn refuse(request: &Request<'_>, status: Status) -> Self {
        let mut answer = Self::allow(request);
        answer.response.allowed = false;
        answer.response.status = Some(status);
        answer
    }

    /// With warnings for who asked.
    #[must_use]
    pub(crate) fn warning(mut self, warnings: &[Finding]) -> Self {
        self.response.warnings = warnings.iter().take(MOST_WARNINGS).map(Finding::warning).collect();
        if let Some(left_out) = warnings.len().checked_sub(MOST_WARNINGS).filter(|count| *count > 0) {
            self.response.warnings.push(format!("and {left_out} more; `webhook check` shows all of them"));
        }
        self
    }

    /// With what is to be known first.
    #[must_use]
    pub(crate) fn saying(mut self, first: Vec<String>) -> Self {
        self.response.warnings.splice(0..0, first);
        self
    }

    /// With a change of the object.
    #[must_use]
    pub(crate) fn patching(mut self, patch: &json_patch::Patch) -> Self {
        use base64::{Engine, engine::general_purpose::STANDARD};
        if !patch.0.is_empty() {
            self.response.patch_type = Some("JSONPatch");
            // The operations of a patch have no keys that are not text.
            let text = serde_json::to_vec(patch).ok().map(|json| {
                let mut text = String::from("\"");
                STANDARD.encode_string(json, &mut text);
                text + "\""
            });
            // Base64 has nothing that JSON would escape, and is long.
            self.response.patch = text.and_then(|text| RawValue::from_string(text).ok());
        }
        self
    }

    /// Whether the request passes.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.response.allowed
    }
}

/// The text, or what of it is not too long.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
