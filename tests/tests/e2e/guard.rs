//! Every other way than scale-down to lose a server in which somebody plays: what the webhook refuses, what passes, and
//! what it says before a set shrinks (docs/webhook.md).

use anyhow::{Context, Result, bail, ensure};
use gamewarden_api::GameServer;
use gamewarden_tests::{
    Gss, Manifest, Namespace,
    cluster::{client_without_retries, nodes_are_ours},
    in_namespace,
    kubectl::Output,
    node::{Node, number, tolerates},
    wait,
};
use k8s_openapi::api::core::v1::{Namespace as CoreNamespace, Pod};
use kube::{
    Api,
    api::{DeleteParams, EvictParams, ListParams, PostParams},
};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

/// Between two questions whether the webhook sees what has just been written.
const PAUSE: Duration = Duration::from_millis(100);

/// What kubectl says to a command line once it says `wanted` (success, where that is empty). The webhook sees what is
/// written a moment later, so a dry run is tried until it does.
async fn once_said(namespace: &Namespace, line: &str, wanted: &str) -> Result<Output> {
    let begin = Instant::now();
    loop {
        let output = namespace.try_kubectl(line, None).await?;
        let is_said = if wanted.is_empty() { output.success } else { output.stderr.contains(wanted) };
        if is_said {
            return Ok(output);
        }
        if begin.elapsed() > wait::DEADLINE {
            bail!("kubectl {line} never said {wanted:?}; last: {output:?}");
        }
        sleep(PAUSE).await;
    }
}

/// A Strict set with somebody on server 0, and nobody on server 1.
async fn played<'a>(namespace: &'a Namespace, manifest: Manifest) -> Result<Gss<'a>> {
    let set = Gss::create(namespace, &manifest.protection("Strict")).await?;
    set.wait_ready(&[0, 1]).await?;
    set.patch_server(0, json!({"opsState": "Allocated"})).await?;
    set.patch_server(1, json!({"opsState": "WaitToBeDeleted"})).await?;
    set.wait_states(&[(0, "Allocated"), (1, "WaitToBeDeleted")]).await?;
    once_said(namespace, "delete pod game-0 --dry-run=server", "game-0 (Allocated) may be in use").await?;
    once_said(namespace, "delete pod game-1 --dry-run=server", "").await?;
    Ok(set)
}

