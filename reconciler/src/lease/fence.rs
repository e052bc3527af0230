//! Keeps a process whose time as leader is over from asking for anything more.
//!
//! That the lease is lost is noticed by a task, and dropping the work takes its turn in the scheduler. A process
//! that was stopped (SIGSTOP, a frozen cgroup) and goes on after another has taken over finds answers in its
//! sockets, and would carry on with the next write of its plan in that very moment. Therefore every request of
//! the work asks the clock first: once the deadline of the lease has passed, it is not sent.
//!
//! What was sent before the deadline may still be carried out after it. The resourceVersions and preconditions
//! of the writes are for that (design I7).

use std::sync::{Arc, Mutex, PoisonError};

use kube::client::Body;
use tokio::time::Instant;
use tower::{BoxError, filter::FilterLayer};

/// Lets requests pass while this process leads. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<Mutex<Option<Instant>>>);

/// The request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sent: this process no longer leads")]
pub struct NotLeading;

impl Fence {
    /// Whether this process leads now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// A layer for a client whose requests are all to be sent by the leader only; others fail with
    /// [`NotLeading`].
    #[must_use]
    pub fn layer(
        &self,
    ) -> FilterLayer<impl Fn(http::Request<Body>) -> Result<http::Request<Body>, BoxError> + Clone + use<>>
    {
        let fence = self.clone();
        FilterLayer::new(move |request| if fence.is_open() { Ok(request) } else { Err(NotLeading.into()) })
    }

    /// Lets requests pass until then.
    pub(super) fn open(&self, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Lets none pass any more.
    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
