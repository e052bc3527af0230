//! Waits until watched objects are as they should be, with a deadline and a description.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use kube::{
    Api, Resource, ResourceExt,
    runtime::watcher::{self, Event, watcher},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

/// How long anything may take. Generous, for another test may kill the controller meanwhile, and the next
/// one takes over only when the lease has expired (15 to 20 s).
pub const DEADLINE: Duration = Duration::from_secs(90);

/// What can be waited for.
pub trait Object:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + 'static
{
}

impl<K> Object for K where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + 'static
{
}

/// Waits until `done` says so of all objects that `which` selects, by name; gives them as they are then.
/// Every change is shown to `done`, so that it may also keep watch over what must never happen.
///
/// # Errors
/// Not within [`DEADLINE`]; the text says what was waited for and what was seen last.
pub async fn all<K: Object>(
    api: &Api<K>,
    which: watcher::Config,
    what: &str,
    mut done: impl FnMut(&BTreeMap<String, K>) -> bool,
) -> Result<BTreeMap<String, K>> {
    let mut seen = BTreeMap::new();
    let met = timeout(DEADLINE, watch(api, which, &mut seen, &mut done)).await;
    match met {
        Ok(met) => met.with_context(|| format!("waiting until {what}"))?,
        Err(_) => bail!("not within {}s: {what}\nlast seen: {}", DEADLINE.as_secs(), shown(&seen)),
    }
    Ok(seen)
}

async fn watch<K: Object>(
    api: &Api<K>,
    which: watcher::Config,
    seen: &mut BTreeMap<String, K>,
    done: &mut impl FnMut(&BTreeMap<String, K>) -> bool,
) -> Result<()> {
    let mut events = std::pin::pin!(watcher(api.clone(), which));
    let mut listed = false;
    while let Some(event) = events.try_next().await? {
        match event {
            Event::Init => {
                listed = false;
                seen.clear();
            }
            Event::InitDone => listed = true,
            Event::InitApply(object) | Event::Apply(object) => {
                seen.insert(object.name_any(), object);
            }
            Event::Delete(object) => {
                seen.remove(&object.name_any());
            }
        }
        if listed && done(seen) {
            return Ok(());
        }
    }
    bail!("the watch ended")
}

/// Waits until there is an object of this name and `done` says so of it; gives it as it is then.
///
/// # Errors
/// As for [`all`].
pub async fn one<K: Object>(
    api: &Api<K>,
    name: &str,
    what: &str,
    mut done: impl FnMut(&K) -> bool,
) -> Result<K> {
    let mut seen = all(api, named(name), what, |seen| seen.get(name).is_some_and(&mut done)).await?;
    seen.remove(name).context("it was there a moment ago")
}

/// Waits until there is no object of this name.
///
/// # Errors
/// As for [`all`].
pub async fn gone<K: Object>(api: &Api<K>, name: &str) -> Result<()> {
    let what = format!("{} {name} is gone", K::kind(&()));
    all(api, named(name), &what, BTreeMap::is_empty).await.map(drop)
}

/// Selects one object.
#[must_use]
pub fn named(name: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("metadata.name={name}"))
}

/// Selects by labels.
#[must_use]
pub fn labelled(labels: &str) -> watcher::Config {
    watcher::Config::default().labels(labels)
}

/// The objects, short enough to read.
fn shown<K: Object>(seen: &BTreeMap<String, K>) -> String {
    if seen.is_empty() {
        return "nothing".to_owned();
    }
    let mut text = String::new();
    for (name, object) in seen {
        let mut object = object.clone();
        object.meta_mut().managed_fields = None;
        let json = serde_json::to_string(&object).unwrap_or_else(|error| error.to_string());
        let json: String = json.chars().take(3000).collect();
        text.push_str(&format!("\n  {name}: {json}"));
    }
    text
}
