//! Sets as they are after our own writes, until the watch shows them.
//!
//! A plan made on a set that is older than our last write to it would undo that write: a Kill server whose
//! place was given up would be made again.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use gamewarden_api::GameServerSet;

/// Our last write to each set, by its uid.
#[derive(Debug, Default)]
pub(super) struct FreshSets(Mutex<HashMap<String, Written>>);

#[derive(Debug)]
struct Written {
    /// The resourceVersions that our writes have superseded.
    superseded: HashSet<String>,
    /// What came of the last of them.
    set: Arc<GameServerSet>,
}

impl FreshSets {
    /// Notes that writing on `before` gave `after`.
    pub(super) fn wrote(&self, before: &GameServerSet, after: Arc<GameServerSet>) {
        let (Some(uid), Some(version)) = (&before.metadata.uid, &before.metadata.resource_version) else {
            return;
        };
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = written
            .entry(uid.clone())
            .or_insert_with(|| Written { superseded: HashSet::new(), set: Arc::clone(&after) });
        ours.superseded.insert(version.clone());
        ours.set = after;
    }

    /// The newer of what the watch shows and what we wrote.
    ///
    /// Versions cannot be ordered, but while the watch shows one that we have written on, ours is newer, and as
    /// soon as it shows another it has caught up.
    pub(super) fn newest(&self, seen: Arc<GameServerSet>) -> Arc<GameServerSet> {
        let (Some(uid), Some(version)) = (&seen.metadata.uid, &seen.metadata.resource_version) else {
            return seen;
        };
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match written.get(uid) {
            Some(ours) if ours.superseded.contains(version) => Arc::clone(&ours.set),
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
    use super::*;

    fn set(version: &str) -> Arc<GameServerSet> {
        let mut set = GameServerSet::new("minecraft", Default::default());
        set.metadata.uid = Some("uid".into());
        set.metadata.resource_version = Some(version.into());
        Arc::new(set)
    }

    #[test]
    fn what_we_wrote_counts_until_the_watch_has_moved_on() {
        let fresh = FreshSets::default();
        let version = |set: Arc<GameServerSet>| set.metadata.resource_version.clone().unwrap();
        fresh.wrote(&set("5"), set("6"));
        assert_eq!(version(fresh.newest(set("5"))), "6");
        assert_eq!(version(fresh.newest(set("7"))), "7");
        assert_eq!(version(fresh.newest(set("5"))), "5", "forgotten once the watch has moved on");
    }

    #[test]
    fn a_second_write_on_our_first_counts_as_well() {
        let fresh = FreshSets::default();
        fresh.wrote(&set("5"), set("6"));
        fresh.wrote(&set("6"), set("7"));
        let newest = |seen| fresh.newest(set(seen)).metadata.resource_version.clone().unwrap();
        assert_eq!([newest("5"), newest("6")], ["7", "7"]);
        assert_eq!(newest("7"), "7");
    }
}
