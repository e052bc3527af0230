//! Which verdicts are being written, and which wait for their turn.
//!
//! The verdicts of one server are written one after another (two qualities that flip together would only
//! meet each other's versions), those of different servers side by side.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use gamewarden_api::GameServer;
use tokio::{
    sync::Semaphore,
    task::{Id, JoinSet},
};

use super::{
    metrics::{Metrics, WriteLabels},
    targets::Key,
    verdict::{Saying, VerdictWriter},
};

/// Writes in flight, by pod.
pub(super) struct Writes {
    writer: Arc<VerdictWriter>,
    metrics: Metrics,
    slots: Arc<Semaphore>,
    tasks: JoinSet<()>,
    pods: HashMap<Id, Arc<str>>,
    waiting: HashMap<Arc<str>, BTreeSet<Key>>,
}

impl Writes {
    /// None in flight; at most `slots` of them will be sent at once.
    pub(super) fn new(writer: VerdictWriter, metrics: Metrics, slots: usize) -> Self {
        Self {
            writer: Arc::new(writer),
            metrics,
            slots: Arc::new(Semaphore::new(slots)),
            tasks: JoinSet::new(),
            pods: HashMap::new(),
            waiting: HashMap::new(),
        }
    }

    /// Writes the verdict, if it changes anything on `server`. Where another write of the same server is in
    /// flight, `key` is kept, and given back when that has ended.
    pub(super) fn say(&mut self, key: &Key, saying: Saying, server: Arc<GameServer>) {
        if let Some(waiting) = self.waiting.get_mut(&key.pod_uid) {
            waiting.insert(key.clone());
            return;
        }
        if saying.decide(&server).is_none() {
            return;
        }
        let (writer, metrics, slots) =
            (Arc::clone(&self.writer), self.metrics.clone(), Arc::clone(&self.slots));
        let task = self.tasks.spawn(async move {
            // The semaphore is never closed; without a permit the write would only be less well paced.
            let _slot = slots.acquire().await;
            let result = writer.write(&saying, server).await;
            metrics.writes.get_or_create(&WriteLabels { result }).inc();
        });
        self.pods.insert(task.id(), Arc::clone(&key.pod_uid));
        self.waiting.insert(Arc::clone(&key.pod_uid), BTreeSet::new());
    }

    /// Resolves when a write has ended, with the keys that waited for it; never while there is none.
    /// Cancelling it loses nothing.
    pub(super) async fn ended(&mut self) -> BTreeSet<Key> {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "a verdict's write ended before its time");
                error.id()
            }
            None => std::future::pending().await,
        };
        let waiting = self.pods.remove(&id).and_then(|pod| self.waiting.remove(&pod));
        waiting.unwrap_or_default()
    }

    /// Whether nothing is being written.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}
