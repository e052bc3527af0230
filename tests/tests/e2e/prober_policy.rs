//! What a stolen token of a node's prober is good for: each rule of the chart's policies, asked with the token itself.
//!
//! The account is given all rights in the test's namespace, so that what is refused is refused by the policies.

use anyhow::{Result, ensure};
use gamewarden_api::GameServer;
use gamewarden_tests::{Gss, Manifest, Namespace, node::number, prober};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Event, Pod},
    rbac::v1::RoleBinding,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::node_prober::{on, with_prober};

/// What the API server says to a request: empty where it grants it.
fn said<T>(result: kube::Result<T>) -> Result<String> {
    match result {
        Ok(_) => Ok(String::new()),
        Err(kube::Error::Api(status)) => Ok(status.message.clone()),
        Err(error) => Err(error.into()),
    }
}

fn dry() -> PatchParams {
    PatchParams { dry_run: true, ..PatchParams::default() }
}

/// Asks for a merge patch, as a dry run.
async fn patch<K>(api: &Api<K>, name: &str, patch: Value) -> Result<String>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    said(api.patch(name, &dry(), &Patch::Merge(patch)).await)
}

async fn patch_status(api: &Api<Pod>, name: &str, patch: Value) -> Result<String> {
    said(api.patch_status(name, &dry(), &Patch::Strategic(patch)).await)
}

/// It is granted, or refused in these words.
fn check(what: &str, said: &str, expected: Option<&str>) -> Result<()> {
    match expected {
        None => ensure!(said.is_empty(), "{what}: refused: {said}"),
        Some(words) => ensure!(
            said.contains("ValidatingAdmissionPolicy 'gamewarden-prober-") && said.contains(words),
            "{what}: {words:?} is not in {said:?}"
        ),
    }
    Ok(())
}

#[tokio::test]
async fn a_stolen_token_writes_verdicts_on_servers_of_its_node_and_nothing_else() -> Result<()> {
    with_prober(number::PROBER_POLICY, "stolen", async |namespace, node, prober| {
        all_rights(namespace).await?;
        let here = Gss::create(namespace, &Manifest::idle("here", 1)?.merge(on(&node.name))).await?;
        let there = Gss::create(namespace, &Manifest::idle("there", 1)?).await?;
        for set in [&here, &there] {
            set.wait_states(&[(0, "WaitToBeDeleted")]).await?;
        }
        let thief = prober.stolen().await?;
        servers(namespace, &thief, &node.name).await?;
        removals(namespace, &thief).await?;
        pods(namespace, &thief, &node.name).await?;
        leases(namespace, &thief, &node.name).await?;
        events(namespace, &thief).await?;
        // One that was issued for no pod is good for nothing.
        let unbound = prober::unbound().await?;
        let servers: Api<GameServer> = Api::namespaced(unbound, &namespace.name);
        let verdict = json!({"metadata": {"annotations": {"gamewarden.dev/verdicts": "{}"}}});
        check("no node", &patch(&servers, "here-0", verdict).await?, Some("names no node"))
    })
    .await
}

/// Gives the probers' account everything in the test's namespace.
async fn all_rights(namespace: &Namespace) -> Result<()> {
    let binding = serde_json::from_value(json!({
        "metadata": {"name": "everything"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "gamewarden-prober", "namespace": prober::NAMESPACE}],
    }))?;
    namespace.api::<RoleBinding>().create(&PostParams::default(), &binding).await?;
    Ok(())
}

