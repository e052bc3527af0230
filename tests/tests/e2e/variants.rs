//! The manual's sets with other names, numbers and thresholds.

use anyhow::{Result, ensure};
use gamewarden_tests::{
    Gss, Manifest,
    gss::{condition, ops_state},
    in_namespace,
    player::Player,
};
use serde_json::json;

#[tokio::test]
async fn five_servers_under_another_name_asked_every_second() -> Result<()> {
    in_namespace("five", async |namespace| {
        let probes = json!({"periodSeconds": 1, "failureThreshold": 1});
        let manifest = Manifest::example("minecraft", "a-lobby-2")?.replicas(5).quality(probes);
        let set = Gss::create(namespace, &manifest).await?;
        let idle = "WaitToBeDeleted";
        let all = [(0, idle), (1, idle), (2, idle), (3, idle), (4, idle)];
        set.wait_states(&all).await?;
        let player = Player::enter(namespace, "a-lobby-2-3").await?;
        set.wait_states(&[(0, idle), (1, idle), (2, idle), (3, "None"), (4, idle)]).await?;
        set.wait("the status counts four", |set| {
            set.status.as_ref().is_some_and(|s| s.wait_to_be_deleted_replicas == 4)
        })
        .await?;
        drop(player);
        set.wait_states(&all).await?;
        Ok(())
    })
    .await
}

/// A probe that succeeds every other time, until there is a file `always`; it prints how often it ran.
const EVERY_OTHER: &str = "cd /run/game; n=$(( $(cat n 2>/dev/null) + 1 )); echo $n | tee n; \
                           [ -e always ] || [ $((n % 2)) = 0 ]";

#[tokio::test]
async fn a_success_threshold_of_two_takes_two_in_a_row() -> Result<()> {
    in_namespace("threshold", async |namespace| {
        let manifest = Manifest::idle("game", 1)?.quality(json!({
            "exec": {"command": ["bash", "-c", EVERY_OTHER]},
            "periodSeconds": 1, "failureThreshold": 1, "successThreshold": 2,
        }));
        let set = Gss::create(namespace, &manifest).await?;
        let mut early = false;
        set.wait_server(0, "it failed for the fourth time", |server| {
            early |= ops_state(server) == Some("WaitToBeDeleted");
            condition(server, "idle") == Some(("False", "7"))
        })
        .await?;
        ensure!(!early, "single successes made it WaitToBeDeleted");
        namespace.exec("game-0", "touch /run/game/always").await?;
        set.wait_states(&[(0, "WaitToBeDeleted")]).await?;
        Ok(())
    })
    .await
}
