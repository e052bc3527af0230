//! Which servers scale-down takes.

use anyhow::Result;
use gamewarden_tests::{Gss, Manifest, in_namespace};
use serde_json::json;

#[tokio::test]
async fn idle_ones_go_first_and_those_in_use_last() -> Result<()> {
    in_namespace("order", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 6)?).await?;
        set.wait_ready(&[0, 1, 2, 3, 4, 5]).await?;
        for (ordinal, state, priority) in [
            (5, "Maintaining", 9),
            (4, "Allocated", 9),
            (3, "None", 0),
            (2, "Draining", 0),
            (1, "None", 7),
            (0, "WaitToBeDeleted", 0),
        ] {
            let patch = format!(r#"{{"spec":{{"opsState":"{state}","deletionPriority":{priority}}}}}"#);
            namespace.kubectl(&format!("patch gs game-{ordinal} --type merge -p {patch}")).await?;
        }
        let all = [
            (0, "WaitToBeDeleted"),
            (1, "None"),
            (3, "None"),
            (2, "Draining"),
            (4, "Allocated"),
            (5, "Maintaining"),
        ];
        for (ordinal, _) in all {
            set.wait_seen(ordinal).await?;
        }
        // One after another, and at last three at once.
        for left in [5, 4, 3, 1] {
            set.scale(left).await?;
            let gone = all.len() - usize::try_from(left)?;
            set.wait_states(&all[gone..]).await?;
        }
        namespace.said_often("GameServerSet", "game", "scale", 4).await?;
        let said = namespace.messages("GameServerSet", "game", "scale").await?;
        assert_eq!(
            said,
            ["scale from 3 to 1", "scale from 4 to 3", "scale from 5 to 4", "scale from 6 to 5"]
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_kill_server_goes_at_once_and_lowers_replicas() -> Result<()> {
    in_namespace("kill", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 3)?).await?;
        set.wait_ready(&[0, 1, 2]).await?;
        set.patch_server(1, json!({"opsState": "Kill"})).await?;
        set.wait_ready(&[0, 2]).await?;
        let after = set
            .wait("two are left", |set| {
                set.status.as_ref().is_some_and(|s| s.current_replicas == 2 && s.replicas == 2)
            })
            .await?;
        assert_eq!(after.spec.replicas, 2);
        Ok(())
    })
    .await
}
