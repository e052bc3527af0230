//! Bad states of a set: each is a condition while it lasts and one Warning event, and gone when it is healed.

use anyhow::{Context, Result};
use gamewarden_api::GameServerSet;
use gamewarden_tests::{Gss, Manifest, Namespace, in_namespace, wait};
use k8s_openapi::{
    api::core::v1::{Event, Pod, ResourceQuota},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::watcher,
};
use serde_json::{Value, json};

fn shown<'s>(set: &'s GameServerSet, type_: &str) -> Option<&'s Condition> {
    set.status.as_ref()?.conditions.iter().find(|c| c.type_ == type_)
}

/// Waits until the condition is there, and its message begins like this; gives it.
async fn begins(set: &Gss<'_>, type_: &str, begin: &str) -> Result<Condition> {
    let what = format!("the set is in {type_}: {begin}");
    let fits = |set: &GameServerSet| shown(set, type_).is_some_and(|c| c.message.starts_with(begin));
    let seen = set.wait(&what, fits).await?;
    let condition = shown(&seen, type_).context(what)?.clone();
    assert_eq!(condition.status, "True");
    assert_eq!(condition.observed_generation, seen.metadata.generation);
    Ok(condition)
}

/// Waits until no condition of any trouble is left.
async fn healed(set: &Gss<'_>) -> Result<()> {
    let healthy = |set: &GameServerSet| set.status.as_ref().is_some_and(|s| s.conditions.is_empty());
    set.wait("no condition is left", healthy).await.map(drop)
}

/// The Warning events of the set, as `reason: message`; repeats count.
async fn warnings(namespace: &Namespace) -> Result<Vec<String>> {
    let about =
        watcher::Config::default().fields("involvedObject.kind=GameServerSet,involvedObject.name=game");
    let seen = wait::all(&namespace.api::<Event>(), about, "events", |_| true).await?;
    let warnings = seen.into_values().filter(|event| event.type_.as_deref() == Some("Warning"));
    let text =
        |event: Event| format!("{}: {}", event.reason.unwrap_or_default(), event.message.unwrap_or_default());
    Ok(warnings.map(text).collect())
}

/// The one Warning event that there is.
async fn the_warning(namespace: &Namespace, reason: &str, condition: &Condition) -> Result<()> {
    namespace.said("GameServerSet", "game", &condition.message).await?;
    assert_eq!(warnings(namespace).await?, [format!("{reason}: {}", condition.message)]);
    Ok(())
}

