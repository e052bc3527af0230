//! Pods and GameServers that somebody deletes are made again.

use anyhow::Result;
use gamewarden_api::GameServer;
use gamewarden_tests::{
    Gss, Manifest,
    gss::{condition, ops_state},
    in_namespace, wait,
};
use kube::api::DeleteParams;
use serde_json::{json, to_value};

#[tokio::test]
async fn a_deleted_pod_is_made_again_and_its_server_begins_anew() -> Result<()> {
    in_namespace("lost-pod", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?).await?;
        let before = set.wait_ready(&[0, 1]).await?;
        set.patch_server(0, json!({"opsState": "Allocated", "deletionPriority": 5, "updatePriority": 3}))
            .await?;
        let old = set.servers().get("game-0").await?.metadata.uid;
        set.pods().delete("game-0", &DeleteParams::default()).await?;
        let mut beginnings = Vec::new();
        set.wait_server(0, "another is Ready", |server| {
            let another = server.metadata.uid != old;
            if another && beginnings.is_empty() {
                beginnings.push(to_value(&server.spec).unwrap_or_default());
            }
            let state = server.status.as_ref().and_then(|s| s.current_state);
            another && state.is_some_and(|state| state.as_str() == "Ready")
        })
        .await?;
        let new =
            json!({"opsState": "None", "deletionPriority": 0, "updatePriority": 0, "networkDisabled": false});
        assert_eq!(beginnings, [new]);
        let after = set.wait_ready(&[0, 1]).await?;
        assert_ne!(after["game-0"].metadata.uid, before["game-0"].metadata.uid);
        assert_eq!(after["game-1"].metadata.uid, before["game-1"].metadata.uid);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_deleted_game_server_is_made_again_and_gets_its_verdict() -> Result<()> {
    in_namespace("lost-gs", async |namespace| {
        let set = Gss::create(namespace, &Manifest::idle("game", 1)?).await?;
        let idle = [(0, "WaitToBeDeleted")];
        set.wait_states(&idle).await?;
        let pod = set.identity(0).await?;
        let old = set.servers().get("game-0").await?.metadata.uid;
        namespace.kubectl("delete gs game-0 --wait=false").await?;
        let again = |server: &GameServer| {
            server.metadata.uid != old
                && ops_state(server) == Some("WaitToBeDeleted")
                && condition(server, "idle") == Some(("True", "0 players"))
        };
        wait::one(&set.servers(), "game-0", "another has the verdict", again).await?;
        set.wait_states(&idle).await?;
        assert_eq!(set.identity(0).await?, pod, "the pod stays");
        Ok(())
    })
    .await
}
