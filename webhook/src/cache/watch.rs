//! Lists one kind of object, then watches it; what is not needed of an object is not kept.
//!
//! kube's own watcher does not tell when a watch that failed is open again, and that is what has to be known here.

use std::time::Duration;

use futures::StreamExt;
use gamewarden_api::guard::{Cache, KeptServer, KeptSet};
use gamewarden_api::{GameServer, GameServerSet};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::Status;
use tokio::time::{error::Elapsed, sleep, timeout};

use super::{CacheMetrics, Known, age::Kind};

/// Objects in one answer of a list.
const PAGE: u32 = 500;

/// The API server ends a watch after this time, and it is opened again: so one that nothing comes from is found dead soon.
const WATCH_LASTS: u32 = 25;

/// Longer than that, and it is dead.
const SILENCE: Duration = Duration::from_secs(35);

/// To list a page.
const LIST_PATIENCE: Duration = Duration::from_secs(15);

/// To open a watch. Meanwhile the last one counts as open.
const OPEN_PATIENCE: Duration = Duration::from_secs(5);

/// Waits before another try: the first, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Why a list or a watch has ended early.
#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error(transparent)]
    Kube(#[from] kube::Error),
    #[error("no answer in time")]
    Silent(#[from] Elapsed),
    #[error("{}", .0.message)]
    Told(Box<Status>),
    #[error("list has no resourceVersion")]
    Unversioned,
}

impl WatchError {
    /// What the watch would go on from is not there any more: everything is listed again.
    fn is_expired(&self) -> bool {
        match self {
            Self::Told(told) => told.code == 410,
            Self::Kube(kube::Error::Api(status)) => status.code == 410,
            _ => false,
        }
    }
}

/// Follows the kind for as long as it is polled.
pub(super) async fn follow(client: &Client, known: &Known, kind: Kind, metrics: &CacheMetrics) {
    let api = Api::<DynamicObject>::all_with(client.clone(), &kind.resource());
    let mut at = None;
    let mut wait = FIRST_WAIT;
    loop {
        match step(&api, known, kind, &mut at).await {
            Ok(()) => wait = FIRST_WAIT,
            Err(error) => {
                if error.is_expired() {
                    at = None;
                }
                known.note(|age, _| age.broke(kind));
                metrics.watch_errors.inc();
                tracing::warn!(kind = kind.name(), %error, "the watch broke; trying again");
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

/// Lists, or goes on from where the last step has come to.
async fn step(
    api: &Api<DynamicObject>,
    known: &Known,
    kind: Kind,
    at: &mut Option<String>,
) -> Result<(), WatchError> {
    match at {
        None => *at = Some(list(api, known, kind).await?),
        Some(version) => watch(api, known, kind, version).await?,
    }
    Ok(())
}

/// Lists all there is, and shows it at once when it is whole; gives the version to watch from.
async fn list(api: &Api<DynamicObject>, known: &Known, kind: Kind) -> Result<String, WatchError> {
    let mut params = ListParams::default().limit(PAGE);
    // What is shown meanwhile is the old list: nobody takes it for what is so.
    let mut listed = Cache::default();
    loop {
        let page = timeout(LIST_PATIENCE, api.list(&params)).await??;
        for object in &page.items {
            kind.put(&mut listed, object, false);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => {
                known.change(|cache| match kind {
                    Kind::Sets => cache.sets = listed.sets,
                    Kind::Servers => cache.servers = listed.servers,
                });
                return page.metadata.resource_version.ok_or(WatchError::Unversioned);
            }
        }
    }
}

/// Watches until the API server ends it; `at` is the version it has come to.
async fn watch(
    api: &Api<DynamicObject>,
    known: &Known,
    kind: Kind,
    at: &mut String,
) -> Result<(), WatchError> {
    let params = WatchParams { bookmarks: true, ..WatchParams::default().timeout(WATCH_LASTS) };
    let mut events = std::pin::pin!(timeout(OPEN_PATIENCE, api.watch(&params, at)).await??);
    known.note(|age, now| age.opened(kind, now));
    known.asks.notify_one();
    while let Some(event) = timeout(SILENCE, events.next()).await? {
        let (object, gone) = match event? {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
            WatchEvent::Deleted(object) => (object, true),
            WatchEvent::Bookmark(mark) => {
                *at = mark.metadata.resource_version;
                continue;
            }
            WatchEvent::Error(told) => return Err(WatchError::Told(told)),
        };
        known.change(|cache| kind.put(cache, &object, gone));
        if let Some(version) = object.metadata.resource_version {
            *at = version;
        }
    }
    Ok(())
}

impl Kind {
    fn resource(self) -> ApiResource {
        match self {
            Self::Sets => ApiResource::erase::<GameServerSet>(&()),
            Self::Servers => ApiResource::erase::<GameServer>(&()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sets => "GameServerSet",
            Self::Servers => "GameServer",
        }
    }

    /// Keeps what is needed of the object, or nothing if it is gone.
    fn put(self, cache: &mut Cache, object: &DynamicObject, gone: bool) {
        let metadata = &object.metadata;
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = metadata.name.as_deref().unwrap_or_default();
        match self {
            Self::Sets => {
                let kept = (!gone).then(|| KeptSet::of(metadata, &object.data));
                cache.sets.put(namespace, name, kept);
            }
            Self::Servers => {
                let kept = (!gone).then(|| KeptServer::of(metadata, &object.data)).flatten();
                cache.servers.put(namespace, name, kept);
            }
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
