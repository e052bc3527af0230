//! Sets and pods as they are after our own writes, until the watch shows them.
//!
//! A plan made on a set that is older than our last write to it would undo that write: a Kill server whose
//! place was given up would be made again. One made on a pod as it was before its update began would begin
//! another's: more would be out of service than may be.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::Resource;

/// An object that was deleted is never shown again; what we know of it is forgotten after this time, in which
/// the watch has shown any that still is.
const FORGET: Duration = Duration::from_secs(300);

/// Our last write to each object, by its uid.
#[derive(Debug)]
pub(super) struct Fresh<K>(Mutex<HashMap<String, Written<K>>>);

impl<K> Default for Fresh<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[derive(Debug)]
struct Written<K> {
    /// The resourceVersions that our writes have superseded.
    superseded: HashSet<String>,
    /// What came of the last of them.
    object: Arc<K>,
    /// When that was.
    at: Instant,
}

impl<K: Resource> Fresh<K> {
    /// Notes that writing on `before` gave `after`. The write must have been refused on any other version.
    pub(super) fn wrote(&self, before: &K, after: Arc<K>) {
        let before = before.meta();
        let (Some(uid), Some(version)) = (&before.uid, &before.resource_version) else {
            return;
        };
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        written.retain(|_, w| at.duration_since(w.at) < FORGET);
        let ours = written.entry(uid.clone()).or_insert_with(|| Written {
            superseded: HashSet::new(),
            object: Arc::clone(&after),
            at,
        });
        ours.superseded.insert(version.clone());
        ours.object = after;
        ours.at = at;
    }

    /// The newer of what the watch shows and what we wrote.
    ///
    /// Versions cannot be ordered, but while the watch shows one that we have written on, ours is newer, and as
    /// soon as it shows another it has caught up.
    pub(super) fn newest(&self, seen: Arc<K>) -> Arc<K> {
        let (Some(uid), Some(version)) = (&seen.meta().uid, &seen.meta().resource_version) else {
            return seen;
        };
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match written.get(uid) {
            Some(ours) if ours.superseded.contains(version) => Arc::clone(&ours.object),
            Some(_) => {
                written.remove(uid);
                seen
            }
            None => seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use gamewarden_api::GameServerSet;

    use super::*;

    fn set(version: &str) -> Arc<GameServerSet> {
        let mut set = GameServerSet::new("minecraft", Default::default());
        set.metadata.uid = Some("uid".into());
        set.metadata.resource_version = Some(version.into());
        Arc::new(set)
    }

    #[test]
    fn what_we_wrote_counts_until_the_watch_has_moved_on() {
        let fresh = Fresh::default();
        let version = |set: Arc<GameServerSet>| set.metadata.resource_version.clone().unwrap();
        fresh.wrote(&*set("5"), set("6"));
        assert_eq!(version(fresh.newest(set("5"))), "6");
        assert_eq!(version(fresh.newest(set("7"))), "7");
        assert_eq!(version(fresh.newest(set("5"))), "5", "forgotten once the watch has moved on");
    }

    #[test]
    fn a_second_write_on_our_first_counts_as_well() {
        let fresh = Fresh::default();
        fresh.wrote(&*set("5"), set("6"));
        fresh.wrote(&*set("6"), set("7"));
        let newest = |seen| fresh.newest(set(seen)).metadata.resource_version.clone().unwrap();
        assert_eq!([newest("5"), newest("6")], ["7", "7"]);
        assert_eq!(newest("7"), "7");
    }
}
