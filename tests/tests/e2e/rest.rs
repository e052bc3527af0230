//! Nothing is written while nothing changes.

use std::time::Duration;

use anyhow::{Result, ensure};
use gamewarden_api::{GameServer, GameServerSet};
use gamewarden_tests::{Gss, Manifest, Namespace, in_namespace, wait::Object};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::{ResourceExt, api::ListParams};
use tokio::time::sleep;

/// How long nothing may be written.
const REST: Duration = Duration::from_secs(15);

/// How often it is looked whether the last writes are over.
const SETTLING: u32 = 10;

/// Name and resourceVersion of everything in the namespace.
async fn versions(namespace: &Namespace) -> Result<Vec<String>> {
    let mut versions = Vec::new();
    versions.extend(versions_of::<GameServerSet>(namespace).await?);
    versions.extend(versions_of::<GameServer>(namespace).await?);
    versions.extend(versions_of::<Pod>(namespace).await?);
    versions.extend(versions_of::<Event>(namespace).await?);
    Ok(versions)
}

async fn versions_of<K>(namespace: &Namespace) -> Result<Vec<String>>
where
    K: Object + kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
{
    let list = namespace.api::<K>().list(&ListParams::default()).await?;
    let version =
        |object: &K| format!("{} {} {:?}", K::kind(&()), object.name_any(), object.resource_version());
    Ok(list.items.iter().map(version).collect())
}

// That something does not happen shows only after a time: the one test here that waits by the clock.
#[tokio::test]
async fn at_rest_nothing_is_written() -> Result<()> {
    in_namespace("rest", async |namespace| {
        let set = Gss::create(namespace, &Manifest::idle("game", 2)?).await?;
        set.wait_states(&[(0, "WaitToBeDeleted"), (1, "WaitToBeDeleted")]).await?;
        set.wait("its status has caught up", |set| {
            set.status.as_ref().is_some_and(|s| s.wait_to_be_deleted_replicas == 2)
        })
        .await?;
        // The last changes are still being mirrored to statuses and labels.
        let mut before = versions(namespace).await?;
        for _ in 0..SETTLING {
            sleep(Duration::from_secs(2)).await;
            let now = versions(namespace).await?;
            if std::mem::replace(&mut before, now.clone()) == now {
                break;
            }
        }
        sleep(REST).await;
        let after = versions(namespace).await?;
        ensure!(before == after, "written at rest:\nbefore {before:#?}\nafter {after:#?}");
        Ok(())
    })
    .await
}
