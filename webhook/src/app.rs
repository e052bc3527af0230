//! The HTTP application: checks what is cheap to check first, then reads, judges and answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use gamewarden_api::admission::Settings;

use crate::answer::Answer;
use crate::judge::{self, Phase};
use crate::memory::{self, Budget};
use crate::metrics::Path;
use crate::review::{self, Malformed};
use crate::{Refusal, WebhookMetrics};

/// A review carries object and oldObject. etcd keeps at most 1.5 MiB of each, but as JSON an object
/// may be larger than it is stored, and the API server takes requests of up to 3 MiB: twice that,
/// and room for the envelope.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

/// Bodies up to this size are judged at once: it takes less than handing them to another thread.
const SMALL: usize = 64 * 1024;

/// Bounds of requests.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// From a request's head to the last byte of its body. The API server itself waits for 30 s at most.
    pub timeout: Duration,
    /// For all bodies and what is read of them together, in bytes: 256 of ordinary size at once, or 4 of the largest.
    pub memory: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), memory: 64 * 1024 * 1024 }
    }
}

#[derive(Clone)]
struct App {
    metrics: WebhookMetrics,
    budget: Budget,
    timeout: Duration,
    memory: usize,
    judge: Judge,
}

/// From a body to its answer; pure.
pub type Judge = Arc<dyn Fn(&[u8], Phase) -> Result<Answer, Malformed> + Send + Sync>;

/// The rules of admission, in an installation with these settings.
#[must_use]
pub fn rules(settings: Settings) -> Judge {
    Arc::new(move |body, phase| Ok(judge::answer(&review::decode(body)?, phase, &settings)))
}

/// The application: POST `/validate` and `/mutate`.
pub fn router(metrics: WebhookMetrics, limits: RequestLimits, judge: Judge) -> Router {
    let app = App {
        metrics,
        budget: Budget::new(limits.memory),
        timeout: limits.timeout,
        memory: limits.memory,
        judge,
    };
    let review = |phase| {
        any(move |State(app): State<App>, request: Request| async move { app.answer(phase, request).await })
    };
    Router::new()
        .route("/validate", review(Phase::Validate))
        .route("/mutate", review(Phase::Mutate))
        .fallback(async |State(app): State<App>| app.refuse(Path::Other, Refusal::NotFound))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}

impl App {
    async fn answer(&self, phase: Phase, request: Request) -> Response {
        let begin = Instant::now();
        let answer = self.admit(phase, request).await;
        self.metrics.observe(phase.into(), answer.as_ref().map(Answer::is_allowed), begin.elapsed());
        match answer {
            Ok(answer) => Json(answer).into_response(),
            Err(refusal) => {
                tracing::debug!(?phase, %refusal, "refused");
                refusal.into_response()
            }
        }
    }

    fn refuse(&self, path: Path, refusal: Refusal) -> Response {
        self.metrics.observe(path, Err(&refusal), Duration::ZERO);
        refusal.into_response()
    }

    async fn admit(&self, phase: Phase, request: Request) -> Result<Answer, Refusal> {
        let most = check_head(&request)?;
        let _share = self.budget.try_body(most).ok_or(Refusal::Overloaded)?;
        let body = tokio::time::timeout(self.timeout, Bytes::from_request(request, &()))
            .await
            .map_err(|_| Refusal::Timeout)?
            .map_err(|error| unread(&error))?;
        let tree = memory::of_tree(&body);
        if tree > self.memory {
            return Err(Refusal::TooManyValues);
        }
        let _tree = self.budget.try_share(tree).ok_or(Refusal::Overloaded)?;
        if body.len() <= SMALL {
            return Ok((self.judge)(&body, phase)?);
        }
        // What takes longer must not keep other requests from being read.
        let judge = Arc::clone(&self.judge);
        let judged = tokio::task::spawn_blocking(move || judge(&body, phase)).await;
        Ok(judged.map_err(|_| Refusal::Interrupted)??)
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
