//! A HorizontalPodAutoscaler on a set: it scales it up, and waits for the players when it scales it down.

use anyhow::{Context, Result, ensure};
use gamewarden_tests::{Gss, Manifest, Namespace, cluster, gss::pending, in_namespace, wait};
use k8s_openapi::{
    api::autoscaling::v2::HorizontalPodAutoscaler,
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};

/// There is one adapter for these in a cluster.
const ADAPTER: &str = "v1beta1.external.metrics.k8s.io";

/// An autoscaler of the set `game`.
async fn autoscaler(namespace: &Namespace, spec: Value) -> Result<Api<HorizontalPodAutoscaler>> {
    let mut hpa = json!({"metadata": {"name": "game"}, "spec": spec});
    hpa["spec"]["scaleTargetRef"] =
        json!({"apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet", "name": "game"});
    let hpas: Api<HorizontalPodAutoscaler> = namespace.api();
    hpas.create(&PostParams::default(), &serde_json::from_value(hpa)?).await?;
    Ok(hpas)
}

/// What an autoscaler reads.
async fn scale(namespace: &Namespace) -> Result<Value> {
    let path = format!(
        "get --raw /apis/game.kruise.io/v1alpha1/namespaces/{}/gameserversets/game/scale",
        namespace.name
    );
    Ok(serde_json::from_str(&namespace.kubectl(&path).await?)?)
}

#[tokio::test]
async fn an_hpa_scales_a_set() -> Result<()> {
    in_namespace("hpa", async |namespace| {
        let set = Gss::create(namespace, &Manifest::plain("game", 1)?).await?;
        set.wait_ready(&[0]).await?;
        let hpas = autoscaler(
            namespace,
            json!({
                "minReplicas": 3,
                "maxReplicas": 5,
                "metrics": [{"type": "Resource", "resource":
                    {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
            }),
        )
        .await?;
        // No metrics are needed to see that there are fewer than the least.
        set.wait_ready(&[0, 1, 2]).await?;
        namespace.said("GameServerSet", "game", "scale from 1 to 3").await?;
        let able = |hpa: &HorizontalPodAutoscaler| {
            let conditions = hpa.status.iter().flat_map(|s| s.conditions.iter().flatten());
            let mut able = conditions.filter(|c| c.type_ == "AbleToScale" && c.status == "True");
            able.next().is_some() && hpa.status.as_ref().is_some_and(|s| s.current_replicas >= Some(1))
        };
        wait::one(&hpas, "game", "it sees the servers and is able to scale", able).await?;
        let scale = scale(namespace).await?;
        assert_eq!(scale["status"], json!({"replicas": 3, "selector": "game.kruise.io/owner-gss=game"}));
        Ok(())
    })
    .await
}

/// Makes the test's own server the cluster's adapter: it tells what it is told.
async fn adapter(namespace: &Namespace, adapters: &Api<APIService>) -> Result<()> {
    let set = Gss::create(namespace, &Manifest::served("metrics", &[])?).await?;
    set.wait_ready(&[0]).await?;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics"},
        "spec": {"selector": {"game.kruise.io/owner-gss": "metrics"}, "ports": [{"port": 443, "targetPort": 8443}]},
    });
    namespace.kubectl_with("create -f -", Some(&service.to_string())).await?;
    let object = serde_json::from_value(json!({
        "metadata": {"name": ADAPTER},
        "spec": {
            "group": "external.metrics.k8s.io", "version": "v1beta1",
            "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
            "service": {"namespace": namespace.name, "name": "metrics"},
        },
    }))?;
    adapters.create(&PostParams::default(), &object).await?;
    wait::one(adapters, ADAPTER, "the API server reaches it", |adapter| {
        let conditions = adapter.status.iter().flat_map(|s| s.conditions.iter().flatten());
        conditions.filter(|c| c.type_ == "Available").any(|c| c.status == "True")
    })
    .await
    .map(drop)
}

/// The API server's discovery fails for everybody while there is an adapter that does not answer.
async fn without_adapter(adapters: &Api<APIService>) -> Result<()> {
    match adapters.delete(ADAPTER, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error).context("removing the adapter of metrics"),
    }
}

