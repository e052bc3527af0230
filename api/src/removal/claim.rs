//! The annotation of a GameServer that is to be removed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::step::LOOK_LASTS;
use crate::{GameServer, names};

/// Version of the format, for later builds.
const VERSION: u32 = 1;

/// How far a removal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Whoever probes the server is to look once more.
    Claimed,
    /// The look found what the decision was made on, or there was nothing to look at.
    Looked,
    /// It goes: the DELETE of its pod follows at once.
    Committed,
    /// The look got no answer: another try comes after a while.
    Unanswered,
}

/// A removal under way, as the annotation [`names::REMOVAL`] has it. Compact JSON, read leniently.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    #[serde(rename = "v", default)]
    pub(super) version: u32,
    /// Its name: another for each claim.
    pub id: String,
    /// The pod that is to go.
    pub pod: String,
    /// How far it is.
    pub phase: Phase,
    /// When that began, by the clock of the controller that wrote it. Whoever looks keeps it: no time of theirs is in here.
    pub since: Timestamp,
    /// The spec's generation that it was decided on.
    #[serde(default)]
    pub generation: Option<i64>,
    /// The qualities that are to be asked once more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub look: Vec<String>,
    /// When their answer is due, by the same clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// How many milliseconds the look took, as whoever looked has measured it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub took: u32,
    /// Times that it was given up for a while before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Claims in a row before this one whose look has come to nothing, since it was last given up for a while.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub again: u32,
    /// The ordinal is to be reserved, or has been for this removal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reserves: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Claim {
    /// A claim on the server's pod, decided on the server as it was read. `None` where it was not read from the API.
    #[must_use]
    pub fn on(server: &GameServer, pod_uid: &str, now: Timestamp) -> Option<Self> {
        // A version is written upon once.
        let version = server.metadata.resource_version.as_ref()?;
        Some(Self {
            version: VERSION,
            id: format!("{pod_uid}/{version}"),
            pod: pod_uid.to_owned(),
            phase: Phase::Looked,
            since: now,
            generation: server.metadata.generation,
            look: Vec::new(),
            due: None,
            took: 0,
            tries: 0,
            again: 0,
            reserves: false,
        })
    }

    /// That of the server, if it is about this pod.
    #[must_use]
    pub fn of(server: &GameServer, pod_uid: &str) -> Option<Self> {
        Self::any(server).filter(|claim| claim.pod == pod_uid)
    }

    /// That of the server, whichever pod it is about. One that cannot be read counts as none: whoever wrote it finds it
    /// overwritten.
    #[must_use]
    pub fn any(server: &GameServer) -> Option<Self> {
        Self::written(server.metadata.annotations.as_ref())
    }

    /// That of a server with these annotations.
    #[must_use]
    pub(crate) fn written(annotations: Option<&BTreeMap<String, String>>) -> Option<Self> {
        serde_json::from_str(annotations?.get(names::REMOVAL)?).ok()
    }

    /// Whether it can still be given back by who looks.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Claimed | Phase::Looked)
    }

    /// As the annotation has it. `None` only if it cannot be written as JSON, which does not happen.
    pub(super) fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// How long after the claim its look may have ended. What it took is measured by somebody else: no more of it counts
    /// than was given.
    fn looked_for(&self) -> SignedDuration {
        let given = self.due.map_or(SignedDuration::ZERO, |due| due.duration_since(self.since));
        SignedDuration::from_millis(self.took.into()).min(given).max(SignedDuration::ZERO)
    }

    /// Until when what the look has found is good enough to commit on. As nobody compares clocks, it is as old as it may be:
    /// as if the look had begun when it was asked for.
    #[must_use]
    pub fn looked_until(&self) -> Timestamp {
        self.since.checked_add(self.looked_for() + LOOK_LASTS).unwrap_or(Timestamp::MAX)
    }

    /// The same after a look that took so long.
    #[must_use]
    pub(super) fn looked(&self, took: SignedDuration) -> Self {
        let took = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        Self { phase: Phase::Looked, took, ..self.clone() }
    }

    /// The same, one step on.
    #[must_use]
    pub fn turned(&self, phase: Phase, now: Timestamp) -> Self {
        Self { phase, since: now, ..self.clone() }
    }
}
