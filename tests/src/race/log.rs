//! What is written down while a race runs: by the players, by those who scale and disturb, and by the watches.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use gamewarden_api::removal::{Claim, Phase};
use jiff::Timestamp;

/// Something that happened. `pod` is a pod's uid, `stay` the number of a player's visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A pod is there.
    Made {
        /// Its set.
        set: String,
        /// Its name.
        server: String,
        /// The pod.
        pod: String,
    },
    /// The opsState of the pod's server is this from now on.
    State {
        /// The pod.
        pod: String,
        /// The opsState.
        state: String,
    },
    /// The removal of the pod's server is this far.
    Claim(ClaimSeen),
    /// The claim is gone from the server, which stays.
    Released {
        /// The pod.
        pod: String,
        /// How far the removal was.
        phase: Phase,
    },
    /// A commit was withdrawn from the pod.
    Withdrawn {
        /// The pod.
        pod: String,
    },
    /// The pod's DELETE is seen.
    Deleted {
        /// The pod.
        pod: String,
        /// When it must have been, at the latest, by what the pod says: a watch that was cut off shows it later.
        by: Option<Timestamp>,
    },
    /// A player connects.
    Enters {
        /// The visit.
        stay: u64,
        /// The pod.
        pod: String,
    },
    /// The server has said welcome.
    Joined {
        /// The visit.
        stay: u64,
        /// The pod.
        pod: String,
    },
    /// The player could not connect, or got no welcome.
    TurnedAway {
        /// The visit.
        stay: u64,
        /// The pod.
        pod: String,
    },
    /// The connection has ended.
    Left {
        /// The visit.
        stay: u64,
        /// The pod.
        pod: String,
        /// Whether the server ended it.
        thrown_out: bool,
    },
    /// Somebody has scaled a set.
    Scaled {
        /// The set.
        set: String,
        /// The new number.
        replicas: u32,
    },
    /// Something was done to the controllers or to the API server.
    Disturbed(Disturbance),
}

/// A claim as the watch showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimSeen {
    /// The pod.
    pub pod: String,
    /// The claim's name.
    pub id: String,
    /// How far it was.
    pub phase: Phase,
    /// Since when, by the controller's or prober's clock, which is this machine's.
    pub since: Timestamp,
    /// When the look's answer is due; none where there is nothing to look at.
    pub due: Option<Timestamp>,
}

impl ClaimSeen {
    /// What the annotation says.
    #[must_use]
    pub fn of(claim: Claim) -> Self {
        let Claim { pod, id, phase, since, due, .. } = claim;
        Self { pod, id, phase, since, due }
    }
}

/// What may be done to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// SIGKILL to the leader.
    LeaderKilled,
    /// SIGSTOP to the leader.
    LeaderStopped,
    /// SIGCONT to the leader that was, once another leads.
    LeaderGoesOn,
    /// The API server is to be killed and started again.
    ApiServerEnds,
    /// It answers again.
    ApiServerAnswers,
}

impl What {
    /// The pod that it is about.
    #[must_use]
    pub fn pod(&self) -> Option<&str> {
        match self {
            Self::Made { pod, .. }
            | Self::State { pod, .. }
            | Self::Claim(ClaimSeen { pod, .. })
            | Self::Released { pod, .. }
            | Self::Withdrawn { pod }
            | Self::Deleted { pod, .. }
            | Self::Enters { pod, .. }
            | Self::Joined { pod, .. }
            | Self::TurnedAway { pod, .. }
            | Self::Left { pod, .. } => Some(pod),
            Self::Scaled { .. } | Self::Disturbed(_) => None,
        }
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When this machine noticed it.
    pub at: Timestamp,
    /// What it was.
    pub what: What,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} {:?}", self.at, self.what)
    }
}

/// The log, for many hands.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Entry>>>);

impl Log {
    /// Writes a line, with the time.
    pub(super) fn note(&self, what: What) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that the lines are in the order of their times.
        entries.push(Entry { at: Timestamp::now(), what });
    }

    /// How many lines are of this kind.
    pub(super) fn count(&self, kind: impl Fn(&What) -> bool) -> usize {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|entry| kind(&entry.what)).count()
    }

    /// All lines so far.
    #[must_use]
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
