//! What stands in the spec and cannot be done, and pods that stand in the set's way.

use super::{
    super::{Snapshot, plan::Problem, roster::Roster},
    Kind, NAMED, Trouble,
};
use crate::names::reason;

/// What to do about a pod that has the name of a server.
pub(super) const NAME_ADVICE: &str = "delete that pod, or reserve its ordinal in spec.reserveGameServerIds";

/// Pods that hold one of the set's names, or belong to it without a server's name. Those that go by themselves are
/// only waited for.
pub(in super::super) fn conflicts(roster: &Roster<'_>) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let mut held: Vec<_> =
        roster.foreign.iter().filter(|f| !f.going).filter_map(|f| Some((f.ordinal?, f))).collect();
    held.sort_by_key(|(ordinal, _)| *ordinal);
    if let Some((_, first)) = held.first() {
        let owner = first.controller.map_or("nobody".to_owned(), |c| format!("{} {}", c.kind, c.name));
        troubles.push(Trouble {
            kind: Kind::NameConflict,
            reason: reason::NAME_CONFLICT,
            servers: held.iter().filter_map(|(_, f)| f.pod.metadata.name.clone()).collect(),
            what: "a pod that is not the set's has the name of a server".into(),
            words: format!("it belongs to {owner}"),
            advice: NAME_ADVICE,
        });
    }
    if !roster.misnamed.is_empty() {
        let mut names: Vec<String> = roster.misnamed.iter().filter_map(|p| p.metadata.name.clone()).collect();
        names.sort();
        troubles.push(Trouble {
            kind: Kind::NameConflict,
            reason: reason::NAME_CONFLICT,
            servers: names,
            what: "a pod belongs to the set, but no server has its name".into(),
            words: String::new(),
            advice: "it is left alone: delete it",
        });
    }
    troubles
}

/// Fields that cannot be used as written.
pub(in super::super) fn invalid(problems: &[Problem]) -> Option<Trouble> {
    if problems.is_empty() {
        return None;
    }
    let said: Vec<String> = problems.iter().take(NAMED).map(Problem::to_string).collect();
    let more = match problems.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Some(Trouble {
        kind: Kind::InvalidSpec,
        reason: reason::INVALID_SPEC,
        servers: Vec::new(),
        what: format!("{}{more}", said.join("; ")),
        words: String::new(),
        advice: "what is wrong there is left out of account until it is corrected",
    })
}

/// Pods that keep an old template because they may not be made again.
pub(in super::super) fn held_back() -> Trouble {
    Trouble {
        kind: Kind::UpdateHeldBack,
        reason: reason::UPDATE_HELD_BACK,
        servers: Vec::new(),
        what: "podUpdatePolicy InPlaceOnly: pods with the old template stay, because they may not be made again and \
               updates in place are not supported yet"
            .into(),
        words: String::new(),
        advice: "use ReCreate, or delete them one by one",
    }
}

/// A network plugin is asked for, and there is none here.
pub(in super::super) fn network(snapshot: &Snapshot<'_>) -> Option<Trouble> {
    let type_ = snapshot.set.spec.network.as_ref()?.network_type.as_deref().filter(|t| !t.is_empty())?;
    Some(Trouble {
        kind: Kind::NetworkUnsupported,
        reason: reason::MANAGED_MODE,
        servers: Vec::new(),
        what: format!(
            "spec.network has no effect: the network plugin {type_} is OpenKruiseGame's, which does not run this set"
        ),
        words: String::new(),
        advice: "use a Service (select by statefulset.kubernetes.io/pod-name), hostPort or hostNetwork, or install \
                 Gamewarden in external mode",
    })
}
