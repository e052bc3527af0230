//! A set and what is its, as a reconcile sees it while it works.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use gamewarden_api::{GameServer, GameServerSet, set::Snapshot};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{Context, set::Error};

/// A set and what is its, as the stores show it, and what we have written since.
pub(super) struct View {
    pub(super) set: Arc<GameServerSet>,
    pub(super) pods: Vec<Arc<Pod>>,
    pub(super) servers: Vec<Arc<GameServer>>,
}

impl View {
    /// What there is now.
    pub(super) fn of(set: &Arc<GameServerSet>, context: &Context) -> Self {
        let (pods, servers) = (context.stores.pods_of(set), context.stores.servers_of(set));
        Self {
            set: Arc::clone(set),
            pods: pods.into_iter().map(|pod| context.fresh_pods.newest(pod)).collect(),
            servers: servers.into_iter().map(|server| context.fresh_servers.newest(server)).collect(),
        }
    }

    /// Asks a question of it all, as it is now.
    pub(super) fn ask<T>(&self, context: &Context, question: impl FnOnce(&Snapshot<'_>) -> T) -> T {
        let set = context.unkept.put_back(&self.set);
        let budgets = context.stores.budgets_near(&set);
        let now = Timestamp::now();
        question(&Snapshot {
            set: &set,
            pods: &self.pods.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            servers: &self.servers.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            budgets: &budgets.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            removed: &|uid| context.removed.contains(uid),
            committed: &|claim| context.commits.contains(claim),
            refused: &|uid| context.refusals.told(uid, Instant::now(), now),
            now,
        })
    }

    /// Takes the set's servers from the API server itself. Nothing is removed on less: the watches of sets, pods and servers run
    /// at different speeds, and what one does not show yet may be the server that should go first (I1), or the match that has
    /// just begun. Done before the set is patched, because that may give a place up for good (a reserved ordinal, lowered
    /// replicas).
    ///
    /// # Errors
    /// A server is there, or is not, that the watch does not show so: what it shows of pods may be as old.
    pub(super) async fn read_servers(&mut self, context: &Context) -> Result<(), Error> {
        let (namespace, name) = (self.set.namespace().unwrap_or_default(), self.set.name_any());
        let now = context.writer.list_servers(&namespace, &name).await?;
        let stays = |pod: &&Arc<Pod>| {
            let uid = pod.metadata.uid.as_deref().unwrap_or_default();
            pod.metadata.deletion_timestamp.is_none() && !context.removed.contains(uid)
        };
        let staying = self.pods.iter().filter(stays).map(|pod| pod.name_any()).collect();
        let servers = taken_over(&self.servers, now, &staying).ok_or(Error::Behind)?;
        for (before, now) in &servers {
            if before.metadata.resource_version != now.metadata.resource_version {
                context.fresh_servers.wrote(before, Arc::clone(now));
            }
        }
        self.servers = servers.into_iter().map(|(_, now)| now).collect();
        Ok(())
    }
}

/// The servers as they were `seen`, and as they are `now`; `None` where one has come, or one of those whose pods are `staying`
/// is gone. The others are going anyway.
fn taken_over(
    seen: &[Arc<GameServer>],
    now: Vec<GameServer>,
    staying: &BTreeSet<String>,
) -> Option<Vec<(Arc<GameServer>, Arc<GameServer>)>> {
    let mut before: BTreeMap<_, _> =
        seen.iter().map(|server| (server.metadata.uid.as_deref().unwrap_or_default(), server)).collect();
    let both: Option<Vec<_>> = now
        .into_iter()
        .map(|now| Some((Arc::clone(before.remove(now.metadata.uid.as_deref()?)?), Arc::new(now))))
        .collect();
    both.filter(|_| before.values().all(|gone| !staying.contains(&gone.name_any())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, uid: &str, version: &str) -> GameServer {
        let mut server = GameServer::new(name, Default::default());
        server.metadata.uid = Some(uid.into());
        server.metadata.resource_version = Some(version.into());
        server
    }

    #[test]
    fn servers_are_taken_over_unless_one_has_come_or_one_that_stays_is_gone() {
        let seen = [("game-0", "a"), ("game-1", "b"), ("game-2", "c")];
        let seen: Vec<_> = seen.map(|(name, uid)| Arc::new(server(name, uid, "1"))).into();
        let staying = ["game-0", "game-1"].map(String::from).into();
        let (zero, one) = (("game-0", "a", "1"), ("game-1", "b", "1"));
        for (what, now, taken) in [
            ("the same in another order", vec![("game-2", "c", "1"), zero, one], true),
            ("one says something else", vec![zero, ("game-1", "b", "2"), ("game-2", "c", "1")], true),
            ("one that goes is gone", vec![zero, one], true),
            ("one that stays is gone", vec![zero, ("game-2", "c", "1")], false),
            ("one that stays is another", vec![zero, ("game-1", "d", "2"), ("game-2", "c", "1")], false),
            ("one that goes is another", vec![zero, one, ("game-2", "d", "2")], false),
            ("one has come", vec![zero, one, ("game-2", "c", "1"), ("game-3", "e", "2")], false),
        ] {
            let listed = now.iter().map(|(name, uid, version)| server(name, uid, version)).collect();
            let servers = taken_over(&seen, listed, &staying);
            assert_eq!(servers.is_some(), taken, "{what}");
            let versions = |servers: Vec<(Arc<GameServer>, Arc<GameServer>)>| {
                servers
                    .iter()
                    .map(|(_, now)| now.metadata.resource_version.clone().unwrap())
                    .collect::<Vec<_>>()
            };
            if let Some(servers) = servers {
                assert_eq!(
                    versions(servers),
                    now.iter().map(|(_, _, version)| *version).collect::<Vec<_>>(),
                    "{what}"
                );
            }
        }
    }
}
