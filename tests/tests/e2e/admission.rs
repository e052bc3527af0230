//! What people are told when they apply, and what is stored then (docs/validation.md).

use std::fs;

use anyhow::{Context, Result, ensure};
use gamewarden_api::{GameServer, GameServerSet};
use gamewarden_tests::{Gss, Manifest, Namespace, cluster, in_namespace, untyped::smallest, wait};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// What kubectl answers to `apply -f -`, both streams.
async fn apply(namespace: &Namespace, object: &Value, more: &str) -> Result<String> {
    let output = namespace.try_kubectl(&format!("apply -f -{more}"), Some(&object.to_string())).await?;
    Ok(format!("{}{}", output.stderr, output.stdout))
}

fn idle(patch: Value) -> Result<Value> {
    Ok(Manifest::idle("game", 1)?.merge(patch).value())
}

/// The console blocks of the page on validation hold this answer.
fn is_shown(answer: &str) -> Result<()> {
    let page = fs::read_to_string(cluster::repository().join("docs/validation.md"))?;
    // kubectl leaves a space at the end of a line, which no page keeps.
    let answer: Vec<&str> = answer.lines().map(str::trim_end).collect();
    ensure!(page.contains(&answer.join("\n")), "docs/validation.md does not show\n{answer:#?}");
    Ok(())
}