async fn servers(namespace: &Namespace, thief: &Client, node: &str) -> Result<()> {
    let api: Api<GameServer> = Api::namespaced(thief.clone(), &namespace.name);
    let metadata = |metadata: Value| json!({"metadata": metadata});
    let annotation = |key: &str, value: Value| metadata(json!({"annotations": {key: value}}));
    let label = |key: &str, value: Value| metadata(json!({"labels": {key: value}}));
    let owner = json!([{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}]);
    let of_there =
        format!("the prober of node {node} writes only GameServers of that node: this one is on node-0");
    let labels = "a node prober changes no label under game.kruise.io/ and gamewarden.dev/";
    let annotations =
        "a node prober changes no annotation under game.kruise.io/ and gamewarden.dev/ but the records";
    let removals = "a node prober answers the claim of a removal";
    let containers = "a node prober does not change spec.containers";
    for (what, name, change, expected) in [
        ("a verdict", "here-0", annotation("gamewarden.dev/verdicts", json!("{}")), None),
        ("a claim of its own", "here-0", annotation("gamewarden.dev/removal", json!("{}")), Some(removals)),
        ("its effect", "here-0", json!({"spec": {"opsState": "Kill", "deletionPriority": 3}}), None),
        ("a label of an action", "here-0", label("gs-sync/players", json!("3")), None),
        ("an annotation of an action", "here-0", annotation("example.org/players", json!("3")), None),
        ("another node's", "there-0", annotation("gamewarden.dev/verdicts", json!("{}")), Some(&*of_there)),
        // What a request says about itself proves nothing.
        (
            "a node that is claimed",
            "there-0",
            label("game.kruise.io/node-name", json!(node)),
            Some(&*of_there),
        ),
        ("the node", "here-0", label("game.kruise.io/node-name", json!("node-0")), Some(labels)),
        ("no node", "here-0", label("game.kruise.io/node-name", Value::Null), Some(labels)),
        ("a new label of ours", "here-0", label("game.kruise.io/gs-deleting", json!("true")), Some(labels)),
        ("in capitals", "here-0", label("Gamewarden.dev/x", json!("true")), Some("abels")),
        (
            "protection",
            "here-0",
            annotation("gamewarden.dev/allow-removal", json!("true")),
            Some(annotations),
        ),
        (
            "an annotation taken away",
            "here-0",
            annotation("game.kruise.io/gsTemplate-metadata-hash", Value::Null),
            Some(annotations),
        ),
        ("owners", "here-0", metadata(json!({"ownerReferences": owner})), Some("changes no ownerReferences")),
        (
            "no owners",
            "here-0",
            metadata(json!({"ownerReferences": null})),
            Some("changes no ownerReferences"),
        ),
        (
            "finalizers",
            "here-0",
            metadata(json!({"finalizers": ["example.org/x"]})),
            Some("changes no finalizers"),
        ),
        (
            "containers",
            "here-0",
            json!({"spec": {"containers": [{"name": "a", "image": "evil"}]}}),
            Some(containers),
        ),
    ] {
        let said = patch(&api, name, change).await?;
        // A key that Kubernetes itself refuses does not come so far.
        if what == "in capitals" {
            ensure!(said.contains("abels"), "{what}: {said}");
            continue;
        }
        check(what, &said, expected)?;
    }
    let alone = "a node prober writes verdicts on GameServers and nothing else: no";
    let deleted = said(api.delete("here-0", &DeleteParams::default().dry_run()).await)?;
    check("DELETE", &deleted, Some(&format!("{alone} DELETE of gameservers")))?;
    let mut new = GameServer::new("new", Default::default());
    new.metadata.labels = Some([("game.kruise.io/node-name".to_owned(), node.to_owned())].into());
    let made = said(api.create(&PostParams { dry_run: true, ..Default::default() }, &new).await)?;
    check("CREATE", &made, Some(&format!("{alone} CREATE of gameservers")))?;
    let status = json!({"status": {"desiredState": "Ready", "updatePriority": "9"}});
    let status = said(api.patch_status("here-0", &dry(), &Patch::Merge(status)).await)?;
    check("status", &status, Some(&format!("{alone} UPDATE of gameservers/status")))?;
    let sets: Api<gamewarden_api::GameServerSet> = Api::namespaced(thief.clone(), &namespace.name);
    let scaled = patch(&sets, "here", json!({"spec": {"replicas": 0}})).await?;
    check("a set", &scaled, Some(&format!("{alone} UPDATE of gameserversets")))
}

/// A removal under way in this phase, as a controller writes it.
fn removal(id: &str, phase: &str, more: &str) -> String {
    format!(
        r#"{{"v":1,"id":"{id}","pod":"none","phase":"{phase}","since":"2026-01-01T00:00:00Z","generation":1,"look":["idle"]{more}}}"#
    )
}

