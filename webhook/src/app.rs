//! The HTTP application: checks what is cheap to check first, then reads, judges and answers.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};

use crate::memory::Budget;
use crate::metrics::Path;
use crate::{Refusal, WebhookMetrics, review};

/// A review carries object and oldObject. etcd keeps at most 1.5 MiB of each, but as JSON an object
/// may be larger than it is stored, and the API server takes requests of up to 3 MiB: twice that,
/// and room for the envelope.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

/// Bounds of requests.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// From a request's head to the last byte of its body. The API server itself waits for 30 s at most.
    pub timeout: Duration,
    /// For all bodies together, in bytes: 256 of ordinary size at once, or 8 of the largest.
    pub memory: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), memory: 64 * 1024 * 1024 }
    }
}

#[derive(Debug, Clone)]
struct App {
    metrics: WebhookMetrics,
    budget: Budget,
    timeout: Duration,
}

/// The application: POST `/validate` and `/mutate`.
pub fn router(metrics: WebhookMetrics, limits: RequestLimits) -> Router {
    let app = App { metrics, budget: Budget::new(limits.memory), timeout: limits.timeout };
    let review = |path| {
        any(move |State(app): State<App>, request: Request| async move { app.answer(path, request).await })
    };
    Router::new()
        .route("/validate", review(Path::Validate))
        .route("/mutate", review(Path::Mutate))
        .fallback(async |State(app): State<App>| app.refuse(Path::Other, Refusal::NotFound))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

impl App {
    async fn answer(&self, path: Path, request: Request) -> Response {
        let begin = Instant::now();
        match self.admit(request).await {
            Ok(response) => {
                self.metrics.observe(path, None, begin.elapsed());
                response
            }
            Err(refusal) => {
                self.metrics.observe(path, Some(&refusal), begin.elapsed());
                tracing::debug!(?path, %refusal, "refused");
                refusal.into_response()
            }
        }
    }

    fn refuse(&self, path: Path, refusal: Refusal) -> Response {
        self.metrics.observe(path, Some(&refusal), Duration::ZERO);
        refusal.into_response()
    }

    async fn admit(&self, request: Request) -> Result<Response, Refusal> {
        let most = check_head(&request)?;
        let _share = self.budget.try_share(most).ok_or(Refusal::Overloaded)?;
        let body = tokio::time::timeout(self.timeout, Bytes::from_request(request, &()))
            .await
            .map_err(|_| Refusal::Timeout)?
            .map_err(|error| unread(&error))?;
        let request = review::decode(&body)?;
        Ok(Json(request.allow()).into_response())
    }
}

/// What can be said before the body is read; returns the most that the body can come to.
fn check_head(request: &Request) -> Result<usize, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let header = |name| request.headers().get(name)?.to_str().ok();
    let media_type = header(CONTENT_TYPE).and_then(|value| value.split(';').next());
    if !media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::ContentType);
    }
    // Hyper has checked what there is; without one, the body may take all that is allowed.
    let length = header(CONTENT_LENGTH).and_then(|value| value.parse().ok());
    match length.unwrap_or(MAX_BODY) {
        length if length <= MAX_BODY => Ok(length),
        _ => Err(Refusal::TooLarge { limit: MAX_BODY }),
    }
}

fn unread(error: &BytesRejection) -> Refusal {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Refusal::TooLarge { limit: MAX_BODY }
    } else {
        Refusal::Body(error.body_text())
    }
}
