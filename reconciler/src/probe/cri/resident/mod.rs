//! Resident probes: a shell in each container that runs the commands, so that a probe costs a fork and not a
//! container exec.
//!
//! ```text
//!   script    the loop that the shell runs (loop.sh), and commands as the shell reads them
//!   output    what it prints, cut apart
//!   session   one shell: a command at a time, killed at its timeout
//!   stream    the way to it through the runtime
//!   pool      which session runs a command, and when one is closed (pure)
//! ```
//!
//! A session promises nothing: whenever it does not tell how a command ended, that command is run by `ExecSync`
//! instead, whose word is the last one. So what a container without a shell, a killed shell or a missing
//! program mean is decided in one place.

mod output;
mod pool;
mod script;
mod session;
mod stream;

#[cfg(test)]
mod loop_fixture;
#[cfg(test)]
mod loop_tests;

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gamewarden_api::quality::Outcome;
use tokio::{
    sync::Semaphore,
    time::{Instant, interval, sleep, timeout},
};

use self::{
    pool::{KEPT_IDLE, Pool, Way},
    session::{Lost, Ran, Session},
    stream::Stream,
};
use super::{
    Runtime,
    metrics::{Metrics, OpenedLabel},
    sync, words,
};
use crate::probe::Answer;

/// How long it may take until a shell has answered. It is no part of a probe's timeout.
const OPEN: Duration = Duration::from_secs(5);
/// How long a probe waits for its turn to open a session. Then it is run by `ExecSync`, and another time brings another turn.
const TURN: Duration = Duration::from_secs(30);
/// The exit codes with which a shell says that it could not start a program. Programs may have them, too.
const NOT_STARTED: [i32; 2] = [126, 127];

/// The sessions of this node. Clones share them. They end with the last one, and what runs in them, too.
#[derive(Clone)]
pub(super) struct Resident {
    pool: Arc<Mutex<Pool<Session<Stream>>>>,
    metrics: Metrics,
    /// How many sessions may be opened at once: half as many as there are processors, at least two. Each is a container exec, and a prober that
    /// has just started needs one in every container: all at once they would keep the whole node from its work for seconds, the
    /// renewal of the Lease included.
    opening: Arc<Semaphore>,
    /// It has been said that a session could not be opened. Mostly none can, then, and it stays so.
    said: Arc<AtomicBool>,
}