/// The set's scale-down waits for its removals, so whatever says how far one is, is the controller's.
async fn removals(namespace: &Namespace, thief: &Client) -> Result<()> {
    const REMOVAL: &str = "gamewarden.dev/removal";
    let api: Api<GameServer> = Api::namespaced(thief.clone(), &namespace.name);
    let ours: Api<GameServer> = namespace.api();
    let annotation =
        |value: Option<&str>| json!({"metadata": {"annotations": {REMOVAL: value.map(|text| json!(text))}}});
    let refused = Some("a node prober answers the claim of a removal, or gives it back");
    let (claimed, looked) = (removal("a", "Claimed", ""), removal("a", "Looked", ""));
    let (took, another) = (removal("a", "Looked", r#","took":250"#), removal("b", "Looked", ""));
    let (committed, unanswered) = (removal("a", "Committed", ""), removal("a", "Unanswered", ""));
    let tries = removal("a", "Looked", r#","tries":99"#);
    for (before, after, expected) in [
        (Some(&claimed), Some(&looked), None),
        (Some(&claimed), Some(&took), None),
        (Some(&claimed), Some(&another), refused),
        (Some(&claimed), Some(&tries), refused),
        (Some(&claimed), Some(&committed), refused),
        (Some(&claimed), None, None),
        (Some(&looked), None, None),
        (Some(&looked), Some(&took), refused),
        (Some(&committed), None, refused),
        (Some(&committed), Some(&looked), refused),
        (Some(&unanswered), None, refused),
        (None, Some(&claimed), refused),
        (None, Some(&committed), refused),
    ] {
        // It is of no pod that there is: the controller takes no note of it.
        let before = annotation(before.map(String::as_str));
        ours.patch("here-0", &PatchParams::default(), &Patch::Merge(&before)).await?;
        let after = annotation(after.map(String::as_str));
        check(&format!("{before} -> {after}"), &patch(&api, "here-0", after.clone()).await?, expected)?;
    }
    let none = annotation(None);
    ours.patch("here-0", &PatchParams::default(), &Patch::Merge(&none)).await?;
    Ok(())
}

async fn pods(namespace: &Namespace, thief: &Client, node: &str) -> Result<()> {
    let api: Api<Pod> = Api::namespaced(thief.clone(), &namespace.name);
    let condition =
        |type_: &str, status: &str| json!({"status": {"conditions": [{"type": type_, "status": status}]}});
    let metadata = |metadata: Value| json!({"metadata": metadata});
    let of_there = format!(
        "the prober of node {node} writes only conditions of pods of that node: this one is on node-0"
    );
    for (what, name, change, expected) in [
        ("its condition", "here-0", condition("game.kruise.io/idle", "Unknown"), None),
        ("a new condition", "here-0", condition("game.kruise.io/other", "True"), None),
        ("another node's", "there-0", condition("game.kruise.io/idle", "Unknown"), Some(&*of_there)),
        (
            "Ready",
            "here-0",
            condition("Ready", "Unknown"),
            Some("changes no conditions but game.kruise.io/…"),
        ),
        ("a gate", "here-0", condition("example.org/gate", "True"), Some("changes no conditions but")),
        (
            "a condition taken away",
            "here-0",
            json!({"status": {"conditions": [{"type": "PodScheduled", "$patch": "delete"}]}}),
            Some("changes no conditions but"),
        ),
        (
            "the phase",
            "here-0",
            json!({"status": {"phase": "Failed"}}),
            Some("of a pod's status but its conditions"),
        ),
        (
            "a reason",
            "here-0",
            json!({"status": {"reason": "x"}}),
            Some("of a pod's status but its conditions"),
        ),
        ("its address", "here-0", json!({"status": {"podIP": "10.9.9.9"}}), Some("of a pod's status but")),
        ("labels", "here-0", metadata(json!({"labels": {"a": "b"}})), Some("changes no labels of pods")),
        (
            "annotations",
            "here-0",
            metadata(json!({"annotations": {"a": "b"}})),
            Some("no annotations of pods"),
        ),
        (
            "finalizers",
            "here-0",
            metadata(json!({"finalizers": ["example.org/x"]})),
            Some("no finalizers of pods"),
        ),
    ] {
        check(what, &patch_status(&api, name, change).await?, expected)?;
    }
    let alone = "a node prober writes Events and conditions of pods and nothing else: no";
    let deleted = said(api.delete("here-0", &DeleteParams::default().dry_run()).await)?;
    check("DELETE", &deleted, Some(&format!("{alone} DELETE of pods")))?;
    let labelled = patch(&api, "here-0", metadata(json!({"labels": {"a": "b"}}))).await?;
    check("the pod itself", &labelled, Some(&format!("{alone} UPDATE of pods")))?;
    let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(thief.clone(), &namespace.name);
    let secret = serde_json::from_value(json!({"metadata": {"name": "new"}}))?;
    check("a Secret", &create(&secrets, &secret).await?, Some(&format!("{alone} CREATE of secrets")))
}

/// Asks to make an object, as a dry run.
async fn create<K>(api: &Api<K>, object: &K) -> Result<String>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    said(api.create(&PostParams { dry_run: true, ..PostParams::default() }, object).await)
}

fn lease(name: &str) -> Result<Lease> {
    let spec = json!({"holderIdentity": "thief", "leaseDurationSeconds": 10});
    Ok(serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}))?)
}

