//! A watch that fills a store and tells of what it sees, for as long as the process runs.

use std::fmt::Debug;

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
use tokio_util::sync::CancellationToken;

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

/// What watches are made with.
#[derive(Clone)]
pub(crate) struct Feed {
    /// A client for which long silence is normal.
    pub(crate) client: Client,
    /// Counts watches that break and objects that cannot be read.
    pub(crate) errors: Counter,
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
