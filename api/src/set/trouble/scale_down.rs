//! Servers that are to go, and stay for now.

use super::{
    super::{Snapshot, roster::Roster},
    Kind, Trouble,
};
use crate::{
    names::{self, reason},
    removal::Phase,
    scale::ScalePlan,
};

/// Who holds a scale-down back: those that the API server does not let go; those in use, where they are protected; and those
/// that could not be asked whether they still are not.
pub(in super::super) fn scale_down(
    snapshot: &Snapshot<'_>,
    roster: &Roster<'_>,
    plan: &ScalePlan,
) -> Option<Trouble> {
    let name = |ordinal: u32| names::server_name(snapshot.name(), ordinal);
    let refusals = plan.remove.iter().filter_map(|leave| {
        let refusal = roster.members.get(&leave.ordinal)?.refusal.as_ref()?;
        Some((name(leave.ordinal), refusal.words.clone()))
    });
    let (refused, words): (Vec<String>, Vec<String>) = refusals.unzip();
    if !refused.is_empty() {
        return Some(Trouble {
            kind: Kind::ScaleDownPending,
            reason: reason::REFUSED,
            servers: refused,
            what: "to be removed, and the API server refuses it".into(),
            words: words.into_iter().next().unwrap_or_default(),
            advice: "it is tried again; look at the webhook or policy that says so",
        });
    }
    let kept: Vec<String> = plan.kept.iter().map(|leave| name(leave.ordinal)).collect();
    if !kept.is_empty() {
        return Some(Trouble {
            kind: Kind::ScaleDownPending,
            reason: reason::PROTECTED,
            servers: kept,
            what: "to be removed, and may be in use".into(),
            words: String::new(),
            advice: "they go when their opsState is WaitToBeDeleted or Kill; annotation gamewarden.dev/allow-removal: \
                     \"true\" on a GameServer lets it go before that",
        });
    }
    // Also while they are asked again: until they answer nothing has changed.
    let unanswered = |ordinal: &u32| {
        let claim = roster.members.get(ordinal).and_then(|member| member.claim.as_ref());
        claim.is_some_and(|claim| {
            claim.phase == Phase::Unanswered || (claim.tries > 0 && claim.phase == Phase::Claimed)
        })
    };
    let silent: Vec<String> =
        plan.remove.iter().map(|leave| leave.ordinal).filter(unanswered).map(name).collect();
    (!silent.is_empty()).then(|| Trouble {
        kind: Kind::ScaleDownPending,
        reason: reason::NO_ANSWER,
        servers: silent,
        what: "to be removed, and could not be asked whether that is still right".into(),
        words: String::new(),
        advice: "they are asked again; look at their probes and nodes, or set their opsState to Kill",
    })
}
