//! What kubectl shows, explains, and says of what is refused.

use anyhow::Result;
use gamewarden_tests::{Gss, Manifest, in_namespace};
use serde_json::json;

#[tokio::test]
async fn sets_and_servers_have_short_names_columns_and_explanations() -> Result<()> {
    in_namespace("kubectl", async |namespace| {
        let set = Gss::create(namespace, &Manifest::idle("game", 1)?).await?;
        set.wait_states(&[(0, "WaitToBeDeleted")]).await?;
        set.wait("its status has caught up", |set| {
            set.status.as_ref().is_some_and(|s| s.ready_replicas == 1 && s.wait_to_be_deleted_replicas == 1)
        })
        .await?;
        let table = namespace.kubectl_table("get gss").await?;
        assert_eq!(
            table.columns,
            ["NAME", "DESIRED", "CURRENT", "UPDATED", "READY", "MAINTAINING", "WAITTOBEDELETED", "PREDELETE", "AGE"]
        );
        assert_eq!(table.rows(8), ["game 1 1 1 1 0 1 0"]);
        let both = namespace.kubectl("get gs,gss -o name").await?;
        assert_eq!(both, "gameserver.game.kruise.io/game-0\ngameserverset.game.kruise.io/game\n");

        let explained = namespace.kubectl("explain gss.spec.serviceQualities").await?;
        for part in [
            "GROUP:      game.kruise.io\nKIND:       GameServerSet\nVERSION:    v1alpha1\n",
            "FIELD: serviceQualities <[]Object>\n",
            "    What good service means for these servers: probes, and what their answers",
            "  containerName\t<string>\n",
            "  name\t<string> -required-\n",
            "  periodSeconds\t<integer>\n    Seconds from the start of one probe to the start of the next. Default 3.\n",
        ] {
            assert!(explained.contains(part), "{part:?} is missing in\n{explained}");
        }
        let explained = namespace.kubectl("explain gs.spec.opsState").await?;
        assert!(explained.contains("FIELD: opsState <string>"), "{explained}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn wrong_types_are_refused_with_the_fields_path() -> Result<()> {
    in_namespace("types", async |namespace| {
        for (patch, message) in [
            (
                json!({"replicas": "three"}),
                "spec.replicas: \"three\" is not a whole number; write one, as 5, without quotes",
            ),
            (
                json!({"replicas": -1}),
                "spec.replicas: -1 is out of range; write a number from 0 to 1000000",
            ),
            (
                json!({"serviceQualities": [{"exec": {"command": ["true"]}}]}),
                "spec.serviceQualities[0].name: missing; write a name of its own for each quality",
            ),
            (
                json!({"serviceQualities": [{"name": "a"}, {"name": "a"}]}),
                "spec.serviceQualities[1].name: \"a\" is the name of two qualities; rename one",
            ),
            (
                json!({"updateStrategy": {"rollingUpdate": {"podUpdatePolicy": "Sometimes"}}}),
                "spec.updateStrategy.rollingUpdate.podUpdatePolicy: \"Sometimes\" is not known (known: ReCreate, \
                 InPlaceIfPossible, InPlaceOnly)",
            ),
        ] {
            let manifest = Manifest::plain("game", 1)?.merge(patch);
            let output = namespace.try_kubectl("apply -f -", Some(&manifest.text())).await?;
            assert!(!output.success, "accepted: {}", manifest.text());
            assert!(output.stderr.contains(message), "{message:?} is missing in\n{}", output.stderr);
        }
        Ok(())
    })
    .await
}
