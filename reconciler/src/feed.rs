//! A watch that fills a store and tells of what it sees, for as long as the process runs.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::{
        WatchStreamExt, reflector,
        watcher::{self, Event, watcher},
    },
};
use prometheus_client::metrics::counter::Counter;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a watch may only fail until what it shows is called old. Tries come every half a minute by then.
const DEAF: Duration = Duration::from_secs(60);

/// What became of the objects of a kind. The store shows it already.
#[derive(Clone, Copy)]
pub(crate) enum Change<T> {
    /// An object is new, or is not as it was.
    Applied(T),
    /// An object is gone.
    Deleted(T),
    /// The list was made anew: the store shows its objects only now, and what vanished while the watch was
    /// broken is told by no event.
    Listed,
}

/// Which watches only fail, and since when. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hearing(Arc<Mutex<BTreeMap<String, Failing>>>);

#[derive(Clone, Copy, Debug)]
struct Failing {
    since: Instant,
    last: Instant,
}

impl Hearing {
    /// A kind whose watch has failed for long and fails still: what is known of it may be old. One that has not failed lately works;
    /// where nothing happens it tells nothing.
    pub(crate) fn deaf_to(&self, now: Instant) -> Option<String> {
        let failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let deaf = failing.iter().find(|(_, failing)| {
            now.duration_since(failing.last) <= DEAF && now.duration_since(failing.since) >= DEAF
        });
        deaf.map(|(kind, _)| kind.clone())
    }

    fn failed(&self, kind: &str, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = all.entry(kind.to_owned()).or_insert(Failing { since: now, last: now });
        if now.duration_since(failing.last) > DEAF {
            failing.since = now;
        }
        failing.last = now;
    }

    fn heard(&self, kind: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(kind);
    }
}

/// What watches are made with.
#[derive(Clone)]
pub(crate) struct Feed {
    /// A client for which long silence is normal.
    pub(crate) client: Client,
    /// Counts watches that break and objects that cannot be read.
    pub(crate) errors: Counter,
    /// Knows which of them only fail.
    pub(crate) hearing: Hearing,
    /// Ends them.
    pub(crate) shutdown: CancellationToken,
}

impl Feed {
    /// Starts a watch of the objects that `config` selects, of which `kept` is stored.
    pub(crate) fn spawn<K>(
        &self,
        config: watcher::Config,
        writer: reflector::store::Writer<K>,
        kept: fn(K) -> K,
        tell: impl Fn(Change<&K>) + Send + 'static,
    ) where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &ApiResource::erase::<K>(&()));
        let errors = self.errors.clone();
        let unreadable = errors.clone();
        let hearing = self.hearing.clone();
        let stream = watcher(api, config)
            .default_backoff()
            .filter_map(move |event| {
                let event = event.map(|event| typed::<K>(event, kept, &unreadable)).transpose();
                std::future::ready(event)
            })
            .reflect(writer)
            .take_until(self.shutdown.clone().cancelled_owned());
        tokio::spawn(async move {
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                match &event {
                    // Each try begins so, and a list may fail at any of its pages.
                    Ok(Event::Init | Event::InitApply(_)) => {}
                    Ok(_) => hearing.heard(&K::kind(&())),
                    Err(_) => hearing.failed(&K::kind(&()), Instant::now()),
                }
                match event {
                    Ok(Event::Apply(object)) => tell(Change::Applied(&object)),
                    Ok(Event::Delete(object)) => tell(Change::Deleted(&object)),
                    // The store shows the objects of a new list only now, and what vanished while the watch was
                    // broken is told by no event: look at everything.
                    Ok(Event::InitDone) => tell(Change::Listed),
                    Ok(Event::Init | Event::InitApply(_)) => {}
                    Err(error) => {
                        errors.inc();
                        tracing::warn!(kind = %K::kind(&()), %error, "watch failed; trying again");
                    }
                }
            }
        });
    }
}

/// The event with its object read as what it is. One object that cannot be read is left out and said so: it must
/// not stop the watch of all others.
fn typed<K: DeserializeOwned + Resource<DynamicType = ()>>(
    event: Event<DynamicObject>,
    kept: fn(K) -> K,
    errors: &Counter,
) -> Option<Event<K>> {
    let read = |mut object: DynamicObject| {
        // Half of an object's size, and nothing here reads it.
        object.metadata.managed_fields = None;
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        match object.try_parse::<K>() {
            Ok(object) => Some(kept(object)),
            Err(error) => {
                errors.inc();
                tracing::error!(kind = %K::kind(&()), %namespace, %name, %error, "unreadable object left out");
                None
            }
        }
    };
    match event {
        Event::Apply(object) => read(object).map(Event::Apply),
        Event::Delete(object) => read(object).map(Event::Delete),
        Event::InitApply(object) => read(object).map(Event::InitApply),
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_fails_for_long_is_deaf_until_it_hears_or_fails_no_more() {
        let (start, at) = (Instant::now(), Duration::from_secs);
        let hearing = Hearing::default();
        let deaf = |now| hearing.deaf_to(start + at(now));
        hearing.failed("Pod", start);
        assert_eq!(deaf(59), None);
        assert_eq!(deaf(60), Some("Pod".to_owned()), "nothing else has come since");
        hearing.failed("Pod", start + at(30));
        hearing.failed("Pod", start + at(80));
        assert_eq!(deaf(81), Some("Pod".to_owned()));
        assert_eq!(deaf(141), None, "it would have failed again by now");
        hearing.failed("Pod", start + at(200));
        assert_eq!(deaf(259), None, "a failure of its own");
        hearing.failed("Pod", start + at(255));
        assert_eq!(deaf(260), Some("Pod".to_owned()));
        hearing.heard("Pod");
        assert_eq!(deaf(260), None);
    }
}
