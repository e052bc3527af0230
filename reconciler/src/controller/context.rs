//! What both reconcilers share.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use gamewarden_api::{
    GameServer, GameServerSet,
    event::{Event, Involved},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::{
    Metrics, Stores, backoff::Backoff, claims::Settled, failures::Failures, fresh::Fresh, refusals::Refusals,
    removal::Commits, removed::Removed, status::Unkept,
};
use crate::{
    probe::{OnNodes, Results},
    write::Writer,
};

/// Stores to read, a writer to write with, and the little that must be remembered in between. All of it
/// may be lost at any moment: what matters is in the objects.
pub struct Context {
    pub(super) stores: Stores,
    pub(super) writer: Writer,
    pub(super) results: Results,
    pub(super) on_nodes: OnNodes,
    pub(super) metrics: Metrics,
    pub(super) removed: Removed,
    pub(super) fresh: Fresh<GameServerSet>,
    pub(super) fresh_pods: Fresh<Pod>,
    pub(super) fresh_servers: Fresh<GameServer>,
    pub(super) commits: Commits,
    pub(super) refusals: Refusals,
    pub(super) backoff: Backoff,
    pub(super) status_writes: StatusWrites,
    pub(super) failures: Failures,
    pub(super) claims: Settled,
    pub(super) unkept: Unkept,
    said: Said,
}

impl Context {
    pub(super) fn new(
        stores: Stores,
        writer: Writer,
        results: Results,
        on_nodes: OnNodes,
        metrics: Metrics,
    ) -> Self {
        Self {
            stores,
            writer,
            results,
            on_nodes,
            metrics,
            removed: Removed::default(),
            fresh: Fresh::default(),
            fresh_pods: Fresh::default(),
            fresh_servers: Fresh::default(),
            commits: Commits::default(),
            refusals: Refusals::default(),
            backoff: Backoff::default(),
            status_writes: StatusWrites::default(),
            failures: Failures::default(),
            claims: Settled::default(),
            unkept: Unkept::default(),
            said: Said::default(),
        }
    }

    /// Writes an event, once; one that cannot be written is logged and counted, and stops nothing.
    pub(super) async fn say(&self, event: &Event, involved: &Involved) {
        self.write_event(event, event.object(involved, Timestamp::now())).await;
    }

    /// The same for an event that is known by something else than its words.
    pub(super) async fn say_of(&self, event: &Event, identity: &str, involved: &Involved) {
        self.write_event(event, event.object_of(identity, involved, Timestamp::now())).await;
    }

    async fn write_event(&self, event: &Event, object: Value) {
        if self.said.contains(&object) {
            return;
        }
        match self.writer.event(&object).await {
            Ok(()) => self.said.insert(&object),
            Err(error) => {
                self.metrics.event_errors.inc();
                tracing::warn!(%error, reason = %event.reason, message = %event.message, "event not written");
            }
        }
    }
}

/// Events that are written, by namespace and name. What lasts is said in every plan; asking the API server each
/// time whether it is there already would cost a request each time.
#[derive(Debug, Default)]
struct Said(Mutex<HashSet<String>>);

impl Said {
    /// More than a cluster full of trouble says. When it is full all is forgotten, and asked for once more.
    const MOST: usize = 16_384;

    fn key(event: &Value) -> String {
        let text = |field: &str| event["metadata"][field].as_str().unwrap_or_default();
        format!("{}/{}", text("namespace"), text("name"))
    }

    fn contains(&self, event: &Value) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&Self::key(event))
    }

    fn insert(&self, event: &Value) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= Self::MOST {
            said.clear();
        }
        said.insert(Self::key(event));
    }
}

/// When the status of each set was last written, so that it is written once a second at most.
#[derive(Debug, Default)]
pub(super) struct StatusWrites(Mutex<HashMap<String, Instant>>);

impl StatusWrites {
    const INTERVAL: Duration = Duration::from_secs(1);

    /// Takes the turn to write, or says how long to wait for it.
    pub(super) fn turn(&self, uid: &str, now: Instant) -> Result<(), Duration> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = last.get(uid).and_then(|at| Self::INTERVAL.checked_sub(now.duration_since(*at)))
            && !wait.is_zero()
        {
            return Err(wait);
        }
        // A set that was last written long ago may be gone; the next write puts it back.
        last.retain(|_, at| now.duration_since(*at) < Self::INTERVAL);
        last.insert(uid.to_owned(), now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_one_turn_a_second() {
        let writes = StatusWrites::default();
        let start = Instant::now();
        assert_eq!(writes.turn("a", start), Ok(()));
        assert_eq!(writes.turn("b", start), Ok(()));
        let later = start + Duration::from_millis(300);
        assert_eq!(writes.turn("a", later), Err(Duration::from_millis(700)));
        assert_eq!(writes.turn("a", start + Duration::from_secs(1)), Ok(()));
    }
}
