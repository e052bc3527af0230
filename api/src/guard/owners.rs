//! Owners that are exchanged by hand. What has owners of which none exists is deleted by the garbage collector, which is never
//! refused anything: the change itself is where that can be stopped.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    decide::{Verdict, View, named},
    kept::{KeptServer, KeptSet},
    request::Asked,
    say::{List, Refusal},
};

/// Whether the object has owners after the change, and not all that it had: those may be owners that do not exist. None at
/// all lets nobody delete it.
pub(super) fn are_exchanged(old: &Value, new: &Value) -> bool {
    let (old, new) = (owners(old), owners(new));
    !new.is_empty() && old != new && (old.is_empty() || !old.is_subset(&new))
}

fn owners(object: &Value) -> BTreeSet<&str> {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().filter_map(|owner| owner["uid"].as_str()).collect()
}

impl View<'_> {
    /// Those of a server's pod or GameServer.
    pub(super) fn server_reowned(
        &self,
        what: &'static str,
        asked: &Asked<'_>,
        set: &str,
        server: Option<&KeptServer>,
    ) -> Refusal {
        Refusal::Reowned {
            servers: List(vec![named(asked.name(), server)]),
            set: set.to_owned(),
            what,
            kind: "gs",
            name: asked.name().to_owned(),
            namespace: self.namespace(asked),
        }
    }

    /// Those of a set, whose servers go with it.
    pub(super) fn set_reowned(&self, asked: &Asked<'_>, set: &KeptSet) -> Verdict {
        if !set.holds() {
            return Verdict::pass();
        }
        let name = asked.name();
        if !self.is_clear() {
            return self.blind(&format!("the servers of set {name}"), name, false);
        }
        let servers = self.protected(asked.namespace, name, set);
        if servers.0.is_empty() {
            return Verdict::pass();
        }
        Verdict::refuse(Refusal::Reowned {
            servers,
            set: name.to_owned(),
            what: "GameServerSet",
            kind: "gss",
            name: name.to_owned(),
            namespace: self.namespace(asked),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{fixture::*, request::*},
        *,
    };
    use crate::names;

    fn with(object: &Value, uids: &[&str]) -> Value {
        let mut object = object.clone();
        let owner = |uid: &&str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "cm", "uid": uid});
        object["metadata"]["ownerReferences"] = uids.iter().map(owner).collect();
        object
    }

    #[test]
    fn owners_are_exchanged_where_those_that_are_left_may_not_exist() {
        for (old, new, exchanged) in [
            (&[][..], &[][..], false),
            (&["a"], &["a"], false),
            (&["a"], &["a", "b"], false),
            (&["a"], &[], false),
            (&["a"], &["b"], true),
            (&["a", "b"], &["b"], true),
            (&[], &["b"], true),
        ] {
            let object = json!({"metadata": {}});
            assert_eq!(are_exchanged(&with(&object, old), &with(&object, new)), exchanged, "{old:?} {new:?}");
        }
        assert!(are_exchanged(&json!({"metadata": {}}), &with(&json!({"metadata": {}}), &["b"])));
    }

    #[test]
    fn strict_keeps_the_owners_of_who_may_be_in_use() {
        let ask = |world: &World, target| {
            let (name, old) = match target {
                Target::Pod => ("game-0", with(&pod(0, true), &["set-uid"])),
                Target::Server => ("game-0", with(&world.servers[0], &["pod-uid"])),
                _ => ("game", world.set.clone()),
            };
            world.ask(target, Operation::Update, name, Some(&old), Some(&with(&old, &["nobody"])))
        };
        let all = [(Target::Pod, "pod"), (Target::Server, "GameServer"), (Target::Set, "GameServerSet")];
        let world = World::new("Strict", 1, &["Allocated"]);
        for (target, what) in all {
            let (name, kind) = if target == Target::Set { ("game", "gss") } else { ("game-0", "gs") };
            assert_eq!(
                said(&ask(&world, target)),
                format!(
                    "403 Forbidden: game-0 (Allocated) of set game may be in use, and it is Strict (gamewarden.dev/protection): \
                     the ownerReferences of {what} {name} are not exchanged, for where none of the new owners exists, the garbage \
                     collector deletes it. Let it go first if it may: `kubectl annotate {kind} -n games {name} \
                     gamewarden.dev/allow-removal=true`"
                )
            );
        }
        let mut allowed = world.clone();
        allowed.set["metadata"]["annotations"][names::ALLOW_REMOVAL] = json!("true");
        let controller = World { user: "system:serviceaccount:gw:controller", ..world.clone() };
        for world in [
            World::new("Strict", 1, &["WaitToBeDeleted"]),
            World::new("Prefer", 1, &["Allocated"]),
            World::new("Off", 1, &["Allocated"]),
            allowed,
            controller,
        ] {
            for (target, what) in all {
                assert_eq!(ask(&world, target), Verdict::default(), "{what} {world:?}");
            }
        }
        let blind = World { sight: LOST, ..world };
        for (target, what) in all {
            assert!(said(&ask(&blind, target)).starts_with("503 ServiceUnavailable"), "{what}");
        }
    }
}
