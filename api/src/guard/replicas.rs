//! A change of a set's size, or of the ordinals it may use: who goes and who stays. In managed mode that is told, and the
//! controller keeps who is protected. In external mode somebody else removes servers, who knows no protection: see
//! `external`.

use serde_json::Value;

use super::{
    decide::{Verdict, View},
    external,
    kept::KeptSet,
    preview,
    request::{Asked, Target},
    say::{Refusal, lost},
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
    let is_held = shrinks && view.is_external() && new.holds();
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
    if is_held && let Some(refusal) = external::would_lose(asked, view, &old, &new, &plan) {
        return Verdict::refuse(refusal);
    }
    let warnings = preview::warnings(&plan, asked.name(), &view.cache.servers, asked.namespace, &new);
    Verdict { warnings, ..Verdict::pass() }
}

/// What is said where nothing can be.
fn unseen(view: &View<'_>) -> String {
    format!("who goes cannot be told now: {}", lost(&view.sight))
}

/// `spec.replicas`; none is none.
pub(super) fn replicas(scale: &Value) -> i32 {
    let replicas = scale["spec"]["replicas"].as_i64().unwrap_or_default();
    i32::try_from(replicas).unwrap_or(i32::MAX)
}
