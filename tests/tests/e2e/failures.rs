//! What keeps pods from being made is said, and healed as soon as it is gone.

use anyhow::Result;
use gamewarden_tests::{Gss, Manifest, Namespace, in_namespace, wait};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

#[tokio::test]
async fn an_exceeded_quota_is_said_in_the_api_servers_words_and_heals() -> Result<()> {
    in_namespace("quota", async |namespace| {
        let quotas = namespace.api::<ResourceQuota>();
        let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}});
        quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
        wait::one(&quotas, "few", "the quota is in force", |quota| {
            quota.status.as_ref().is_some_and(|s| s.used.is_some())
        })
        .await?;
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?).await?;
        // Which of the two comes first is open.
        let events = wait::all(
            &namespace.api::<k8s_openapi::api::core::v1::Event>(),
            kube::runtime::watcher::Config::default().fields("involvedObject.name=game,reason=FailedCreate"),
            "the quota's refusal is said",
            |seen| !seen.is_empty(),
        )
        .await?;
        for event in events.values() {
            let message = event.message.clone().unwrap_or_default();
            let pod = if message.contains("game-0") { "game-0" } else { "game-1" };
            assert_eq!(
                message,
                format!(
                    "create pod {pod}: pods \"{pod}\" is forbidden: exceeded quota: few, requested: pods=1, used: \
                     pods=1, limited: pods=1"
                )
            );
            assert_eq!(event.type_.as_deref(), Some("Warning"));
        }
        quotas.delete("few", &DeleteParams::default()).await?;
        set.wait_ready(&[0, 1]).await?;
        Ok(())
    })
    .await
}

async fn stranger(namespace: &Namespace, labels: Value) -> Result<()> {
    let image = "registry.cn-hangzhou.aliyuncs.com/gs-demo/gameserver:idle";
    let pod = json!({
        "metadata": {"name": "game-0", "labels": labels},
        "spec": {"containers": [{"name": "other", "image": image}]},
    });
    namespace.api::<Pod>().create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    Ok(())
}

async fn stranger_goes(namespace: &Namespace, set: &Gss<'_>) -> Result<()> {
    set.wait_server(1, "the other server is made", |_| true).await?;
    namespace.api::<Pod>().delete("game-0", &DeleteParams::default().grace_period(1)).await?;
    set.wait_ready(&[0, 1]).await?;
    Ok(())
}

#[tokio::test]
async fn a_pod_of_somebody_else_under_our_name_is_left_alone_and_said() -> Result<()> {
    in_namespace("foreign", async |namespace| {
        stranger(namespace, json!({})).await?;
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?).await?;
        let message = "create pod game-0: pod game-0 exists and does not belong to the set";
        let event = namespace.said("GameServerSet", "game", message).await?;
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reason.as_deref(), Some("FailedCreate"));
        stranger_goes(namespace, &set).await
    })
    .await
}

#[tokio::test]
async fn a_pod_that_only_claims_to_be_ours_is_left_alone_and_said() -> Result<()> {
    in_namespace("claims", async |namespace| {
        stranger(namespace, json!({"game.kruise.io/owner-gss": "game"})).await?;
        let set = Gss::create(namespace, &Manifest::plain("game", 2)?).await?;
        let message = "pod game-0 holds the name of a server of this set but belongs to nobody; delete it, or \
                       reserve its ordinal in spec.reserveGameServerIds";
        let event = namespace.said("GameServerSet", "game", message).await?;
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reason.as_deref(), Some("NameConflict"));
        stranger_goes(namespace, &set).await
    })
    .await
}
