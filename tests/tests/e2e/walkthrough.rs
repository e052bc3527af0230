//! The manual's two walkthroughs, with its own YAML, unchanged but for the namespace.

use anyhow::{Context, Result, ensure};
use gamewarden_api::types::OpsState;
use gamewarden_tests::{
    Gss, Namespace, gss::condition, in_namespace, manifest::example_text, player::Player,
};

async fn apply_example<'a>(namespace: &'a Namespace, name: &str) -> Result<Gss<'a>> {
    let yaml = example_text(name, &namespace.name)?;
    let said = namespace.kubectl_with("apply -f -", Some(&yaml)).await?;
    assert_eq!(said, format!("gameserverset.game.kruise.io/{name} created\n"));
    Ok(Gss::of(namespace, name))
}

/// `kubectl get gs`, which the manual prints without the age, waiting until the status has caught up.
async fn get_gs(namespace: &Namespace) -> Result<Vec<String>> {
    let table = namespace.kubectl_table("get gs").await?;
    assert_eq!(table.columns, ["NAME", "STATE", "OPSSTATE", "DP", "UP", "AGE"]);
    Ok(table.rows(5))
}

#[tokio::test]
async fn idle_servers_are_marked_and_the_one_with_a_player_is_kept() -> Result<()> {
    in_namespace("idle", async |namespace| {
        let set = apply_example(namespace, "minecraft").await?;
        let idle = "WaitToBeDeleted";
        set.wait_states(&[(0, idle), (1, idle), (2, idle)]).await?;
        assert_eq!(
            get_gs(namespace).await?,
            [
                "minecraft-0 Ready WaitToBeDeleted 0 0",
                "minecraft-1 Ready WaitToBeDeleted 0 0",
                "minecraft-2 Ready WaitToBeDeleted 0 0",
            ]
        );
        let kept = set.identity(1).await?;

        let mut player = Player::enter(namespace, "minecraft-1").await?;
        set.wait_states(&[(0, idle), (1, "None"), (2, idle)]).await?;
        assert_eq!(
            get_gs(namespace).await?,
            [
                "minecraft-0 Ready WaitToBeDeleted 0 0",
                "minecraft-1 Ready None 0 0",
                "minecraft-2 Ready WaitToBeDeleted 0 0",
            ]
        );

        let scaled = namespace.kubectl("scale gss minecraft --replicas=1").await?;
        assert_eq!(scaled, "gameserverset.game.kruise.io/minecraft scaled\n");
        set.wait_states(&[(1, "None")]).await?;
        assert_eq!(set.identity(1).await?, kept, "minecraft-1 is another pod now");
        assert_eq!(player.say("hello").await?, "said", "the player plays on");
        namespace.said("GameServerSet", "minecraft", "scale from 3 to 1").await?;

        drop(player);
        set.wait_states(&[(1, idle)]).await?;
        namespace.said_often("GameServer", "minecraft-1", "OpsState", 3).await?;
        assert_eq!(
            namespace.messages("GameServer", "minecraft-1", "OpsState").await?,
            [
                "OpsState turn from None to WaitToBeDeleted minecraft-1",
                "OpsState turn from None to WaitToBeDeleted minecraft-1",
                "OpsState turn from WaitToBeDeleted to None minecraft-1",
            ]
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_ill_server_is_marked_and_not_restarted() -> Result<()> {
    in_namespace("ill", async |namespace| {
        let set = apply_example(namespace, "demo-gs").await?;
        // None is also what a server begins with: the verdict says that it was asked.
        for ordinal in 0..3 {
            set.wait_server(ordinal, "it is healthy", |server| {
                condition(server, "healthy") == Some(("True", "healthy"))
            })
            .await?;
        }
        let before = set.wait_ready(&[0, 1, 2]).await?;
        let well = ["demo-gs-0 Ready None 0 0", "demo-gs-1 Ready None 0 0", "demo-gs-2 Ready None 0 0"];
        assert_eq!(get_gs(namespace).await?, well);

        namespace.exec("demo-gs-0", "killall -9 chat-relay").await?;
        set.wait_states(&[(0, "Maintaining"), (1, "None"), (2, "None")]).await?;
        assert_eq!(get_gs(namespace).await?, ["demo-gs-0 Ready Maintaining 0 0", well[1], well[2]]);

        let message = "OpsState turn from None to Maintaining demo-gs-0";
        let event = namespace.said("GameServer", "demo-gs-0", message).await?;
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reason.as_deref(), Some("GsStateChanged"));
        assert_eq!(event.count, Some(1));
        let source = event.source.context("source")?;
        assert_eq!(source.component.as_deref(), Some("gameserver-controller"));
        let about = event.involved_object;
        assert_eq!(about.kind.as_deref(), Some("GameServer"));
        assert_eq!(about.name.as_deref(), Some("demo-gs-0"));
        assert_eq!(about.namespace.as_deref(), Some(namespace.name.as_str()));
        assert_eq!(about.uid, set.servers().get("demo-gs-0").await?.metadata.uid);
        ensure!(event.first_timestamp.is_some(), "no firstTimestamp");
        assert_eq!(event.first_timestamp, event.last_timestamp);
        ensure!(
            event.metadata.name.is_some_and(|name| name.starts_with("demo-gs-0.")),
            "the event's name does not begin with the server's"
        );

        namespace.exec("demo-gs-0", "./chat-relay start").await?;
        let after = set.wait_ready(&[0, 1, 2]).await?;
        for (name, pod) in &after {
            let identity = gamewarden_tests::gss::identity(pod)?;
            assert_eq!(identity.restarts, 0, "{name} was restarted");
            assert_eq!(pod.metadata.uid, before[name].metadata.uid, "{name} is another pod");
        }
        assert_eq!(get_gs(namespace).await?, well);
        set.wait("nobody is Maintaining", |set| {
            set.status.as_ref().is_some_and(|s| s.maintaining_replicas == 0 && s.ready_replicas == 3)
        })
        .await?;
        let server = set.servers().get("demo-gs-0").await?;
        assert_eq!(server.spec.ops_state, Some(OpsState::None));
        Ok(())
    })
    .await
}
