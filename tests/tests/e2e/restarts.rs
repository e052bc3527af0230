//! A container that ends is restarted in place, and what that says of the server.

use anyhow::Result;
use gamewarden_tests::{Gss, Manifest, Namespace, gss::condition, in_namespace, wait};
use serde_json::json;

/// Ends the container by ending what it runs for. The command may go down with it, so its own end tells
/// nothing; what follows does.
async fn end_container(namespace: &Namespace) {
    if let Err(error) = namespace.exec("game-0", "kill -9 $(pidof nc)").await {
        eprintln!("{error:#}");
    }
}

#[tokio::test]
async fn a_container_that_ended_is_false_at_once_and_restarted_in_its_pod() -> Result<()> {
    in_namespace("restart", async |namespace| {
        // With a threshold that no probe could reach: what is false here is false at once.
        let manifest = Manifest::example("demo-gs", "game")?
            .replicas(1)
            .often()
            .quality(json!({"failureThreshold": 1000}));
        let set = Gss::create(namespace, &manifest).await?;
        let healthy = Some(("True", "healthy"));
        set.wait_server(0, "it is healthy", |server| condition(server, "healthy") == healthy).await?;
        let before = set.identity(0).await?;

        // The first restart is immediate, before the second the kubelet waits for ten seconds.
        end_container(namespace).await;
        wait::one(&set.pods(), "game-0", "its container was restarted", |pod| {
            let statuses = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten());
            statuses.clone().any(|s| s.restart_count == 1 && s.ready)
        })
        .await?;
        end_container(namespace).await;
        let down = Some(("False", "Container minecraft is not running"));
        set.wait_server(0, "its container is not running", |server| condition(server, "healthy") == down)
            .await?;
        let message = "OpsState turn from None to Maintaining game-0";
        namespace.said("GameServer", "game-0", message).await?;
        set.wait_server(0, "it is healthy again", |server| condition(server, "healthy") == healthy).await?;
        set.wait_ready(&[0]).await?;
        let after = set.identity(0).await?;
        assert_eq!(after.uid, before.uid, "the pod was made again");
        assert_eq!(after.restarts, 2);
        Ok(())
    })
    .await
}
