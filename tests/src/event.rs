//! What was said about an object.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Event;
use kube::runtime::watcher;

use crate::{Namespace, wait};

impl Namespace {
    /// Waits for an event with this text about an object; gives it.
    ///
    /// # Errors
    /// It is not said.
    pub async fn said(&self, kind: &str, name: &str, message: &str) -> Result<Event> {
        let fits = |event: &Event| event.message.as_deref() == Some(message);
        let what = format!("an event of {kind} {name} says {message:?}");
        let seen =
            wait::all(&self.api::<Event>(), about(kind, name), &what, |seen| seen.values().any(fits)).await?;
        seen.into_values().find(fits).context(what)
    }

    /// Waits until so many events about an object begin like this.
    ///
    /// # Errors
    /// Fewer are said.
    pub async fn said_often(&self, kind: &str, name: &str, begin: &str, times: usize) -> Result<()> {
        let what = format!("{times} events of {kind} {name} begin with {begin:?}");
        let fits = |event: &&Event| event.message.as_ref().is_some_and(|m| m.starts_with(begin));
        let api = self.api::<Event>();
        wait::all(&api, about(kind, name), &what, |seen| seen.values().filter(fits).count() >= times)
            .await
            .map(drop)
    }

    /// The texts of all events about an object that begin like this, sorted; one that was repeated is there as
    /// often as its count says.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn messages(&self, kind: &str, name: &str, begin: &str) -> Result<Vec<String>> {
        let seen = wait::all(&self.api::<Event>(), about(kind, name), "events", |_| true).await?;
        let mut messages = Vec::new();
        for event in seen.into_values() {
            let message = event.message.unwrap_or_default();
            if message.starts_with(begin) {
                let count = usize::try_from(event.count.unwrap_or(1))?;
                messages.extend(vec![message; count]);
            }
        }
        messages.sort();
        Ok(messages)
    }
}

fn about(kind: &str, name: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("involvedObject.kind={kind},involvedObject.name={name}"))
}