async fn leases(namespace: &Namespace, thief: &Client, node: &str) -> Result<()> {
    let api: Api<Lease> = Api::namespaced(thief.clone(), prober::NAMESPACE);
    let here: Api<Lease> = Api::namespaced(thief.clone(), &namespace.name);
    let only = |place: &str| {
        format!(
            "the prober of node {node} holds only the Lease of that name in gamewarden-probers: this is {place}"
        )
    };
    let own = said(api.get(node).await.map(drop))?;
    ensure!(own.is_empty(), "its own can be read: {own}");
    let mut renewed = api.get(node).await?;
    renewed.spec.get_or_insert_default().holder_identity = Some("thief".to_owned());
    let params = PostParams { dry_run: true, ..PostParams::default() };
    check("its own", &said(api.replace(node, &params, &renewed).await)?, None)?;
    check("another's", &create(&api, &lease("node-0")?).await?, Some(&only("gamewarden-probers/node-0")))?;
    let elsewhere = create(&here, &lease(node)?).await?;
    check("elsewhere", &elsewhere, Some(&only(&format!("{}/{node}", namespace.name))))?;
    namespace.api::<Lease>().create(&PostParams::default(), &lease("foreign")?).await?;
    let foreign = here.get("foreign").await?;
    let said_of_it = said(here.replace("foreign", &params, &foreign).await)?;
    check("a foreign one", &said_of_it, Some(&only(&format!("{}/foreign", namespace.name))))?;
    let deleted = said(here.delete("foreign", &DeleteParams::default().dry_run()).await)?;
    check(
        "DELETE",
        &deleted,
        Some("a node prober holds the Lease of its node and nothing else: no DELETE of leases"),
    )
}

async fn events(namespace: &Namespace, thief: &Client) -> Result<()> {
    let api: Api<Event> = Api::namespaced(thief.clone(), &namespace.name);
    let server = namespace.api::<GameServer>().get("here-0").await?;
    let about = async |api_version: &str, kind: &str, place: &str| {
        let event = serde_json::from_value(json!({
            "metadata": {"name": "new", "namespace": namespace.name},
            "involvedObject": {
                "apiVersion": api_version, "kind": kind, "name": server.name_any(), "namespace": place,
            },
        }))?;
        create(&api, &event).await
    };
    let refused = Some("a node prober writes Events about GameServers and their sets");
    let here = namespace.name.as_str();
    for (api_version, kind, place, expected) in [
        ("game.kruise.io/v1alpha1", "GameServer", here, None),
        ("game.kruise.io/v1alpha1", "GameServerSet", here, None),
        ("game.kruise.io/v1alpha1", "Pod", here, refused),
        ("v1", "Pod", here, refused),
    ] {
        let what = format!("an Event about a {kind} of {api_version}");
        check(&what, &about(api_version, kind, place).await?, expected)?;
    }
    // Kubernetes itself wants an Event where its object is, and may say so first.
    let elsewhere = about("game.kruise.io/v1alpha1", "GameServer", "default").await?;
    ensure!(!elsewhere.is_empty(), "an Event about what is elsewhere");
    Ok(())
}
