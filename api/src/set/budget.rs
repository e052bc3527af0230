//! The PodDisruptionBudget that keeps drains from servers in use, with the webhook or without it (design §4).
//!
//! It covers the pods that carry [`names::GUARDED`], and lets none of them be evicted: a drain waits, and goes on by itself
//! when players have left and the label is off. Its minAvailable is a number above any set's size, for percentages and
//! maxUnavailable count from spec.replicas, which a shrink that is still pending has lowered.
//!
//! A pod that two budgets cover cannot be evicted at all, with an error that nobody understands. So where a budget of
//! somebody's own covers the set's pods, there is none of ours, and the set says so.

use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::{Selector, SelectorExt};
use serde_json::{Value, json};

use super::{
    Snapshot,
    roster::{Roster, label},
    trouble::{Kind, Trouble},
};
use crate::{
    names::{self, reason},
    server::{ServerRef, controller, owner_reference},
};

/// More than any set has servers.
const MIN_AVAILABLE: i32 = 100_000_000;

/// What to do about the set's budget.
#[derive(Clone, Debug, PartialEq)]
pub enum Budget {
    /// Make it.
    Create(Value),
    /// Bring it back to what it should be: a merge patch with uid and resourceVersion.
    Patch(String, Value),
    /// Delete it.
    Delete(ServerRef),
}

/// The set's budget, and what stands in its way.
pub(super) fn budget(snapshot: &Snapshot<'_>, roster: &Roster<'_>) -> (Option<Budget>, Option<Trouble>) {
    // One that has lost its owner (the set was deleted and its servers were not) is the set's again.
    let is_ours = |budget: &&&PodDisruptionBudget| match controller(&budget.metadata) {
        Some(owner) => owner.uid == snapshot.uid(),
        None => {
            budget.metadata.name.as_ref() == Some(&name_of(snapshot))
                && label(&budget.metadata, names::OWNER_GSS) == Some(snapshot.name())
        }
    };
    let ours = snapshot.budgets.iter().find(is_ours).filter(|b| b.metadata.deletion_timestamp.is_none());
    let delete = || ours.map(|budget| Budget::Delete(ServerRef::of(&budget.metadata)));
    if !snapshot.is_strict() {
        return (delete(), None);
    }
    let other = snapshot.budgets.iter().filter(|b| !is_ours(b)).find(|b| covers(b, snapshot, roster));
    if let Some(other) = other {
        let name = other.metadata.name.as_deref().unwrap_or_default();
        let trouble = Trouble {
            kind: Kind::BudgetConflict,
            reason: reason::OTHER_BUDGET,
            servers: Vec::new(),
            what: format!("without the webhook, evictions follow the PodDisruptionBudget {name}"),
            words: String::new(),
            advice: "delete that budget, or let it select other pods: there can be one for each pod",
        };
        return (delete(), Some(trouble));
    }
    let spec = json!({
        "minAvailable": MIN_AVAILABLE,
        "selector": {"matchLabels": {names::OWNER_GSS: snapshot.name(), names::GUARDED: "true"}},
    });
    let Some(ours) = ours else { return (Some(Budget::Create(new(snapshot, &spec))), None) };
    let same = serde_json::to_value(&ours.spec).is_ok_and(|now| {
        now["minAvailable"] == spec["minAvailable"]
            && now["selector"] == spec["selector"]
            && now["maxUnavailable"].is_null()
            && controller(&ours.metadata).is_some()
    });
    let patch = || {
        let mut spec = spec.clone();
        spec["maxUnavailable"] = Value::Null;
        // A list or map that is to go must be named.
        spec["selector"]["matchExpressions"] = Value::Null;
        let metadata = json!({
            "uid": ours.metadata.uid, "resourceVersion": ours.metadata.resource_version,
            "ownerReferences": [owner_reference(snapshot.set)],
        });
        let name = ours.metadata.name.clone().unwrap_or_default();
        Budget::Patch(name, json!({"metadata": metadata, "spec": spec}))
    };
    ((!same).then(patch), None)
}

/// Its name: that of the set would be taken by people's own.
fn name_of(snapshot: &Snapshot<'_>) -> String {
    format!("{}-protection", snapshot.name())
}

fn new(snapshot: &Snapshot<'_>, spec: &Value) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {
            "name": name_of(snapshot),
            "namespace": snapshot.set.metadata.namespace,
            "labels": {names::OWNER_GSS: snapshot.name()},
            "ownerReferences": [owner_reference(snapshot.set)],
        },
        "spec": spec,
    })
}

