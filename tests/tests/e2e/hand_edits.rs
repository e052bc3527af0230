//! What a person sets stays until the next new verdict, and Maintaining longer than that.

use anyhow::Result;
use gamewarden_tests::{
    Gss, Manifest,
    gss::{condition, ops_state},
    in_namespace,
    player::Player,
};

#[tokio::test]
async fn a_hand_set_state_stays_until_the_next_verdict_and_maintaining_holds() -> Result<()> {
    in_namespace("hand", async |namespace| {
        let set = Gss::create(namespace, &Manifest::idle("game", 2)?).await?;
        let idle = "WaitToBeDeleted";
        set.wait_states(&[(0, idle), (1, idle)]).await?;
        let by_hand = async |state: &str| {
            let patch = format!(r#"patch gs game-0 --type merge -p {{"spec":{{"opsState":"{state}"}}}}"#);
            namespace.kubectl(&patch).await
        };

        // Asked as often as the other one, which has changed twice meanwhile.
        by_hand("Tournament").await?;
        let player = Player::enter(namespace, "game-1").await?;
        set.wait_states(&[(0, "Tournament"), (1, "None")]).await?;
        drop(player);
        set.wait_states(&[(0, "Tournament"), (1, idle)]).await?;

        // A new verdict is stronger than a state of the user's own …
        let player = Player::enter(namespace, "game-0").await?;
        set.wait_states(&[(0, "None"), (1, idle)]).await?;

        // … and not stronger than a person's Maintaining.
        by_hand("Maintaining").await?;
        drop(player);
        let mut left = false;
        set.wait_server(0, "nobody plays", |server| {
            left |= ops_state(server) != Some("Maintaining");
            condition(server, "idle") == Some(("True", "0 players"))
        })
        .await?;
        assert!(!left, "a verdict has overwritten a person's Maintaining");
        set.wait_states(&[(0, "Maintaining"), (1, idle)]).await?;

        // Until that person takes it back; then the next verdict counts again.
        by_hand("None").await?;
        let player = Player::enter(namespace, "game-0").await?;
        set.wait_server(0, "somebody plays", |server| {
            condition(server, "idle") == Some(("False", "1 player"))
        })
        .await?;
        drop(player);
        set.wait_states(&[(0, idle), (1, idle)]).await?;
        Ok(())
    })
    .await
}
