//! A change of a set's size, or of the ordinals it may use: who goes and who stays. In managed mode that is told, and the
//! controller keeps who is protected. In external mode somebody else removes servers, who knows no protection: what would
//! need a protected one is refused.

use serde_json::Value;

use super::{
    cache::Cache,
    decide::{Verdict, View, named},
    kept::KeptSet,
    preview,
    request::{Asked, Target},
    say::{List, Named, Refusal, lost},
};
use crate::{
    admission::Mode,
    removal::Protection,
    scale::{Leave, ScalePlan},
};

pub(super) fn changed(asked: &Asked<'_>, view: &View<'_>) -> Verdict {
    let (Some(old), Some(new)) = (asked.old, asked.new) else { return Verdict::pass() };
    let kept = view.cache.sets.get(asked.namespace, asked.name());
    let (old, new) = match asked.target {
        Target::Set => (KeptSet::read(old), KeptSet::read(new)),
        // A Scale says nothing but the number.
        _ => match kept {
            Some(set) => (set.with(replicas(old)), set.with(replicas(new))),
            None if view.is_clear() || replicas(new) >= replicas(old) => return Verdict::pass(),
            None => return Verdict { warnings: vec![unseen(view)], ..Verdict::unguarded() },
        },
    };
    if old.going {
        return Verdict::pass();
    }
    // Reserved ordinals that are another list need not take anybody; who goes says the plan.
    let shrinks = new.replicas < old.replicas || new.reserved != old.reserved;
    // Without its protection a set may go on with what was held back.
    let lifted = new.protection != old.protection || new.allows != old.allows;
    if !shrinks && (!lifted || !view.is_clear()) {
        return Verdict::pass();
    }
    let is_held =
        shrinks && view.rules.mode == Mode::External && new.protection == Protection::Strict && !new.allows;
    if !view.is_clear() {
        return match is_held {
            true => Verdict::refuse(Refusal::Blind {
                what: format!("the servers that set {} would lose", asked.name()),
                why: "It is Strict (gamewarden.dev/protection)".to_owned(),
                sight: view.sight,
                evicted: false,
            }),
            false => Verdict { warnings: vec![unseen(view)], ..Verdict::pass() },
        };
    }
    let plan = view.plan(asked.namespace, asked.name(), &new);
    if is_held {
        let before = view.plan(asked.namespace, asked.name(), &old);
        if let Some(refusal) = would_lose(asked, view, [&old, &new], [&before, &plan]) {
            return Verdict::refuse(refusal);
        }
    }
    let warnings = preview::warnings(&plan, asked.name(), &view.cache.servers, asked.namespace, &new);
    Verdict { warnings, ..Verdict::pass() }
}

/// Protected servers that the change would take and that are not to go already.
fn would_lose(
    asked: &Asked<'_>,
    view: &View<'_>,
    [old, new]: [&KeptSet; 2],
    [before, plan]: [&ScalePlan; 2],
) -> Option<Refusal> {
    let is_new = |leave: &&Leave| !before.kept.iter().any(|kept| kept.ordinal == leave.ordinal);
    let name = |leave: &Leave| Cache::name(asked.name(), leave.ordinal);
    let servers: Vec<Named> = plan
        .kept
        .iter()
        .filter(is_new)
        .map(|leave| (name(leave), view.cache.servers.get(asked.namespace, &name(leave))))
        .map(|(name, server)| named(&name, server))
        .collect();
    if servers.is_empty() {
        return None;
    }
    let least = i64::from(new.replicas.max(0)) + i64::try_from(plan.kept.len()).unwrap_or(i64::MAX);
    let instead = match least < i64::from(old.replicas) {
        true => format!("now it can shrink to {least}"),
        false => "now it cannot shrink".to_owned(),
    };
    Some(Refusal::WouldLose {
        instead,
        servers: List(servers),
        set: asked.name().to_owned(),
        namespace: asked.namespace.to_owned(),
    })
}

/// What is said where nothing can be.
fn unseen(view: &View<'_>) -> String {
    format!("who goes cannot be told now: {}", lost(&view.sight))
}

/// `spec.replicas`; none is none.
fn replicas(scale: &Value) -> i32 {
    let replicas = scale["spec"]["replicas"].as_i64().unwrap_or_default();
    i32::try_from(replicas).unwrap_or(i32::MAX)
}

impl KeptSet {
    fn with(&self, replicas: i32) -> Self {
        Self { replicas, ..self.clone() }
    }
}
