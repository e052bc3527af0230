//! The HTTP application: checks what is cheap to check first, then reads, judges and answers.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use gamewarden_api::admission::Settings;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::answer::Answer;
use crate::judge::{self, Phase};
use crate::memory::{self, Budget, Share};
use crate::metrics::Path;
use crate::review;
use crate::{Guard, Refusal, WebhookMetrics};

/// A review carries object and oldObject. etcd keeps at most 1.5 MiB of each, but as JSON an object
/// may be larger than it is stored, and the API server takes requests of up to 3 MiB: twice that,
/// and room for the envelope.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

/// Bodies up to this size are judged at once: what may take longer is handed to another thread. Whatever is in them, its
/// values take less than [`memory::MOST_TREE`].
const SMALL: usize = 16 * 1024;

/// Bounds of requests.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// From a request's head to the last byte of its body. The chart lets the API server wait for 5 s.
    pub timeout: Duration,
    /// For all bodies and what is read of them together, in bytes.
    pub memory: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), memory: 80 * 1024 * 1024 }
    }
}

#[derive(Clone)]
struct App {
    metrics: WebhookMetrics,
    budget: Budget,
    timeout: Duration,
    judge: Judge,
    /// For the judgement of larger bodies: as many at once as there are processors. More would not be done sooner, and
    /// each holds a thread, and what its allocator keeps for it.
    processors: Arc<Semaphore>,
}

/// From a body to its answer.
pub type Judge = Arc<dyn Fn(&[u8], Phase) -> Result<Answer, Refusal> + Send + Sync>;

/// The rules of admission, in an installation with these settings.
#[must_use]
pub fn rules(settings: Settings) -> Judge {
    guarded_rules(settings, None)
}

/// The same, with a guard of servers that are in use where there is one. It is pure but for that.
#[must_use]
pub fn guarded_rules(settings: Settings, guard: Option<Guard>) -> Judge {
    let guarded = move |request: &review::Request<'_>, object: Option<&Value>| {
        guard.as_ref().and_then(|guard| guard.judge(request, object))
    };
    Arc::new(move |body, phase| {
        // Most are small. What cannot be read at once is read with more care below.
        if body.len() <= SMALL
            && let Ok((request, object)) = review::decode_with_object(body)
        {
            let verdict = guarded(&request, object.as_ref());
            let answer = judge::answer_with_object(&request, object, phase, &settings);
            return Ok(Guard::add(answer, &request, verdict, phase));
        }
        let request = review::decode(body)?;
        // Each by itself: what can be made can be changed.
        let objects = [request.object, request.old_object].into_iter().flatten();
        if objects.map(|object| memory::of_tree(object.get().as_bytes())).any(|tree| tree > memory::MOST_TREE)
        {
            return Err(Refusal::TooManyValues);
        }
        let answer = judge::answer(&request, phase, &settings);
        // After that, so that no more than two objects are held at once.
        let verdict = guarded(&request, None);
        Ok(Guard::add(answer, &request, verdict, phase))
    })
}

fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// The application: POST `/validate` and `/mutate`.
pub fn router(metrics: WebhookMetrics, limits: RequestLimits, judge: Judge) -> Router {
    let processors = Arc::new(Semaphore::new(processors()));
    let budget = Budget::new(limits.memory);
    let app = App { metrics, budget, timeout: limits.timeout, judge, processors };
    let review = |phase| {
        any(move |State(app): State<App>, request: Request| async move { app.answer(phase, request).await })
    };
    Router::new()
        .route("/validate", review(Phase::Validate))
        .route("/mutate", review(Phase::Mutate))
        .fallback(async |State(app): State<App>| app.refuse(Path::Other, Refusal::NotFound))
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
        check_head(&request)?;
        let deadline = tokio::time::Instant::now() + self.timeout;
        let share = self.budget.try_share(0).ok_or(Refusal::Overloaded)?;
        let (body, mut share) =
            timeout_at(deadline, self.read(request, share)).await.map_err(|_| Refusal::Timeout)??;
        // An object and an old one of the largest kind always fit, where nothing else is under way.
        let tree = memory::of_tree(&body).min(2 * memory::MOST_TREE);
        share.grow_by(tree).ok_or(Refusal::Overloaded)?;
        if body.len() <= SMALL {
            return (self.judge)(&body, phase);
        }
        // What takes longer must not keep other requests from being read. It goes on when nobody waits any more, and so
        // does its share. The semaphore is never closed.
        let processor = timeout_at(deadline, Arc::clone(&self.processors).acquire_owned())
            .await
            .map_err(|_| Refusal::Overloaded)?;
        let judge = Arc::clone(&self.judge);
        let judged = tokio::task::spawn_blocking(move || {
            let answer = judge(&body, phase);
            drop((share, processor));
            answer
        });
        judged.await.map_err(|_| Refusal::Interrupted)?
    }

    /// Reads the body, and sets memory aside as it comes: what is only announced costs nobody anything.
    async fn read(&self, request: Request, mut share: Share) -> Result<(Vec<u8>, Share), Refusal> {
        let mut frames = request.into_body();
        let mut body = Vec::new();
        while let Some(frame) = frames.frame().await {
            let frame = frame.map_err(|error| Refusal::Body(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            if body.len() + data.len() > MAX_BODY {
                return Err(Refusal::TooLarge { limit: MAX_BODY });
            }
            share.grow_by(memory::of_text(data.len())).ok_or(Refusal::Overloaded)?;
            body.extend_from_slice(&data);
        }
        Ok((body, share))
    }
}

/// What can be said before the body is read.
fn check_head(request: &Request) -> Result<(), Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let header = |name| request.headers().get(name)?.to_str().ok();
    let media_type = header(CONTENT_TYPE).and_then(|value| value.split(';').next());
    if !media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::ContentType);
    }
    // Hyper has checked what there is.
    let length: Option<usize> = header(CONTENT_LENGTH).and_then(|value| value.parse().ok());
    match length {
        Some(length) if length > MAX_BODY => Err(Refusal::TooLarge { limit: MAX_BODY }),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