#[tokio::test]
async fn an_exceeded_quota_is_shown_in_the_api_servers_words_and_heals() -> Result<()> {
    in_namespace("quota", async |namespace| {
        let quotas = namespace.api::<ResourceQuota>();
        let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}});
        quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
        wait::one(&quotas, "few", "the quota is in force", |quota| {
            quota.status.as_ref().is_some_and(|s| s.used.is_some())
        })
        .await?;
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?).await?;
        let condition = begins(&set, "ReplicaFailure", "game-").await?;
        assert_eq!(condition.reason, "ExceededQuota");
        // Which of the two comes first is open.
        let pod = if condition.message.starts_with("game-0") { "game-0" } else { "game-1" };
        assert_eq!(
            condition.message,
            format!(
                "{pod}: pods cannot be made: pods \"{pod}\" is forbidden: exceeded quota: few, requested: pods=1, used: \
                 pods=1, limited: pods=1; raise the quota or lower spec.replicas; it is tried again within a minute, and \
                 at once when the spec changes"
            )
        );
        set.wait("one pod is counted", |set| set.status.as_ref().is_some_and(|s| s.replicas == 1)).await?;
        the_warning(namespace, "FailedCreate", &condition).await?;
        let more = json!({"spec": {"hard": {"pods": "5"}}});
        quotas.patch("few", &PatchParams::default(), &Patch::Merge(more)).await?;
        set.wait_ready(&[0, 1]).await?;
        healed(&set).await?;
        assert_eq!(warnings(namespace).await?.len(), 1, "tries have been said again");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_template_that_the_api_server_refuses_is_shown_and_tried_at_once_when_it_changes() -> Result<()> {
    in_namespace("refused", async |namespace| {
        let template = |policy: Value| json!({"gameServerTemplate": {"spec": {"dnsPolicy": policy}}});
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?.merge(template(json!("Odd")))).await?;
        let begin = "game-0, game-1: pods cannot be made: Pod \"game-0\" is invalid: spec.dnsPolicy: Unsupported value: \
                     \"Odd\"";
        let condition = begins(&set, "ReplicaFailure", begin).await?;
        assert_eq!(condition.reason, "FailedCreate");
        the_warning(namespace, "FailedCreate", &condition).await?;
        set.patch(json!({"spec": template(json!(null))})).await?;
        set.wait_ready(&[0, 1]).await?;
        healed(&set).await
    })
    .await
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_shown_and_healed_by_another() -> Result<()> {
    in_namespace("image", async |namespace| {
        let good = Manifest::plain("game", 1)?;
        let bad = good.clone().container(json!({"image": "registry.invalid/none:1"}));
        let set = Gss::create(namespace, &bad).await?;
        let begin = "game-0: container minecraft: the image \"registry.invalid/none:1\" cannot be pulled: ";
        let condition = begins(&set, "ImageError", begin).await?;
        assert_eq!(condition.reason, "ImagePullFailed");
        the_warning(namespace, "ImageError", &condition).await?;
        let containers = good.object()?.spec.game_server_template.spec["containers"].clone();
        set.patch(json!({"spec": {"gameServerTemplate": {"spec": {"containers": containers}}}})).await?;
        set.wait_ready(&[0]).await?;
        healed(&set).await?;
        assert_eq!(warnings(namespace).await?.len(), 1, "the kubelet's tries have been said again");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn pods_that_no_node_takes_are_shown_until_one_does() -> Result<()> {
    in_namespace("unschedulable", async |namespace| {
        let selector = |value: Value| json!({"gameServerTemplate": {"spec": {"nodeSelector": value}}});
        // One: of several, the event names those that have waited for long enough in that second.
        let manifest = Manifest::plain("game", 1)?.merge(selector(json!({"no.such/node": "at-all"})));
        let set = Gss::create(namespace, &manifest).await?;
        let begin = "game-0: no node takes the pod: 0/";
        let condition = begins(&set, "Unschedulable", begin).await?;
        assert_eq!(condition.reason, "Unschedulable");
        the_warning(namespace, "Unschedulable", &condition).await?;
        set.patch(json!({"spec": selector(json!(null))})).await?;
        set.wait("its pod is ready", |set| set.status.as_ref().is_some_and(|s| s.ready_replicas == 1))
            .await?;
        healed(&set).await
    })
    .await
}

#[tokio::test]
async fn a_network_plugin_is_said_to_have_no_effect() -> Result<()> {
    in_namespace("network", async |namespace| {
        let network = json!({"networkType": "Kubernetes-HostPort", "networkConf": []});
        let manifest = Manifest::plain("game", 0)?.merge(json!({"network": network}));
        let set = Gss::create(namespace, &manifest).await?;
        let begin = "spec.network has no effect: the network plugin Kubernetes-HostPort is OpenKruiseGame's";
        let condition = begins(&set, "NetworkUnsupported", begin).await?;
        the_warning(namespace, "NetworkUnsupported", &condition).await?;
        set.patch(json!({"spec": {"network": null}})).await?;
        healed(&set).await
    })
    .await
}

#[tokio::test]
async fn a_set_that_openkruise_runs_is_left_alone_and_an_event_says_why() -> Result<()> {
    in_namespace("kruise", async |namespace| {
        let pods = namespace.api::<Pod>();
        let labels = json!({"game.kruise.io/owner-gss": "game"});
        let owner = json!({
            "apiVersion": "apps.kruise.io/v1beta1", "kind": "StatefulSet", "name": "game", "uid": "a-kruise-uid",
            "controller": true,
        });
        // No node takes it, so nothing runs; that it is there is enough.
        let pod = json!({
            "metadata": {"name": "game-0", "labels": labels, "ownerReferences": [owner]},
            "spec": {"nodeSelector": {"no.such/node": "at-all"}, "containers": [{"name": "main", "image": "i"}]},
        });
        pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
        let set = Gss::create(namespace, &Manifest::plain("game", 0)?).await?;
        let message = "pods of this set belong to the StatefulSet game of OpenKruise; the set is left alone: delete that \
                       workload, or install Gamewarden in external mode";
        let event = namespace.said("GameServerSet", "game", message).await?;
        assert_eq!(event.reason.as_deref(), Some("ManagedElsewhere"));
        set.patch(json!({"metadata": {"annotations": {"example.org/touched": "yes"}}, "spec": {"replicas": 2}})).await?;
        // The same set on which nobody else sits is done with by the same controller meanwhile.
        Gss::create(namespace, &Manifest::plain("other", 0)?).await?.wait("seen", |s| s.status.is_some()).await?;
        let seen = set.get().await?;
        // A pod may be seen after its set: what was written then is no more than the counts.
        assert_eq!(seen.annotations().get("gamewarden.dev/ordinals").map(String::as_str).unwrap_or(""), "");
        assert_eq!(pods.list(&Default::default()).await?.items.len(), 1);
        assert_eq!(set.servers().list(&Default::default()).await?.items.len(), 0);
        Ok(())
    })
    .await
}
