//! Sets and GameServers as the watches last showed them.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    time::Duration,
};

use super::kept::{KeptServer, KeptSet};
use crate::names;

/// How well the cluster is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// What the cache shows is so.
    Clear,
    /// It was so this long ago.
    Lost(Duration),
    /// Nothing was ever seen of it.
    Never,
}

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// All sets.
    pub sets: Shelf<KeptSet>,
    /// All GameServers of sets.
    pub servers: Shelf<KeptServer>,
}

impl Cache {
    /// The GameServers of a set, by name.
    pub(super) fn servers_of<'a>(
        &'a self,
        namespace: &str,
        set: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a KeptServer)> + use<'a> {
        // Its servers are named after it, and so may be those of a few others.
        let prefix = format!("{set}-");
        let begin = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        let range = self.servers.0.get(namespace).map(|names| names.range::<str, _>(begin));
        let named = range.into_iter().flatten().take_while(move |(name, _)| name.starts_with(&prefix));
        named.filter(move |(_, server)| server.set == set).map(|(name, server)| (name.as_str(), server))
    }

    /// The GameServer of a pod of this uid, where it is that pod's and not an earlier one's.
    pub(super) fn server_of(
        &self,
        namespace: &str,
        pod: &str,
        uid: &str,
        set: &KeptSet,
    ) -> Option<&KeptServer> {
        let server = self.servers.get(namespace, pod)?;
        let is_its = server.owner.as_deref().is_none_or(|owner| owner == uid || owner == set.uid);
        is_its.then_some(server)
    }

    /// Name of a server of the set.
    pub(super) fn name(set: &str, ordinal: u32) -> String {
        names::server_name(set, ordinal)
    }
}

/// Objects of one kind, by namespace and name.
#[derive(Clone, Debug)]
pub struct Shelf<K>(HashMap<String, BTreeMap<String, K>>);

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K> Shelf<K> {
    /// The object of this name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&K> {
        self.0.get(namespace)?.get(name)
    }

    /// Puts an object where it belongs; `None` takes away what is there.
    pub fn put(&mut self, namespace: &str, name: &str, kept: Option<K>) {
        match kept {
            Some(kept) => {
                self.0.entry(namespace.to_owned()).or_default().insert(name.to_owned(), kept);
            }
            None => {
                if let Some(names) = self.0.get_mut(namespace) {
                    names.remove(name);
                    if names.is_empty() {
                        self.0.remove(namespace);
                    }
                }
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
