//! Every pod that was ever there: what was made twice shows in no list afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use tokio::task::JoinHandle;

use crate::Namespace;

/// Watches the pods of a namespace from its beginning to the end of the test.
pub struct History {
    seen: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    watch: JoinHandle<()>,
}

impl History {
    /// Begins to watch.
    #[must_use]
    pub fn of(namespace: &Namespace) -> Self {
        let seen = Arc::new(Mutex::new(BTreeMap::<String, BTreeSet<String>>::new()));
        let events = watcher(namespace.api::<Pod>(), watcher::Config::default()).default_backoff();
        let note = Arc::clone(&seen);
        let watch = tokio::spawn(async move {
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                let (Ok(Event::Apply(pod)) | Ok(Event::InitApply(pod)) | Ok(Event::Delete(pod))) = event
                else {
                    continue;
                };
                let mut seen = note.lock().unwrap_or_else(PoisonError::into_inner);
                seen.entry(pod.name_any()).or_default().extend(pod.uid());
            }
        });
        Self { seen, watch }
    }

    /// How many pods there have been of each name.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(name, uids)| (name.clone(), uids.len())).collect()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
