//! Which session runs a command next: those that are there are used again, one more is opened while all of a
//! container's are busy, and what is not needed is closed.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// How many sessions a container has at most. Each is three processes in it. What comes beyond that goes through
/// `ExecSync`, so that no quality waits for another.
const MOST: usize = 4;
/// How long a session that is not needed is kept.
pub(super) const KEPT_IDLE: Duration = Duration::from_secs(120);
/// How long a container that is not asked is remembered: it may be gone, or be asked seldom.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// How long a container in which no session could be opened is not asked for one again.
const AGAIN: Duration = Duration::from_secs(60);
/// How many losses in a row lengthen that. A command whose session is lost runs twice, and costs more than without.
const MOST_LOSSES: u32 = 5;
/// After how long without a loss those before are forgotten.
const FORGIVEN: Duration = Duration::from_secs(600);

/// The sessions of all containers.
#[derive(Debug)]
pub(super) struct Pool<S> {
    containers: HashMap<String, Sessions<S>>,
    open: usize,
}

#[derive(Debug)]
struct Sessions<S> {
    /// Each with the time since when, the latest last.
    idle: Vec<(S, Instant)>,
    busy: usize,
    closed: Option<Closed>,
    /// How many sessions were lost under a command, and when the last one was.
    losses: Option<(u32, Instant)>,
    used: Instant,
}

/// Why a container gets no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    /// For good.
    NoShell,
    /// It did not work; not before this.
    Until(Instant),
}

/// How the next command is run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way<S> {
    /// In this session.
    Session(S),
    /// In one that is to be opened.
    Open,
    /// In none.
    Without,
}

impl<S> Default for Pool<S> {
    fn default() -> Self {
        Self { containers: HashMap::new(), open: 0 }
    }
}

impl<S> Pool<S> {
    /// How the next command is run in this container. What it says is to be given back, unless it is
    /// [`Way::Without`].
    pub(super) fn take(&mut self, id: &str, now: Instant) -> Way<S> {
        let sessions = self.sessions(id, now);
        match sessions.closed {
            Some(Closed::NoShell) => return Way::Without,
            Some(Closed::Until(then)) if now < then => return Way::Without,
            _ => {}
        }
        if sessions.busy >= MOST {
            return Way::Without;
        }
        sessions.busy += 1;
        // The one that was used last: the others get old.
        match sessions.idle.pop() {
            Some((session, _)) => Way::Session(session),
            None => {
                self.open += 1;
                Way::Open
            }
        }
    }

    /// A command has ended; its session is there to be used again, or not.
    pub(super) fn give_back(&mut self, id: &str, session: Option<S>, now: Instant) {
        let sessions = self.sessions(id, now);
        sessions.busy = sessions.busy.saturating_sub(1);
        match session {
            Some(session) => sessions.idle.push((session, now)),
            None => self.open = self.open.saturating_sub(1),
        }
    }

    /// There is no shell in this container.
    pub(super) fn no_shell(&mut self, id: &str, now: Instant) {
        self.sessions(id, now).closed = Some(Closed::NoShell);
    }

    /// No session could be opened in this container, for whatever other reason.
    pub(super) fn not_opened(&mut self, id: &str, now: Instant) {
        let sessions = self.sessions(id, now);
        if sessions.closed != Some(Closed::NoShell) {
            sessions.closed = Some(Closed::Until(now + AGAIN));
        }
    }

    /// A session was lost under a command. One may be anybody's doing; where there are more, it is the container's (a script
    /// that kills its process group, say), and it gets none for a while, for longer with each.
    pub(super) fn lost(&mut self, id: &str, now: Instant) {
        let sessions = self.sessions(id, now);
        let before = sessions.losses.filter(|(_, last)| now.duration_since(*last) <= FORGIVEN);
        let losses = before.map_or(0, |(losses, _)| losses).saturating_add(1);
        sessions.losses = Some((losses, now));
        if losses > 1 && sessions.closed != Some(Closed::NoShell) {
            sessions.closed = Some(Closed::Until(now + AGAIN * (losses - 1).min(MOST_LOSSES)));
        }
    }

    /// Gives the sessions that are not needed any more, and forgets containers that nobody asks.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<S> {
        let mut old = Vec::new();
        for sessions in self.containers.values_mut() {
            let fresh = sessions.idle.partition_point(|(_, since)| now.duration_since(*since) > KEPT_IDLE);
            old.extend(sessions.idle.drain(..fresh).map(|(session, _)| session));
        }
        self.containers.retain(|_, sessions| {
            sessions.busy > 0 || !sessions.idle.is_empty() || now.duration_since(sessions.used) <= FORGOTTEN
        });
        self.open = self.open.saturating_sub(old.len());
        old
    }

    /// How many sessions are open, or are being opened.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    fn sessions(&mut self, id: &str, now: Instant) -> &mut Sessions<S> {
        let new = || Sessions { idle: Vec::new(), busy: 0, closed: None, losses: None, used: now };
        let sessions = self.containers.entry(id.to_owned()).or_insert_with(new);
        sessions.used = now;
        sessions
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
