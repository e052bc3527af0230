//! A set of many servers, and a controller that is restarted.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gamewarden_tests::{
    Gss, Manifest,
    controller::{another_leads, metric, restart_leader},
    in_namespace,
};
use serde_json::json;
use tokio::time::sleep;

/// As many as start in reasonable time beside all the other tests; `make hundred` has more.
const SERVERS: u32 = 20;

/// How soon after the take-over each server must have been asked again: its period, and what a machine that is
/// busy with other tests takes.
const SOON: Duration = Duration::from_secs(45);

#[tokio::test]
async fn a_restarted_controller_goes_on_probing_and_repeats_nothing() -> Result<()> {
    in_namespace("crowd", async |namespace| {
        let manifest = Manifest::idle("crowd", SERVERS)?.quality(json!({"periodSeconds": 5}));
        let set = Gss::create(namespace, &manifest).await?;
        let states: Vec<(u32, &str)> = (0..SERVERS).map(|ordinal| (ordinal, "WaitToBeDeleted")).collect();
        set.wait_states(&states).await?;
        set.wait("its status has caught up", |set| {
            set.status
                .as_ref()
                .is_some_and(|s| s.wait_to_be_deleted_replicas == SERVERS.try_into().unwrap_or(0))
        })
        .await?;
        let before = namespace.settled().await?;

        let restarted = restart_leader(&namespace.client).await?;
        let leader = another_leads(&namespace.client, &restarted).await?;
        let began = Instant::now();
        // Other tests' servers are asked too: nearly all that are due once are asked once.
        loop {
            let asked = metric(&namespace.client, &leader, "gamewarden_probes_total").await?;
            let targets = metric(&namespace.client, &leader, "gamewarden_probe_targets").await?;
            if targets >= f64::from(SERVERS) && asked >= 2.0 * targets {
                break;
            }
            let text = format!("{asked} probes of {targets} targets");
            ensure!(began.elapsed() < SOON, "{text} after {}s", began.elapsed().as_secs());
            sleep(Duration::from_millis(500)).await;
        }
        let after = namespace.settled().await.context("after the take-over")?;
        ensure!(before == after, "written again:\nbefore {before:#?}\nafter {after:#?}");
        Ok(())
    })
    .await
}