impl Resident {
    /// No sessions yet. Must be called where tokio runs.
    pub(super) fn new(metrics: Metrics) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let opening = Arc::new(Semaphore::new((processors / 2).max(2)));
        let resident = Self { pool: Arc::default(), metrics, opening, said: Arc::default() };
        tokio::spawn(sweep(Arc::downgrade(&resident.pool), resident.metrics.clone()));
        resident
    }

    /// Runs the command in the container with this id; none if that must be asked otherwise.
    pub(super) async fn probe(
        &self,
        runtime: &Runtime,
        id: &str,
        command: &[String],
        limit: Duration,
    ) -> Option<Answer> {
        if !script::fits(command) {
            return None;
        }
        let mut taken = self.take(id)?;
        let used = taken.session.take().and_then(|mut session| session.is_quiet().then_some(session));
        let mut session = match used {
            Some(session) => session,
            None => self.open(runtime, id).await?,
        };
        let mut ran = session.run(command, sleep(limit)).await;
        if matches!(ran, Err(Lost::Occupied)) {
            // It has not run the command. (Not ExecSync, which waits for daemons that keep their streams: the answer would be
            // another every second time.)
            tracing::debug!(
                container = id,
                "a session is closed: an earlier command has left something in it"
            );
            session = self.open(runtime, id).await?;
            ran = session.run(command, sleep(limit)).await;
        }
        let ran = match ran {
            Ok(ran) => ran,
            Err(lost) => {
                tracing::debug!(container = id, %lost, "a session is lost: its probe goes through ExecSync");
                self.lost(id);
                return None;
            }
        };
        taken.session = session.is_clean().then_some(session);
        match ran {
            Ran::Exited { code, .. } if NOT_STARTED.contains(&code) => None,
            Ran::Exited { code, stdout, stderr } => Some(Answer::of(words::exited(code, &stdout, &stderr))),
            Ran::TimedOut => Some(Answer::none_within(limit)),
            Ran::Stuck => {
                tracing::debug!(container = id, "a session is lost: its shell does not end a command");
                self.lost(id);
                Some(stuck(runtime, limit).await)
            }
        }
    }

    fn lost(&self, id: &str) {
        self.metrics.lost.inc();
        self.with_pool(|pool, now| pool.lost(id, now));
    }

    fn take(&self, id: &str) -> Option<Taken<'_>> {
        let session = match self.with_pool(|pool, now| pool.take(id, now)) {
            Way::Without => return None,
            Way::Open => None,
            Way::Session(session) => Some(session),
        };
        Some(Taken { resident: self, id: id.to_owned(), session })
    }

    async fn open(&self, runtime: &Runtime, id: &str) -> Option<Session<Stream>> {
        // The semaphore is never closed.
        let Ok(Ok(_turn)) = timeout(TURN, self.opening.acquire()).await else {
            tracing::debug!(container = id, "a session has to wait: others are being opened");
            return None;
        };
        let opened = match timeout(OPEN, open(runtime, id)).await {
            Ok(opened) => opened,
            Err(_) => Err(NoSession::Other(words::SILENT.to_owned())),
        };
        match opened {
            Ok(session) => {
                self.metrics.opened(OpenedLabel::Opened);
                return Some(session);
            }
            Err(NoSession::Shell) => {
                tracing::debug!(container = id, "no shell in this container: its probes go through ExecSync");
                self.metrics.opened(OpenedLabel::NoShell);
                self.with_pool(|pool, now| pool.no_shell(id, now));
            }
            Err(NoSession::Other(why)) => {
                if !self.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        container = id,
                        why,
                        "no session can be opened: such probes go through ExecSync"
                    );
                }
                tracing::debug!(container = id, why, "no session in this container for a while");
                self.metrics.opened(OpenedLabel::Failed);
                self.with_pool(|pool, now| pool.not_opened(id, now));
            }
        }
        None
    }

    fn with_pool<T>(&self, change: impl FnOnce(&mut Pool<Session<Stream>>, Instant) -> T) -> T {
        changed(&self.pool, &self.metrics, change)
    }
}

fn changed<T>(
    pool: &Mutex<Pool<Session<Stream>>>,
    metrics: &Metrics,
    change: impl FnOnce(&mut Pool<Session<Stream>>, Instant) -> T,
) -> T {
    let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
    let given = change(&mut pool, Instant::now());
    metrics.sessions.set(i64::try_from(pool.open()).unwrap_or(i64::MAX));
    given
}

/// What it means that a command had its time, and its shell says nothing more: it is the command's fault where the runtime
/// lives, through which the shell is heard.
async fn stuck(runtime: &Runtime, limit: Duration) -> Answer {
    if sync::alive(runtime, sync::ALIVE).await {
        Answer::none_within(limit)
    } else {
        Answer::of(Outcome::Unknown { reason: words::SILENT.to_owned() })
    }
}

/// Why there is no session.
enum NoSession {
    /// There is no shell for it.
    Shell,
    /// As people read it.
    Other(String),
}

async fn open(runtime: &Runtime, id: &str) -> Result<Session<Stream>, NoSession> {
    let stream = Stream::open(runtime, id, script::session()).await;
    let stream = stream.map_err(|error| NoSession::Other(error.to_string()))?;
    Session::open(stream, OPEN).await.map_err(|lost| match lost {
        Lost::NotBegun { end, said } if stream::is_no_shell(&end, &said) => NoSession::Shell,
        lost => NoSession::Other(lost.to_string()),
    })
}

/// What the pool has given. It is given back whatever becomes of the probe, also where nobody waits for that any
/// more: then a command may still run, and the session ends with it.
struct Taken<'a> {
    resident: &'a Resident,
    id: String,
    session: Option<Session<Stream>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let session = self.session.take();
        self.resident.with_pool(|pool, now| pool.give_back(&self.id, session, now));
    }
}

/// Closes sessions that are not needed any more, as long as anybody has the others.
async fn sweep(pool: Weak<Mutex<Pool<Session<Stream>>>>, metrics: Metrics) {
    let mut each = interval(KEPT_IDLE / 4);
    loop {
        each.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        // Closed outside of the lock.
        drop(changed(&pool, &metrics, Pool::sweep));
    }
}
