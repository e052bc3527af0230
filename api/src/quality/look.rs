//! The last look (design §4, I3): which qualities made a server removable, and whether an answer is another one than theirs.

use super::{Input, Outcome, ProbeSettings, Verdict, decide, merge::is_ours, record::Record};
use crate::{
    GameServer,
    quality::Decision,
    removal::Look,
    types::{OpsState, ServiceQuality},
};

/// The qualities that made the server removable, and how long to wait for their answers. None where a person did, where
/// nobody did (None), or where it is to be killed.
///
/// A permanent quality has said its last word: what it finds now would fire nothing.
#[must_use]
pub fn made_removable_by(qualities: &[ServiceQuality], server: &GameServer, pod_uid: &str) -> Look {
    let record = Record::of(server, pod_uid);
    let state = server.spec.ops_state.clone().unwrap_or_default();
    if state != OpsState::WaitToBeDeleted || !is_ours(&state, record.wrote.as_ref()) {
        return Look::default();
    }
    let said = |quality: &&ServiceQuality| {
        let held = record.qualities.get(&quality.name);
        held.is_some_and(|held| held.opinion.as_ref() == Some(&state) && !(quality.permanent && held.fired))
    };
    let asked: Vec<&ServiceQuality> = qualities.iter().filter(said).collect();
    let timeouts = asked.iter().map(|quality| ProbeSettings::of(quality).timeout);
    Look {
        qualities: asked.iter().map(|quality| quality.name.clone()).collect(),
        timeout: timeouts.max().and_then(|longest| longest.try_into().ok()).unwrap_or_default(),
    }
}

/// What the last look at one quality has found.
#[derive(Clone, Debug, PartialEq)]
pub enum Looked {
    /// The answer that the decision was made on.
    Same,
    /// Another one: the verdict it is, to be written as such.
    Differs(Box<Decision>),
    /// Nobody could be asked; why.
    NoAnswer(String),
}

/// Holds what came of the last look against what the server's record says. One answer counts, whatever the thresholds.
///
/// An answer that is the same but for a text that changes nothing is the same.
#[must_use]
pub fn looked(
    qualities: &[ServiceQuality],
    quality: &str,
    outcome: Outcome,
    server: &GameServer,
    pod_uid: &str,
    now: jiff::Timestamp,
) -> Looked {
    let verdict = match Verdict::from(outcome) {
        Verdict::Unknown { reason } => return Looked::NoAnswer(reason),
        verdict => verdict,
    };
    let answer = matches!(verdict, Verdict::True { .. });
    let held = Record::of(server, pod_uid).qualities.get(quality).and_then(|held| held.state);
    match decide(&Input { qualities, quality, verdict: &verdict, server, pod_uid, now }) {
        Some(decision) if decision.ops_state.is_some() || held != Some(answer) => {
            Looked::Differs(Box::new(decision))
        }
        // Without a decision the record holds it already.
        _ if held == Some(answer) => Looked::Same,
        _ => Looked::NoAnswer(format!("the set has no quality {quality} any more")),
    }
}
