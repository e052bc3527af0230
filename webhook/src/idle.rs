//! Tells when a connection has had no request for a while. HTTP/1's header timeout does not cover
//! HTTP/2, nor a peer that finishes the handshake and then says nothing at all.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::response::Response;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, Version};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    counts: watch::Sender<Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    begun: u64,
    under_way: u64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self { counts: watch::Sender::new(Counts::default()) }
    }

    /// The service, watched. Once `draining` is cancelled, an answer over HTTP/1 says that no other will follow; HTTP/2
    /// has a frame for that.
    pub(crate) fn watch<S>(&self, inner: S, draining: CancellationToken) -> Watched<S> {
        Watched { inner, counts: self.counts.clone(), draining }
    }

    /// Resolves when no request has come for `first`, or, once there was one, none has been under way
    /// for `later`.
    pub(crate) async fn idle(&self, first: Duration, later: Duration) {
        let mut counts = self.counts.subscribe();
        loop {
            let now = *counts.borrow_and_update();
            let limit = match now {
                Counts { begun: 0, .. } => first,
                Counts { under_way: 0, .. } => later,
                // `self` holds the sender: there is always a change to come.
                _ => Duration::MAX,
            };
            if timeout(limit, counts.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// A service whose requests are counted.
#[derive(Debug, Clone)]
pub(crate) struct Watched<S> {
    inner: S,
    counts: watch::Sender<Counts>,
    draining: CancellationToken,
}

/// A request under way, until this is dropped: also when it is cancelled.
struct UnderWay(watch::Sender<Counts>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|counts| counts.under_way -= 1);
    }
}

impl<S> Service<Request<Incoming>> for Watched<S>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        self.counts.send_modify(|counts| {
            counts.begun += 1;
            counts.under_way += 1;
        });
        let under_way = UnderWay(self.counts.clone());
        let draining = (request.version() <= Version::HTTP_11).then(|| self.draining.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            drop(under_way);
            if draining.is_some_and(|draining| draining.is_cancelled()) {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_is_never_idle() {
        let activity = Activity::new();
        let (first, later) = (Duration::from_secs(10), Duration::from_secs(60));
        let begin = Instant::now();
        activity.idle(first, later).await;
        assert_eq!(begin.elapsed(), first);

        activity.counts.send_modify(|counts| {
            counts.begun = 1;
            counts.under_way = 1;
        });
        let begin = Instant::now();
        let under_way = UnderWay(activity.counts.clone());
        let end = async {
            tokio::time::sleep(Duration::from_secs(500)).await;
            drop(under_way);
        };
        tokio::join!(activity.idle(first, later), end);
        assert_eq!(begin.elapsed(), Duration::from_secs(560));
    }
}
