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
    let held = |quality: &&ServiceQuality| {
        record.qualities.get(&quality.name).filter(|held| held.opinion.as_ref() == Some(&state))
    };
    let said: Vec<&ServiceQuality> = qualities.iter().filter(|quality| held(quality).is_some()).collect();
    // It was said of an earlier pod, or by a quality that is gone: whoever can say something of this one is asked. No
    // answer of theirs is the one that was decided on.
    let asked: Vec<&ServiceQuality> = match said.is_empty() {
        true => qualities.iter().filter(|quality| !quality.permanent && says_something(quality)).collect(),
        false => said
            .into_iter()
            .filter(|quality| !(quality.permanent && held(quality).is_some_and(|held| held.fired)))
            .collect(),
    };
    let timeouts = asked.iter().map(|quality| ProbeSettings::of(quality).timeout);
    Look {
        qualities: asked.iter().map(|quality| quality.name.clone()).collect(),
        timeout: timeouts.max().and_then(|longest| longest.try_into().ok()).unwrap_or_default(),
    }
}

/// Whether one of its actions names an opsState.
fn says_something(quality: &ServiceQuality) -> bool {
    quality.service_quality_action.iter().any(|action| action.ops_state.is_some())
}

/// What came of a probe at the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The outcome, as any probe has one.
    pub outcome: Outcome,
    /// It is a failure only because nothing came within the timeout.
    pub timed_out: bool,
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
/// An answer that is the same but for a text that changes nothing is the same. A timeout may keep a server, and never lets
/// one go: where it would be the same answer, it is none (I5).
#[must_use]
pub fn looked(
    qualities: &[ServiceQuality],
    quality: &str,
    reply: Reply,
    server: &GameServer,
    pod_uid: &str,
    now: jiff::Timestamp,
) -> Looked {
    let held = Record::of(server, pod_uid).qualities.get(quality).and_then(|held| held.state);
    let verdict = match Verdict::from(reply.outcome) {
        Verdict::Unknown { reason } => return Looked::NoAnswer(reason),
        Verdict::False { result } if reply.timed_out && held == Some(false) => {
            return Looked::NoAnswer(result);
        }
        verdict => verdict,
    };
    let answer = matches!(verdict, Verdict::True { .. });
    match decide(&Input {
        qualities,
        quality,
        verdict: &verdict,
        server,
        pod_uid,
        now,
        owes_containers: false,
    }) {
        Some(decision) if decision.ops_state.is_some() || held != Some(answer) => {
            Looked::Differs(Box::new(decision))
        }
        // Without a decision the record holds it already.
        _ if held == Some(answer) => Looked::Same,
        _ => Looked::NoAnswer(format!("the set has no quality {quality} any more")),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{World, no, qualities, yes},
        *,
    };

    /// Idle where it says yes, and one that is idle where it says no.
    fn world(idle_when: bool) -> World {
        let in_use = if idle_when { "None" } else { "WaitToBeDeleted" };
        let idle = if idle_when { "WaitToBeDeleted" } else { "None" };
        World::new(qualities(&format!(
            "[{{name: idle, permanent: false, exec: {{command: [idle]}}, serviceQualityAction: [
              {{state: true, opsState: {idle}}}, {{state: false, opsState: {in_use}}}]}}]"
        )))
    }

    #[test]
    fn a_timeout_keeps_a_server_and_never_lets_one_go() {
        let reply = |outcome, timed_out| Reply { outcome, timed_out };
        let said = |result: &str| Outcome::Failure { result: result.into() };
        let success = || Outcome::Success { result: String::new() };
        let unknown = || Outcome::Unknown { reason: "no route".into() };
        for (idle_when, reply, expected) in [
            (true, reply(success(), false), "same"),
            (true, reply(said("1 player"), false), "differs"),
            (true, reply(said("timed out"), true), "differs"),
            (true, reply(unknown(), false), "no route"),
            (false, reply(said("0 players"), false), "same"),
            (false, reply(said("timed out"), true), "timed out"),
            (false, reply(success(), false), "differs"),
            (false, reply(unknown(), false), "no route"),
        ] {
            let mut world = world(idle_when);
            world.say("idle", &if idle_when { yes("") } else { no("") });
            assert_eq!(world.server.spec.ops_state, Some(OpsState::WaitToBeDeleted));
            let found =
                looked(&world.qualities, "idle", reply.clone(), &world.server, &world.pod, world.now());
            let found = match found {
                Looked::Same => "same".to_owned(),
                Looked::Differs(_) => "differs".to_owned(),
                Looked::NoAnswer(why) => why,
            };
            assert_eq!(found, expected, "idle when {idle_when}: {reply:?}");
        }
    }
}