#[tokio::test]
async fn strict_refuses_every_way_to_lose_a_player() -> Result<()> {
    in_namespace("guard-strict", async |namespace| {
        let set = played(namespace, Manifest::plain("game", 2)?).await?;
        let before = set.identity(0).await?;
        let uid = set.servers().get("game-0").await?.metadata.uid;
        let refused = "game-0 (Allocated) may be in use, and set game is Strict (gamewarden.dev/protection): ";
        let owner = |what: &str| {
            let owners = r#"[{"apiVersion":"v1","kind":"ConfigMap","name":"none","uid":"no-such-uid"}]"#;
            format!(r#"patch {what} --type=merge -p {{"metadata":{{"ownerReferences":{owners}}}}}"#)
        };
        for (line, words) in [
            ("delete pod game-0", format!("(Forbidden): admission webhook \"pods.gamewarden.dev\" denied the request: {refused}its pod is not deleted.")),
            ("delete gs game-0", format!("{refused}its GameServer is not deleted.")),
            ("delete gss game", "game-0 (Allocated) of set game may be in use".to_owned()),
            ("delete gss --all", "game-0 (Allocated) of set game may be in use".to_owned()),
            ("label pod game-0 game.kruise.io/owner-gss-", format!("{refused}label game.kruise.io/owner-gss stays on its pod")),
            ("label pod game-0 --overwrite game.kruise.io/owner-gss=other", format!("{refused}label game.kruise.io/owner-gss stays on its pod")),
            (&owner("pod game-0"), "the ownerReferences of pod game-0 are not exchanged".to_owned()),
            (&owner("gs game-0"), "the ownerReferences of GameServer game-0 are not exchanged".to_owned()),
            (&owner("gss game"), "the ownerReferences of GameServerSet game are not exchanged".to_owned()),
            ("delete pod game-0 --grace-period=0 --force", format!("{refused}its pod is not deleted.")),
        ] {
            let output = namespace.try_kubectl(line, None).await?;
            ensure!(!output.success && output.stderr.contains(&words), "{line}: {output:?}");
        }
        // A raw client that deletes whole collections is asked about one by one, and without names.
        for error in [
            set.pods().delete_collection(&DeleteParams::default(), &ListParams::default()).await.err(),
            set.servers().delete_collection(&DeleteParams::default(), &ListParams::default()).await.err(),
        ] {
            let said = error.context("a collection was deleted")?.to_string();
            ensure!(said.contains(refused), "{said}");
        }
        ensure!(set.identity(0).await? == before, "game-0 is another pod");
        ensure!(set.servers().get("game-0").await?.metadata.uid == uid, "game-0 is another GameServer");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn who_may_go_goes_and_who_is_told_to_go_too() -> Result<()> {
    in_namespace("guard-allowed", async |namespace| {
        let set = played(namespace, Manifest::plain("game", 2)?).await?;
        let [zero, one] = [set.identity(0).await?, set.identity(1).await?];
        namespace.kubectl("delete pod game-1").await?;
        set.wait_states(&[(0, "Allocated"), (1, "None")]).await?;
        ensure!(set.identity(1).await? != one, "game-1 is the same pod");
        ensure!(set.identity(0).await? == zero, "game-0 is another pod");
        // Who is made anew is guarded from the beginning.
        once_said(namespace, "delete pod game-1 --dry-run=server", "game-1 (None) may be in use").await?;

        namespace.kubectl("annotate gs game-0 gamewarden.dev/allow-removal=true").await?;
        once_said(namespace, "delete pod game-0 --dry-run=server", "").await?;
        namespace.kubectl("delete pod game-0").await?;
        set.wait_ready(&[0, 1]).await?;
        // The set itself, when all of it may go.
        namespace.kubectl("annotate gss game gamewarden.dev/allow-removal=true").await?;
        once_said(namespace, "delete gss game --dry-run=server", "").await?;
        namespace.kubectl("delete gss game --wait=false").await?;
        wait::all(&set.pods(), set.members(), "all pods are gone", |pods| pods.is_empty()).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn evictions_wait_for_the_players() -> Result<()> {
    in_namespace("guard-evictions", async |namespace| {
        let set = played(namespace, Manifest::plain("game", 2)?).await?;
        let before = set.identity(0).await?;
        // One that tries again after a 429 would do so for minutes.
        let pods: Api<Pod> = Api::namespaced(client_without_retries().await?, &namespace.name);
        for dry_run in [true, false] {
            let params = EvictParams {
                delete_options: Some(DeleteParams { dry_run, ..DeleteParams::default() }),
                ..EvictParams::default()
            };
            match pods.evict("game-0", &params).await {
                Err(kube::Error::Api(status)) => {
                    ensure!(status.code == 429 && status.reason == "TooManyRequests", "{status:?}");
                    ensure!(status.message.contains("game-0 (Allocated) may be in use"), "{status:?}");
                    let after = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                    ensure!(after == 0, "{status:?}");
                }
                other => bail!("game-0 was evicted: {other:?}"),
            }
        }
        ensure!(set.identity(0).await? == before, "game-0 is another pod");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_drain_waits_until_the_players_have_left() -> Result<()> {
    if !nodes_are_ours()? {
        return Ok(());
    }
    let node = Node::add(number::GUARD).await?;
    let result = in_namespace("guard-drain", async |namespace| {
        let there = Manifest::plain("game", 2)?.merge(json!({"gameServerTemplate": {"spec": {
            "tolerations": [tolerates(&node.name)],
            "nodeSelector": {"kubernetes.io/hostname": node.name},
            "terminationGracePeriodSeconds": 1,
        }}}));
        let set = played(namespace, there).await?;
        let [before, idle] = [set.identity(0).await?, set.identity(1).await?];
        // Who is idle goes at once, who is played on stays.
        let output = namespace.try_kubectl(&format!("drain {} --timeout=15s", node.name), None).await?;
        ensure!(!output.success && output.stderr.contains("game-0"), "{output:?}");
        ensure!(set.identity(0).await? == before, "game-0 is another pod");
        wait::one(&set.pods(), "game-1", "game-1 is made anew", |pod: &Pod| {
            pod.metadata.uid.as_ref() != Some(&idle.uid)
        })
        .await?;
        set.patch_server(0, json!({"opsState": "WaitToBeDeleted"})).await?;
        namespace.kubectl(&format!("drain {} --timeout=60s", node.name)).await?;
        wait::one(&set.pods(), "game-0", "game-0 is made anew", |pod: &Pod| {
            pod.metadata.uid.as_ref() != Some(&before.uid)
        })
        .await?;
        Ok(())
    })
    .await;
    let removed = node.remove().await;
    result.and(removed)
}

#[tokio::test]
async fn a_namespace_goes_with_all_its_players() -> Result<()> {
    in_namespace("guard-namespace", async |namespace| {
        let api: Api<CoreNamespace> = Api::all(namespace.client.clone());
        let name = format!("{}-too", namespace.name);
        let labels = json!({"gamewarden.dev/e2e": "true"});
        let object = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
        api.create(&PostParams::default(), &object).await?;
        let inner = Namespace { client: namespace.client.clone(), name: name.clone() };
        let guarded = played(&inner, Manifest::plain("game", 2)?).await.map(drop);
        api.delete(&name, &DeleteParams::background()).await?;
        guarded?;
        wait::gone(&api, &name).await
    })
    .await
}

#[tokio::test]
async fn without_protection_a_deletion_is_one() -> Result<()> {
    in_namespace("guard-off", async |namespace| {
        for protection in ["Prefer", "Off"] {
            let set = Gss::create(namespace, &Manifest::plain("game", 1)?.protection(protection)).await?;
            set.wait_ready(&[0]).await?;
            set.patch_server(0, json!({"opsState": "Allocated"})).await?;
            set.wait_seen(0).await?;
            let before = set.identity(0).await?;
            namespace.kubectl("delete pod game-0").await?;
            set.wait_ready(&[0]).await?;
            ensure!(set.identity(0).await? != before, "{protection}: game-0 is the same pod");
            namespace.kubectl("delete gss game").await?;
            wait::all(&set.pods(), set.members(), "all pods are gone", |pods| pods.is_empty()).await?;
        }
        Ok(())
    })
    .await
}

/// While the set shrinks, and its idle server is still being looked at, nobody deletes the one in use by mistake.
#[tokio::test]
async fn prefer_refuses_who_is_not_due_while_the_set_shrinks() -> Result<()> {
    in_namespace("guard-shrinking", async |namespace| {
        // Its look takes as long as we like, and no verdict comes of a probe meanwhile.
        let script = "while [ -e /tmp/hang ]; do sleep 0.2; done";
        let actions = json!([{"state": true, "opsState": "WaitToBeDeleted"}, {"state": false, "opsState": "None"}]);
        let slow = json!({"failureThreshold": 100, "timeoutSeconds": 60});
        let manifest = Manifest::probed("game", script, actions)?.quality(slow).replicas(2);
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_states(&[(0, "WaitToBeDeleted"), (1, "WaitToBeDeleted")]).await?;
        set.patch_server(0, json!({"opsState": "Allocated"})).await?;
        set.wait_seen(0).await?;
        let before = set.identity(0).await?;
        namespace.exec("game-1", "touch /tmp/hang").await?;
        set.scale(1).await?;
        let refused = |what: &str| {
            format!(
                "denied the request: set game is shrinking to 1, and game-1 (WaitToBeDeleted) goes before game-0 (Allocated), which \
                 may be in use: its {what} is not deleted now. Leave it to the set, or delete game-1 instead. If it has to be this \
                 one: `kubectl annotate gs -n {} game-0 gamewarden.dev/allow-removal=true`",
                namespace.name
            )
        };
        once_said(namespace, "delete pod game-0 --dry-run=server", &refused("pod")).await?;
        for (line, words) in [
            ("delete pod game-0", refused("pod")),
            ("delete pod game-0 --grace-period=0 --force", refused("pod")),
            ("delete gs game-0", refused("GameServer")),
        ] {
            let output = namespace.try_kubectl(line, None).await?;
            ensure!(!output.success && output.stderr.contains(&words), "{line}: {output:?}");
        }
        // Who is due may be deleted by hand, too.
        once_said(namespace, "delete pod game-1 --dry-run=server", "").await?;
        namespace.exec("game-1", "rm /tmp/hang").await?;
        set.wait_states(&[(0, "Allocated")]).await?;
        ensure!(set.identity(0).await? == before, "game-0 is another pod");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_scale_down_is_told_before_it_happens() -> Result<()> {
    in_namespace("guard-preview", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 3)?).await?;
        set.wait_ready(&[0, 1, 2]).await?;
        set.patch_server(0, json!({"opsState": "WaitToBeDeleted"})).await?;
        set.patch_server(2, json!({"opsState": "Allocated"})).await?;
        set.wait_seen(2).await?;
        let told = "Warning: goes, in this order: game-0 (WaitToBeDeleted), game-1 (None)\n";
        let dry = "scale gss game --replicas=1 --dry-run=server";
        let output = once_said(namespace, dry, told).await?;
        ensure!(output.success && output.stderr == told, "{output:?}");
        let edit = "patch gss game --type=merge --dry-run=server -p {\"spec\":{\"replicas\":1}}";
        let output = once_said(namespace, edit, told).await?;
        ensure!(output.success && output.stderr == told, "{output:?}");
        set.wait_states(&[(0, "WaitToBeDeleted"), (1, "None"), (2, "Allocated")]).await?;

        namespace.kubectl("annotate gss game gamewarden.dev/protection=Strict").await?;
        let kept = "Warning: goes, in this order: game-0 (WaitToBeDeleted)\nWarning: stays while in use (Strict): game-1 \
                    (None)\nWarning: so there will be 2 servers, not 1, until those are WaitToBeDeleted or Kill\n";
        once_said(namespace, dry, kept).await?;
        let output = namespace.try_kubectl("scale gss game --replicas=1", None).await?;
        ensure!(output.success && output.stderr == kept, "{output:?}");
        let output = namespace.try_kubectl("annotate gss game gamewarden.dev/protecton=Off", None).await?;
        let misspelt = "Warning: metadata.annotations[gamewarden.dev/protecton]: unknown; did you mean \"gamewarden.dev/protection\"?\n";
        ensure!(output.success && output.stderr == misspelt, "{output:?}");
        set.wait_states(&[(1, "None"), (2, "Allocated")]).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_protection_that_is_none_is_refused() -> Result<()> {
    in_namespace("guard-annotation", async |namespace| {
        let manifest = Manifest::plain("game", 0)?;
        Gss::create(namespace, &manifest).await?;
        let output = namespace.try_kubectl("annotate gss game gamewarden.dev/protection=strict", None).await?;
        let said = "metadata.annotations[gamewarden.dev/protection]: \"strict\" is not known (known: Prefer, Strict, Off); did you \
                    mean \"Strict\"?";
        ensure!(!output.success && output.stderr.contains(said), "{output:?}");
        let servers: Api<GameServer> = namespace.api();
        ensure!(servers.list(&ListParams::default()).await?.items.is_empty(), "an empty set has servers");
        Ok(())
    })
    .await
}
