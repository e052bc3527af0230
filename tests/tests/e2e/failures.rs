//! A pod of somebody else under the name of a server is said, and the server made as soon as it is gone.

use anyhow::Result;
use gamewarden_tests::{Gss, Manifest, Namespace, in_namespace};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

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
        let message = "game-0: a pod that is not the set's has the name of a server: it belongs to nobody; delete that \
                       pod, or reserve its ordinal in spec.reserveGameServerIds";
        let event = namespace.said("GameServerSet", "game", message).await?;
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(event.reason.as_deref(), Some("NameConflict"));
        stranger_goes(namespace, &set).await
    })
    .await
}
