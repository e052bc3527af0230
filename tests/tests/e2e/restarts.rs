//! A container that ends is restarted in place, and what that says of the server.

use anyhow::Result;
use gamewarden_tests::{
    Gss, Manifest, Namespace,
    gss::{condition, container_statuses},
    in_namespace, wait,
};
use k8s_openapi::api::core::v1::ContainerStatus;
use serde_json::json;

/// Ends the container by ending what it runs for. The command may go down with it, so its own end tells
/// nothing; what follows does.
async fn end_container(namespace: &Namespace) {
    let end = "until game=$(pidof nc); do sleep 0.1; done; kill -9 $game";
    if let Err(error) = namespace.exec("game-0", end).await {
        eprintln!("{error:#}");
    }
}

/// Wait until what the kubelet says of the only container is as wished.
async fn container(set: &Gss<'_>, what: &str, wished: impl Fn(&ContainerStatus) -> bool) -> Result<()> {
    wait::one(&set.pods(), "game-0", &format!("its container {what}"), |pod| {
        container_statuses(pod).any(&wished)
    })
    .await?;
    Ok(())
}

fn running(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.running.is_some())
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
        container(&set, "was restarted", |status| status.restart_count == 1 && status.ready).await?;
        end_container(namespace).await;
        // What is said of the server may still be of the first end, what is said of the container not.
        container(&set, "ended again", |status| status.restart_count == 1 && !running(status)).await?;
        let down = Some(("False", "Container minecraft is not running"));
        set.wait_server(0, "its container is not running", |server| condition(server, "healthy") == down)
            .await?;
        let message = "OpsState turn from None to Maintaining game-0";
        namespace.said("GameServer", "game-0", message).await?;
        container(&set, "was restarted again", |status| status.restart_count == 2 && status.ready).await?;
        set.wait_server(0, "it is healthy again", |server| condition(server, "healthy") == healthy).await?;
        set.wait_ready(&[0]).await?;
        let after = set.identity(0).await?;
        assert_eq!(after.uid, before.uid, "the pod was made again");
        Ok(())
    })
    .await
}
