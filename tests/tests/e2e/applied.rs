//! Several people apply parts of one set: server-side apply by field managers of their own.

use anyhow::{Result, ensure};
use gamewarden_api::GameServerSet;
use gamewarden_tests::{in_namespace, untyped::smallest};
use kube::Api;
use serde_json::{Value, json};

/// What a manager owns of the set: one quality and nothing else.
fn one_quality(name: &str, period: i32) -> String {
    let set: Value = json!({
        "apiVersion": "game.kruise.io/v1alpha1",
        "kind": "GameServerSet",
        "metadata": {"name": "game"},
        "spec": {"serviceQualities": [{"name": name, "exec": {"command": ["true"]}, "periodSeconds": period}]},
    });
    set.to_string()
}

#[tokio::test]
async fn qualities_of_two_managers_merge_by_name() -> Result<()> {
    in_namespace("applied", async |namespace| {
        let sets: Api<GameServerSet> = namespace.api();
        let periods = async || -> Result<Vec<(String, Option<i32>)>> {
            let set = sets.get("game").await?;
            let mut all: Vec<_> =
                set.spec.service_qualities.into_iter().map(|q| (q.name, q.period_seconds)).collect();
            all.sort();
            Ok(all)
        };
        let apply = |manager: &str| format!("apply --server-side --field-manager={manager} -f -");
        namespace.kubectl_with(&apply("base"), Some(&smallest(json!({})).to_string())).await?;
        namespace.kubectl_with(&apply("lobby"), Some(&one_quality("idle", 5))).await?;
        namespace.kubectl_with(&apply("health"), Some(&one_quality("healthy", 7))).await?;
        let (healthy, idle) = (("healthy".to_owned(), Some(7)), ("idle".to_owned(), Some(5)));
        ensure!(periods().await? == [healthy.clone(), idle.clone()], "{:?}", periods().await?);

        // A conflict is said, and changes nothing.
        let taken = namespace.try_kubectl(&apply("health"), Some(&one_quality("idle", 9))).await?;
        ensure!(!taken.success, "took over the other's quality: {}", taken.stdout);
        for words in ["conflict with \"lobby\"", ".spec.serviceQualities[name=\"idle\"].periodSeconds"] {
            ensure!(taken.stderr.contains(words), "{words} is missing in {}", taken.stderr);
        }
        ensure!(periods().await? == [healthy.clone(), idle], "{:?}", periods().await?);

        // What a manager no longer applies goes, and only that.
        let mut nothing: Value = serde_json::from_str(&one_quality("idle", 5))?;
        nothing["spec"] = json!({});
        namespace.kubectl_with(&apply("lobby"), Some(&nothing.to_string())).await?;
        ensure!(periods().await? == [healthy], "{:?}", periods().await?);

        // Typed errors come from apply itself, with the path.
        let typo = smallest(json!({"spec": {"replicass": 1}})).to_string();
        let said = namespace.try_kubectl(&apply("base"), Some(&typo)).await?;
        ensure!(said.stderr.contains(".spec.replicass: field not declared in schema"), "{}", said.stderr);
        Ok(())
    })
    .await
}