#[tokio::test]
async fn an_hpa_waits_for_the_players_of_a_strict_set() -> Result<()> {
    if !cluster::nodes_are_ours()? {
        return Ok(());
    }
    let adapters: Api<APIService> = Api::all(cluster::client().await?);
    let result = in_namespace("hpa-strict", async |namespace| {
        let tried = shrinks_as_players_leave(namespace, &adapters).await;
        let removed = without_adapter(&adapters).await;
        tried.and(removed)
    })
    .await;
    // However the test has ended.
    let removed = without_adapter(&adapters).await;
    result.and(removed)
}

async fn shrinks_as_players_leave(namespace: &Namespace, adapters: &Api<APIService>) -> Result<()> {
    adapter(namespace, adapters).await?;
    let set = Gss::create(namespace, &Manifest::plain("game", 3)?.protection("Strict")).await?;
    set.wait_ready(&[0, 1, 2]).await?;
    for (ordinal, state) in [(0, "Allocated"), (1, "Allocated"), (2, "WaitToBeDeleted")] {
        set.patch_server(ordinal, json!({"opsState": state})).await?;
        set.wait_seen(ordinal).await?;
    }
    let kept = [set.identity(0).await?, set.identity(1).await?];
    namespace.tell("metrics-0", "state/200/3").await?;
    let hpas = autoscaler(
        namespace,
        json!({
            "minReplicas": 1,
            "maxReplicas": 5,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
            "metrics": [{"type": "External", "external":
                {"metric": {"name": "players"}, "target": {"type": "AverageValue", "averageValue": "1"}}}],
        }),
    )
    .await?;
    let wants = |replicas: i32| {
        move |hpa: &HorizontalPodAutoscaler| {
            hpa.status.as_ref().is_some_and(|s| s.desired_replicas == replicas && s.current_metrics.is_some())
        }
    };
    wait::one(&hpas, "game", "it wants three", wants(3)).await?;

    namespace.tell("metrics-0", "state/200/1").await?;
    wait::one(&hpas, "game", "it wants one", wants(1)).await?;
    set.wait_states(&[(0, "Allocated"), (1, "Allocated")]).await?;
    let waiting = set
        .wait("it says who stays", |set| {
            pending(set).is_some_and(|c| c["status"] == "True")
                && set.status.as_ref().is_some_and(|s| s.replicas == 2)
        })
        .await?;
    let condition = pending(&waiting).context("the condition")?;
    let said =
        "game-1: to be removed, and may be in use; they go when their opsState is WaitToBeDeleted or Kill; ";
    ensure!(condition["reason"] == "Protected", "{condition}");
    namespace.said_often("GameServerSet", "game", said, 1).await?;
    let read = scale(namespace).await?;
    assert_eq!((&read["spec"]["replicas"], &read["status"]["replicas"]), (&json!(1), &json!(2)));
    // It divides by what it sees: the pods, and not what it has asked for.
    wait::one(&hpas, "game", "it sees two", |hpa| {
        json!(hpa)["status"]["currentMetrics"][0]["external"]["current"]["averageValue"] == "500m"
    })
    .await?;
    let listed = namespace.kubectl("get hpa game").await?;
    ensure!(listed.contains("GameServerSet/game") && listed.contains("500m/1 (avg)"), "{listed}");
    assert_eq!([set.identity(0).await?, set.identity(1).await?], kept, "players have lost their servers");

    set.patch_server(1, json!({"opsState": "WaitToBeDeleted"})).await?;
    set.wait_states(&[(0, "Allocated")]).await?;
    set.wait("nothing is pending", |set| pending(set).is_none()).await?;
    assert_eq!(set.identity(0).await?, kept[0], "game-0 is another pod");
    // It did what it was asked, and is asked for more.
    namespace.tell("metrics-0", "state/200/2").await?;
    set.wait_states(&[(0, "Allocated"), (1, "None")]).await?;
    Ok(())
}
