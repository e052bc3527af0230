//! Nothing is written while nothing changes.

use std::time::Duration;

use anyhow::{Result, ensure};
use gamewarden_tests::{Gss, Manifest, in_namespace};
use serde_json::json;
use tokio::time::sleep;

/// How long nothing may be written.
const REST: Duration = Duration::from_secs(15);

// That something does not happen shows only after a time: the one test here that waits by the clock.
#[tokio::test]
async fn at_rest_nothing_is_written() -> Result<()> {
    in_namespace("rest", async |namespace| {
        // One probe that could not be asked, on a busy machine, is no news.
        let manifest = Manifest::idle("game", 2)?.quality(json!({"failureThreshold": 5}));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_states(&[(0, "WaitToBeDeleted"), (1, "WaitToBeDeleted")]).await?;
        set.wait("its status has caught up", |set| {
            set.status.as_ref().is_some_and(|s| s.wait_to_be_deleted_replicas == 2)
        })
        .await?;
        let before = namespace.settled().await?;
        sleep(REST).await;
        let after = namespace.versions().await?;
        ensure!(before == after, "written at rest:\nbefore {before:#?}\nafter {after:#?}");
        Ok(())
    })
    .await
}
