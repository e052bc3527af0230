//! Whether anything is written: the versions of all that is in a namespace.

use std::time::Duration;

use anyhow::{Result, bail};
use gamewarden_api::{GameServer, GameServerSet, names};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Event, Pod},
};
use kube::{Resource, ResourceExt, api::ListParams};
use tokio::time::sleep;

use crate::{Namespace, wait::Object};

/// How often it is looked whether the last writes are over.
const SETTLING: u32 = 20;

/// How long nothing must have been written.
const QUIET: Duration = Duration::from_secs(2);

impl Namespace {
    /// Name and resourceVersion of everything in the namespace, events of others apart: those of a busy kubelet come late.
    ///
    /// # Errors
    /// It cannot be listed.
    pub async fn versions(&self) -> Result<Vec<String>> {
        let mut versions = Vec::new();
        versions.extend(versions_of::<GameServerSet>(self, |_| true).await?);
        versions.extend(versions_of::<GameServer>(self, |_| true).await?);
        versions.extend(versions_of::<Pod>(self, |_| true).await?);
        let is_ours = |event: &Event| {
            let source = event.source.as_ref().and_then(|source| source.component.as_deref());
            source == Some(names::EVENT_COMPONENT)
        };
        versions.extend(versions_of::<Event>(self, is_ours).await?);
        Ok(versions)
    }

    /// Waits until nothing more is written: changes are mirrored to statuses, labels and events a moment after
    /// they are made. Gives the versions then.
    ///
    /// # Errors
    /// The writing does not end.
    pub async fn settled(&self) -> Result<Vec<String>> {
        let mut before = self.versions().await?;
        for _ in 0..SETTLING {
            sleep(QUIET).await;
            let now = self.versions().await?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
        bail!("something is written again and again in {}; last seen: {before:#?}", self.name)
    }
}

async fn versions_of<K>(namespace: &Namespace, counts: impl Fn(&K) -> bool) -> Result<Vec<String>>
where
    K: Object + Resource<Scope = NamespaceResourceScope>,
{
    let list = namespace.api::<K>().list(&ListParams::default()).await?;
    let version =
        |object: &K| format!("{} {} {:?}", K::kind(&()), object.name_any(), object.resource_version());
    Ok(list.items.iter().filter(|object| counts(object)).map(version).collect())
}
