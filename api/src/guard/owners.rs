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
pub(super) fn are_exchanged(asked: &Asked<'_>) -> bool {
    let Some((old, new)) = asked.old.zip(asked.new) else { return false };
    let (old, new) = (owners(old), owners(new));
    !new.is_empty() && (old.is_empty() || !old.is_subset(&new))
}

/// The owners, by what the garbage collector looks them up by. (Of the apiVersion the group: another version is the same
/// object.)
fn owners(object: &Value) -> BTreeSet<[&str; 4]> {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().map(looked_up_by).collect()
}

fn looked_up_by(owner: &Value) -> [&str; 4] {
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    [group, text("kind"), text("name"), text("uid")]
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

    /// Those of a set, whose servers go with it. What may be asked besides is judged where this passes.
    pub(super) fn set_reowned(&self, asked: &Asked<'_>) -> Verdict {
        let Some(set) = asked.old.filter(|_| are_exchanged(asked)).map(KeptSet::read) else {
            return Verdict::pass();
        };
        self.set(asked, asked.name(), &set, |view, servers| Refusal::Reowned {
            servers,
            set: asked.name().to_owned(),
            what: "GameServerSet",
            kind: "gss",
            name: asked.name().to_owned(),
            namespace: view.namespace(asked),
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

    fn changed(old: &Value, new: &Value) -> bool {
        are_exchanged(&Asked {
            target: Target::Pod,
            operation: Operation::Update,
            namespace: "games",
            name: "game-0",
            user: "alice",
            groups: &[],
            old: Some(old),
            new: Some(new),
            dry_run: false,
            orphans: false,
        })
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
            assert_eq!(changed(&with(&object, old), &with(&object, new)), exchanged, "{old:?} {new:?}");
        }
        let old = with(&json!({"metadata": {}}), &["a"]);
        assert!(changed(&json!({"metadata": {}}), &old));
        for (key, value, exchanged) in [
            ("name", "none", true),
            ("kind", "Secret", true),
            ("apiVersion", "apps/v1", true),
            ("apiVersion", "v2", false),
            ("controller", "true", false),
        ] {
            let mut new = old.clone();
            new["metadata"]["ownerReferences"][0][key] = json!(value);
            assert_eq!(changed(&old, &new), exchanged, "{key} {value}");
        }
    }

    #[test]
    fn who_exchanges_owners_and_scales_is_answered_as_who_scales() {
        let mut world = World::new("Prefer", 2, &["WaitToBeDeleted", "None"]);
        let mut new = with(&world.set, &["nobody"]);
        new["spec"]["replicas"] = json!(1);
        let ask =
            |world: &World| world.ask(Target::Set, Operation::Update, "game", Some(&world.set), Some(&new));
        assert_eq!(ask(&world).warnings, ["goes, in this order: game-0 (WaitToBeDeleted)"]);
        world.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
        assert!(said(&ask(&world)).contains("the ownerReferences of GameServerSet game are not exchanged"));
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