/// Whether a budget covers a pod of the set, or one that would be made now.
fn covers(budget: &PodDisruptionBudget, snapshot: &Snapshot<'_>, roster: &Roster<'_>) -> bool {
    // policy/v1: without a selector no pod, with an empty one all of them.
    let Some(selector) = budget.spec.as_ref().and_then(|spec| spec.selector.clone()) else { return false };
    let Ok(selector) = Selector::try_from(selector) else { return false };
    let mut made: BTreeMap<String, String> =
        snapshot.set.spec.game_server_template.labels().into_iter().collect();
    made.insert(names::OWNER_GSS.to_owned(), snapshot.name().to_owned());
    let none = BTreeMap::new();
    let pods = roster.members.values().map(|member| member.pod.metadata.labels.as_ref().unwrap_or(&none));
    std::iter::once(&made).chain(pods).any(|labels| selector.matches(labels))
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{Cluster, owner},
        *,
    };

    fn strict() -> Cluster {
        let mut cluster = Cluster::new(1, "0").with(0, "None");
        cluster.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
        cluster
    }

    fn ours(spec: Value) -> Value {
        json!({
            "metadata": {
                "name": "game-protection", "uid": "b", "resourceVersion": "5",
                "ownerReferences": [owner("GameServerSet", "game", "set-uid")],
            },
            "spec": spec,
        })
    }

    fn as_made() -> Value {
        json!({
            "minAvailable": 100_000_000,
            "selector": {"matchLabels": {"game.kruise.io/owner-gss": "game", "gamewarden.dev/guarded": "true"}},
        })
    }

    #[test]
    fn a_strict_set_has_one_and_another_has_none() {
        let mut cluster = strict();
        let Some(Budget::Create(made)) = cluster.plan().budget else { panic!("none is made") };
        assert_eq!((&made["metadata"]["name"], &made["spec"]), (&json!("game-protection"), &as_made()));
        cluster.budgets = vec![ours(as_made())];
        assert_eq!(cluster.plan().budget, None);

        let mut changed = as_made();
        changed["minAvailable"] = json!(1);
        cluster.budgets = vec![ours(changed)];
        let Some(Budget::Patch(name, patch)) = cluster.plan().budget else {
            panic!("it stays as it was made")
        };
        assert_eq!((name.as_str(), &patch["spec"]["minAvailable"]), ("game-protection", &json!(100_000_000)));

        let mut orphan = ours(as_made());
        orphan["metadata"]["ownerReferences"] = json!(null);
        orphan["metadata"]["labels"] = json!({"game.kruise.io/owner-gss": "game"});
        cluster.budgets = vec![orphan];
        let Some(Budget::Patch(_, patch)) = cluster.plan().budget else { panic!("it is the set's again") };
        assert_eq!(patch["metadata"]["ownerReferences"][0]["uid"], "set-uid");

        cluster.budgets = vec![ours(as_made())];
        cluster.set["metadata"]["annotations"][names::PROTECTION] = json!("Prefer");
        let gone =
            ServerRef { name: "game-protection".into(), uid: "b".into(), resource_version: "5".into() };
        assert_eq!(cluster.plan().budget, Some(Budget::Delete(gone)));
    }

    #[test]
    fn where_people_have_one_of_their_own_there_is_none_and_it_is_said() {
        let other = |selector: Value| json!({"metadata": {"name": "mine", "uid": "m"}, "spec": {"selector": selector}});
        let mut cluster = strict();
        for (selector, covers) in [
            (json!({"matchLabels": {"game.kruise.io/owner-gss": "game"}}), true),
            (json!({}), true),
            (json!({"matchExpressions": [{"key": "game.kruise.io/owner-gss", "operator": "Exists"}]}), true),
            (json!({"matchLabels": {"game.kruise.io/owner-gss": "other"}}), false),
            (json!(null), false),
        ] {
            cluster.budgets = vec![other(selector.clone()), ours(as_made())];
            let plan = cluster.plan();
            assert_eq!(matches!(plan.budget, Some(Budget::Delete(_))), covers, "{selector}");
            let said: Vec<String> = plan.troubles.iter().map(Trouble::message).collect();
            let wanted = "without the webhook, evictions follow the PodDisruptionBudget mine; delete that budget, or let it \
                          select other pods: there can be one for each pod";
            assert_eq!(said, if covers { vec![wanted] } else { vec![] }, "{selector}");
        }
    }
}
