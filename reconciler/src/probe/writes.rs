//! Which verdicts are being written, and which wait for their turn.
//!
//! The verdicts of one server are written one after another (two qualities that flip together would only
//! meet each other's versions), those of different servers side by side. One that failed is tried again after
//! a while, with the verdict that holds then.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use gamewarden_api::GameServer;
use tokio::{
    sync::Semaphore,
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use super::{
    metrics::{Metrics, WriteLabels, WriteResult},
    retries::Retries,
    targets::Key,
    verdict::{Saying, VerdictWriter},
};

/// Writes in flight, at most one for each pod, and those that are to be tried again.
pub(super) struct Writes {
    writer: Arc<VerdictWriter>,
    metrics: Metrics,
    slots: Arc<Semaphore>,
    tasks: JoinSet<WriteResult>,
    keys: HashMap<Id, Key>,
    /// By pod: who waits for the write in flight.
    waiting: HashMap<Arc<str>, BTreeSet<Key>>,
    retries: Retries,
}

impl Writes {
    /// None in flight; at most `slots` of them will be sent at once.
    pub(super) fn new(writer: VerdictWriter, metrics: Metrics, slots: usize) -> Self {
        Self {
            writer: Arc::new(writer),
            metrics,
            slots: Arc::new(Semaphore::new(slots)),
            tasks: JoinSet::new(),
            keys: HashMap::new(),
            waiting: HashMap::new(),
            retries: Retries::default(),
        }
    }

    /// Writes the verdict, if it changes anything on `server`. Where another write of the same server is in
    /// flight, `key` is kept, and given back when that has ended.
    pub(super) fn say(&mut self, key: &Key, saying: Saying, server: Arc<GameServer>) {
        if let Some(waiting) = self.waiting.get_mut(&key.pod_uid) {
            waiting.insert(key.clone());
            return;
        }
        if self.writer.is_said(&saying, &server) {
            self.retries.settled(key);
            return;
        }
        let (writer, metrics, slots) =
            (Arc::clone(&self.writer), self.metrics.clone(), Arc::clone(&self.slots));
        let task = self.tasks.spawn(async move {
            // The semaphore is never closed; without a permit the write would only be less well paced.
            let _slot = slots.acquire().await;
            let result = writer.write(&saying, server).await;
            metrics.writes.get_or_create(&WriteLabels { result }).inc();
            result
        });
        self.keys.insert(task.id(), key.clone());
        self.waiting.insert(Arc::clone(&key.pod_uid), BTreeSet::new());
    }

    /// Takes note that there is nothing to say for `key`, or nobody to say it of.
    pub(super) fn nothing_to_say(&mut self, key: &Key) {
        self.retries.settled(key);
    }

    /// Resolves when something is to be said (again), with the keys: those that waited for a write that has
    /// ended, or whose write failed a while ago. Cancelling it loses nothing.
    pub(super) async fn turn(&mut self) -> BTreeSet<Key> {
        tokio::select! {
            Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
            due = self.retries.due() => due,
        }
    }

    fn ended(&mut self, ended: Result<(Id, WriteResult), JoinError>) -> BTreeSet<Key> {
        let (id, result) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "a verdict's write ended before its time");
                (error.id(), WriteResult::Error)
            }
        };
        let Some(key) = self.keys.remove(&id) else {
            return BTreeSet::new();
        };
        match result {
            WriteResult::Conflict | WriteResult::Error => self.retries.failed(&key, Instant::now()),
            WriteResult::Written | WriteResult::Unchanged | WriteResult::Gone => self.retries.settled(&key),
        }
        self.waiting.remove(&key.pod_uid).unwrap_or_default()
    }

    /// Whether nothing is being written.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}
