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
    let to_go = plan.remove.iter().filter_map(|leave| roster.members.get(&leave.ordinal));
    // Their hooks have let go of them.
    let released = roster.members.values().filter(|member| member.pre_delete && !member.terminating);
    let refusals = to_go
        .chain(released)
        .filter_map(|member| Some((name(member.ordinal), member.refusal.as_ref()?.words.clone())));
    let (refused, words): (Vec<String>, Vec<String>) = refusals.unzip();
    // Also while they are asked again: until they answer nothing has changed.
    let unanswered = |ordinal: &u32| {
        let claim = roster.members.get(ordinal).and_then(|member| member.claim.as_ref());
        claim.is_some_and(|claim| {
            claim.phase == Phase::Unanswered || (claim.tries > 0 && claim.phase == Phase::Claimed)
        })
    };
    let silent = plan.remove.iter().map(|leave| leave.ordinal).filter(unanswered).map(name);
    let silent: Vec<String> = silent.filter(|server| !refused.contains(server)).collect();
    let kept: Vec<String> = plan.kept.iter().map(|leave| name(leave.ordinal)).collect();
    let trouble = |reason, servers, what: &str, advice| Trouble {
        kind: Kind::ScaleDownPending,
        reason,
        servers,
        what: what.to_owned(),
        words: String::new(),
        advice,
    };
    let refused = Trouble {
        words: words.into_iter().next().unwrap_or_default(),
        ..trouble(
            reason::REFUSED,
            refused,
            "to be removed, and the API server refuses it",
            "it is tried again; look at the webhook or policy that says so",
        )
    };
    let kept = trouble(
        reason::PROTECTED,
        kept,
        "to be removed, and may be in use",
        "they go when their opsState is WaitToBeDeleted or Kill; annotation gamewarden.dev/allow-removal: \"true\" on a \
         GameServer lets it go before that",
    );
    let silent = trouble(
        reason::NO_ANSWER,
        silent,
        "to be removed, and could not be asked whether that is still right",
        "they are asked again; look at their probes and nodes, or set their opsState to Kill",
    );
    let mut all = [refused, kept, silent].into_iter().filter(|trouble| !trouble.servers.is_empty());
    let mut first = all.next()?;
    // One condition names all who hold it back, with the reason of the first.
    let others: Vec<String> = all.map(|other| other.headline()).collect();
    if !others.is_empty() {
        first.what.push_str(&format!(" ({})", others.join("; ")));
    }
    Some(first)
}