#[tokio::test]
async fn kubectl_lists_all_mistakes_at_once() -> Result<()> {
    in_namespace("mistakes", async |namespace| {
        let mut set = idle(json!({"replicas": -1}))?;
        let quality = &mut set["spec"]["serviceQualities"][0];
        quality["containerName"] = json!("mincraft");
        quality["timeoutSeconds"] = json!(1);
        for more in ["", " --dry-run=server"] {
            let said = apply(namespace, &set, more).await?;
            is_shown(&said)?;
            ensure!(said.lines().count() == 3, "{said}");
        }
        // Tools that show only the message show all of it, too.
        let object = serde_json::from_value(set)?;
        let refused = namespace.untyped_sets().create(&PostParams::default(), &object).await;
        let said = refused.err().context("it was made")?.to_string();
        for part in [
            "admission webhook \"default.gameserversets.gamewarden.dev\" denied the request: GameServerSet.game.kruise.io \"game\" is \
             invalid:",
            "\n* spec.replicas: -1 is out of range",
            "\n* spec.serviceQualities[0].containerName: containerName \"mincraft\" is not a container",
        ] {
            ensure!(said.contains(part), "{part:?} is missing in\n{said}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn kubectl_shows_warnings_and_the_set_is_stored_with_its_defaults() -> Result<()> {
    in_namespace("warnings", async |namespace| {
        let mut set = idle(json!({}))?;
        let quality = &mut set["spec"]["serviceQualities"][0];
        quality["serviceQualityAction"] = json!([
            {"state": true, "opsState": "kill", "labels": {"a": "b"}}, {"state": false, "opsState": "None"},
        ]);
        quality["periodSeconds"] = json!(0);
        for field in ["containerName", "initialDelaySeconds", "timeoutSeconds"] {
            quality.as_object_mut().context("a quality")?.remove(field);
        }
        let said = apply(namespace, &set, "").await?;
        is_shown(&said)?;
        let stored = namespace.untyped_sets().get("game").await?;
        let quality = &stored.data["spec"]["serviceQualities"][0];
        for (field, value) in [
            ("containerName", json!("minecraft")),
            ("initialDelaySeconds", json!(10)),
            ("timeoutSeconds", json!(5)),
            ("periodSeconds", json!(3)),
            ("successThreshold", json!(1)),
        ] {
            ensure!(quality[field] == value, "{field} is {}", quality[field]);
        }
        // Whoever applies the same again, in either way, changes nothing.
        let generation = stored.metadata.generation;
        for more in ["", " --server-side --force-conflicts"] {
            apply(namespace, &set, more).await?;
            let stored = namespace.untyped_sets().get("game").await?;
            ensure!(
                stored.metadata.generation == generation,
                "{more}: generation {:?}",
                stored.metadata.generation
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_set_that_is_older_than_a_rule_lives_on() -> Result<()> {
    in_namespace("older-than-rules", async |namespace| {
        // The definitions do not see that the range ends before it starts.
        let past = namespace.past_the_webhook().await?;
        let object = smallest(json!({"spec": {"reserveGameServerIds": ["7-5"]}}));
        past.untyped_sets().create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        for line in [
            "scale gss game --replicas=1",
            "annotate gss game note=kept",
            "patch gss game --type=merge -p {\"metadata\":{\"finalizers\":[\"gamewarden.test/hold\"]}}",
            "patch gss game --type=merge -p {\"spec\":{\"replicas\":0}}",
        ] {
            let output = namespace.try_kubectl(line, None).await?;
            // Who goes is told, where somebody does.
            let told = output.stderr.is_empty() || output.stderr == "Warning: goes, in this order: game-0 (None)\n";
            ensure!(output.success && told, "{line}: {output:?}");
        }
        let elsewhere = "patch gss game --type=merge -p {\"spec\":{\"serviceName\":\"games\"}}";
        let output = namespace.try_kubectl(elsewhere, None).await?;
        let kept = "Warning: spec.reserveGameServerIds[0]: \"7-5\": the range ends before it starts; write \"5-7\"\n";
        ensure!(output.success && output.stderr == kept, "{output:?}");
        let worse = "patch gss game --type=merge -p {\"spec\":{\"reserveGameServerIds\":[\"7-5\",\"9-8\"]}}";
        let output = namespace.try_kubectl(worse, None).await?;
        let refused = "The GameServerSet \"game\" is invalid: spec.reserveGameServerIds[1]: \"9-8\": the range ends before it \
                       starts; write \"8-9\"\n";
        ensure!(!output.success && output.stderr.ends_with(refused), "{output:?}");
        namespace.kubectl("delete gss game --wait=false").await?;
        let going = "patch gss game --type=merge -p {\"metadata\":{\"finalizers\":null}}";
        namespace.kubectl(going).await?;
        wait::gone(&namespace.api::<GameServerSet>(), "game").await
    })
    .await
}

#[tokio::test]
async fn game_servers_are_judged_with_what_their_pod_has() -> Result<()> {
    in_namespace("server-rules", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 1)?).await?;
        wait::one(&set.servers(), "game-0", "its pod's status is known", |server: &GameServer| {
            let pod = server.status.as_ref().map(|status| &status.pod_status);
            pod.and_then(|pod| pod.get("containerStatuses")?.as_array()).is_some_and(|list| !list.is_empty())
        })
        .await?;
        let patch = async |spec: Value| -> Result<String> {
            let line = format!("patch gs game-0 --type=merge -p {}", json!({"spec": spec}));
            let output = namespace.try_kubectl(&line, None).await?;
            Ok(format!("{}{}", output.stderr, output.stdout))
        };
        for (spec, wanted) in [
            (
                json!({"opsState": "maintaining"}),
                "Warning: spec.opsState: \"maintaining\" is unknown; did you mean \"Maintaining\"?\n",
            ),
            (
                json!({"deletionPriority": "high", "containers": [{"name": "minecraf", "image": "x"}]}),
                "Warning: spec.opsState: \"maintaining\" is unknown; did you mean \"Maintaining\"?\nThe GameServer \"game-0\" \
                 is invalid: \n* spec.deletionPriority: \"high\" is no whole number; write one, as \
                 10\n* spec.containers[0].name: \"minecraf\" is not a container of the pod (has: minecraft); did you mean \
                 \"minecraft\"?\n",
            ),
            (json!({"opsState": "Allocated"}), "gameserver.game.kruise.io/game-0 patched\n"),
        ] {
            let said = patch(spec).await?;
            ensure!(said.starts_with(wanted), "wanted {wanted}\nsaid {said}");
        }
        // The controller's own writes are nobody's mistake: it is not asked about them.
        let servers = namespace.past_the_webhook().await?.api::<GameServer>();
        let bad = Patch::Merge(json!({"spec": {"deletionPriority": "high"}}));
        servers.patch("game-0", &PatchParams::default(), &bad).await?;
        Ok(())
    })
    .await
}
