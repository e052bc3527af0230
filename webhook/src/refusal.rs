//! Every way in which a request is refused before it is judged, and how that is said.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::review::Malformed;

/// Why a request got no verdict. It is answered with a Kubernetes Status, whose message the API
/// server shows to whoever waits for the verdict.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such path.
    #[error("there are /validate and /mutate here")]
    NotFound,
    /// Not POST.
    #[error("method must be POST")]
    Method,
    /// Not JSON.
    #[error("content type must be application/json")]
    ContentType,
    /// Over the limit, said in advance or found out on the way.
    #[error("body is over {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Within the limit, and yet more than there is memory for when it is read.
    #[error("object holds too many fields and values")]
    TooManyValues,
    /// The requests under way take all the memory there is for them.
    #[error("too many requests are under way, try again")]
    Overloaded,
    /// The body did not arrive in time.
    #[error("body did not arrive in time")]
    Timeout,
    /// The connection broke while the body was read; the answer most likely reaches nobody.
    #[error("body could not be read: {0}")]
    Body(String),
    /// The process ends.
    #[error("could not be judged, try again")]
    Interrupted,
    /// Not an AdmissionReview.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Refusal {
    /// The HTTP status, and the reason by which Kubernetes knows it.
    #[must_use]
    pub fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "NotFound"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType"),
            Self::TooLarge { .. } | Self::TooManyValues => {
                (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge")
            }
            Self::Overloaded | Self::Interrupted => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "Timeout"),
            Self::Body(_) | Self::Malformed(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, reason) = self.status();
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.to_string(), "reason": reason, "code": code.as_u16(),
        });
        let body = Json(status);
        match self {
            Self::Method => (code, [(ALLOW, "POST")], body).into_response(),
            Self::Overloaded | Self::Interrupted => (code, [(RETRY_AFTER, "1")], body).into_response(),
            _ => (code, body).into_response(),
        }
    }
}
