//! At the edges: the longest names, a namespace that goes in the middle of a creation.

use anyhow::{Context, Result, ensure};
use gamewarden_tests::{Gss, Manifest, in_namespace, wait};
use k8s_openapi::api::core::v1::{Namespace as CoreNamespace, PersistentVolumeClaim, Pod};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::json;

/// A set's name is at most so long: its servers' names, whatever their ordinals, fit a label value and a hostname.
const LONGEST: usize = 52;

#[tokio::test]
async fn a_set_with_the_longest_name_works_like_any_other() -> Result<()> {
    in_namespace("long", async |namespace| {
        let name = format!("{}-b", "a".repeat(LONGEST - 2));
        let set = Gss::create(namespace, &Manifest::idle(&name, 2)?).await?;
        let idle = "WaitToBeDeleted";
        let pods = set.wait_states(&[(0, idle), (1, idle)]).await?;
        let server = set.server(0);
        let pod = pods.get(&server).context("its pod")?;
        for label in ["statefulset.kubernetes.io/pod-name", "game.kruise.io/owner-gss"] {
            let value = pod.labels().get(label).with_context(|| label.to_owned())?;
            ensure!(server.starts_with(value.as_str()), "{label} is {value}");
        }
        let revision = pod.labels().get("controller-revision-hash").context("revision")?;
        ensure!(revision.starts_with(&name) && revision.len() <= 63, "revision {revision}");
        assert_eq!(pod.spec.as_ref().and_then(|s| s.hostname.clone()), Some(server.clone()));

        set.scale(1).await?;
        set.wait_states(&[(0, idle)]).await?;
        namespace.said("GameServer", &server, &format!("OpsState turn from None to {idle} {server}")).await?;
        namespace.said("GameServerSet", &name, "scale from 2 to 1").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn claims_of_a_set_with_a_long_name_are_named_after_both() -> Result<()> {
    in_namespace("claims", async |namespace| {
        let (set, claim) = ("s".repeat(LONGEST), "c".repeat(63));
        let template = json!({
            "metadata": {"name": claim},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "",
                     "resources": {"requests": {"storage": "1Mi"}}},
        });
        let manifest = Manifest::plain(&set, 1)?
            .container(json!({"volumeMounts": [{"name": claim, "mountPath": "/data"}]}))
            .merge(json!({"gameServerTemplate": {"volumeClaimTemplates": [template]}}));
        let set = Gss::create(namespace, &manifest).await?;
        let (server, what) = (set.server(0), "the pod asks for its claim");
        // Nobody provides the volume, so the pod waits.
        let pod = wait::one(&namespace.api::<Pod>(), &server, what, |_| true).await?;
        let volumes = pod.spec.context("spec")?.volumes.unwrap_or_default();
        let asked: Vec<_> = volumes.iter().filter_map(|v| v.persistent_volume_claim.as_ref()).collect();
        let name = format!("{claim}-{server}");
        assert_eq!(asked.iter().map(|c| &c.claim_name).collect::<Vec<_>>(), [&name]);
        namespace.api::<PersistentVolumeClaim>().get(&name).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_namespace_that_goes_in_the_middle_of_a_creation_is_gone_soon() -> Result<()> {
    in_namespace("going", async |namespace| {
        // A namespace of its own: this test's is needed to tell of it if it fails.
        let name = format!("{}-inner", namespace.name);
        let namespaces: Api<CoreNamespace> = Api::all(namespace.client.clone());
        let labels = json!({"gamewarden.dev/e2e": "true"});
        let object = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
        namespaces.create(&PostParams::default(), &object).await?;
        let manifest = Manifest::plain("game", 20)?;
        namespace.kubectl_with(&format!("-n {name} create -f -"), Some(&manifest.text())).await?;
        let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &name);
        wait::all(&pods, wait::labelled("game.kruise.io/owner-gss=game"), "some are made", |seen| {
            seen.len() >= 3
        })
        .await?;
        namespaces.delete(&name, &DeleteParams::background()).await?;
        // A controller that made pods again and again would keep it from going.
        wait::gone(&namespaces, &name).await
    })
    .await
}
