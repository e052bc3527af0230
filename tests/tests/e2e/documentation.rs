//! What the documentation says happens.

use std::{fs, process::Stdio};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use gamewarden_tests::{Gss, Namespace, cluster, documentation, in_namespace, player::Player};
use serde_json::{Value, json};
use tokio::process::Command;

#[tokio::test]
async fn every_object_that_the_documentation_shows_is_accepted() -> Result<()> {
    in_namespace("shown", async |namespace| {
        let mut items = Vec::new();
        for shown in documentation::shown()? {
            let mut object = shown.object;
            // Kinds that every cluster has with Gamewarden; a page may show the operator's of somebody else.
            if let Some("GameServerSet" | "HorizontalPodAutoscaler" | "ConfigMap") = object["kind"].as_str() {
                object["metadata"]["namespace"] = Value::Null;
                items.push(object);
            }
        }
        let all = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let output =
            namespace.try_kubectl("apply --dry-run=server --validate=strict -f -", Some(&all)).await?;
        ensure!(output.success, "refused: {}", output.stderr);
        Ok(())
    })
    .await
}

/// docs/first-quality.md from its YAML to the scale-down, and docs/matchmaking.md's script on the same servers.
#[tokio::test]
async fn the_first_quality_and_the_allocation_happen_as_told() -> Result<()> {
    in_namespace("first", async |namespace| {
        let mut objects = 0;
        for shown in documentation::shown()? {
            if shown.place.starts_with("docs/first-quality.md") {
                namespace.kubectl_with("apply -f -", Some(&shown.object.to_string())).await?;
                objects += 1;
            }
        }
        ensure!(objects == 2, "docs/first-quality.md shows {objects} objects, not a ConfigMap and a set");
        let set = Gss::of(namespace, "arena");
        set.wait_states(&[(0, "WaitToBeDeleted"), (1, "WaitToBeDeleted"), (2, "WaitToBeDeleted")]).await?;

        // Four who want a server at once, and three servers.
        let answers = try_join_all((0..4).map(|_| allocate(namespace, "arena"))).await?;
        let mut taken: Vec<&str> =
            answers.iter().flatten().filter_map(|line| line.split(' ').next()).collect();
        taken.sort_unstable();
        ensure!(taken == ["arena-0", "arena-1", "arena-2"], "servers were given as {answers:?}");
        set.wait_states(&[(0, "Allocated"), (1, "Allocated"), (2, "Allocated")]).await?;

        // Two are given back; on the third one somebody plays and leaves.
        for ordinal in [0, 2] {
            set.patch_server(ordinal, json!({"opsState": "WaitToBeDeleted"})).await?;
        }
        let player = Player::enter(namespace, "arena-1").await?;
        namespace.kubectl("wait pod/arena-1 --for=condition=game.kruise.io/idle=False --timeout=60s").await?;
        set.wait_states(&[(0, "WaitToBeDeleted"), (1, "Allocated"), (2, "WaitToBeDeleted")]).await?;
        namespace.kubectl("scale gss arena --replicas=1").await?;
        set.wait_states(&[(1, "Allocated")]).await?;
        drop(player);
        set.wait_states(&[(1, "WaitToBeDeleted")]).await?;
        Ok(())
    })
    .await
}

/// Runs the script of docs/matchmaking.md; gives the line it prints, or `None` where it finds no server.
async fn allocate(namespace: &Namespace, set: &str) -> Result<Option<String>> {
    let page = fs::read_to_string(cluster::repository().join("docs/matchmaking.md"))?;
    let (_, script) = page.split_once("```bash\n").context("docs/matchmaking.md has no script")?;
    let (script, _) = script.split_once("```").context("the script has no end")?;
    // The script works in the namespace of the context, the test in its own.
    let script = format!("kubectl() {{ command {} -n {} \"$@\"; }}\n{script}", kubectl()?, namespace.name);
    let output = Command::new("bash")
        .args(["-c", &script, "allocate", set])
        .env("KUBECONFIG", cluster::kubeconfig()?)
        .stdin(Stdio::null())
        .output()
        .await?;
    match output.status.code() {
        Some(0) => Ok(Some(String::from_utf8(output.stdout)?.trim().to_owned())),
        Some(1) => Ok(None),
        _ => anyhow::bail!("the script failed: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn kubectl() -> Result<String> {
    Ok(cluster::program("kubectl").to_str().context("the path of kubectl is text")?.to_owned())
}
