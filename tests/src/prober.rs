//! The prober of a node: put there, killed, asked, taken away; and its token, as a thief would use it.
//!
//! `tests/install` has the DaemonSet choose nodes by a label that none has: a test labels its own node, and all others are
//! probed by the controller. (`GAMEWARDEN_PROBERS=all` puts one on every node.)

use anyhow::{Context, Result, bail};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Node as NodeObject, Pod},
};
use kube::{
    Api, Client, ResourceExt,
    api::{GetParams, ListParams, Patch, PatchParams},
    core::Request,
    runtime::watcher,
};
use serde_json::json;
use tokio::process::Command;

use crate::{
    cluster,
    controller::{container, holder, kill, sum},
    kubectl,
    node::Node,
    wait,
};

/// Its namespace, as the chart has it.
pub const NAMESPACE: &str = "gamewarden-probers";

/// Its account.
const ACCOUNT: &str = "gamewarden-prober";

/// The label of the nodes that get one, as `tests/install` has it.
const LABEL: &str = "gamewarden.test/prober";

/// Its admin port.
const PORT: u16 = 9643;

/// A prober that holds its node's Lease.
#[derive(Clone, Debug)]
pub struct Prober {
    /// The node.
    pub node: String,
    /// Its pod.
    pub pod: String,
    /// Its identity in the Lease.
    identity: String,
    container: String,
}

impl Prober {
    /// Puts one on the node; returns when it holds the Lease.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn put(client: &Client, node: &Node) -> Result<Self> {
        label(client, &node.name, Some("true")).await?;
        Self::of(client, &node.name).await
    }

    /// The one of the node, once it holds the Lease.
    ///
    /// # Errors
    /// There is none.
    pub async fn of(client: &Client, node: &str) -> Result<Self> {
        Self::other_than(client, node, "").await
    }

    /// The one that holds the node's Lease after this one: another pod, or another process in the same one.
    ///
    /// # Errors
    /// There is none.
    pub async fn successor(&self, client: &Client) -> Result<Self> {
        Self::other_than(client, &self.node, &self.identity).await
    }

    async fn other_than(client: &Client, node: &str, identity: &str) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
        let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
        let stays = |pod: &Pod| pod.metadata.deletion_timestamp.is_none() && container(pod).is_some();
        let seen = wait::all(&pods, here(node), "a prober runs there", |seen| {
            seen.len() == 1 && seen.values().all(stays)
        })
        .await?;
        let pod = seen.into_values().next().context("one that runs")?;
        // An earlier one that was killed may hold it yet.
        let holds = |lease: &Lease| {
            let name =
                holder(lease).filter(|holder| *holder != identity).and_then(|holder| holder.rsplit_once('_'));
            name.is_some_and(|(name, _)| name == pod.name_any())
        };
        let lease = wait::one(&leases, node, &format!("{} holds its Lease", pod.name_any()), holds).await?;
        let identity = holder(&lease).context("it has a holder")?.to_owned();
        // Its container may be another one by now.
        let pod = pods.get(&pod.name_any()).await?;
        let container = container(&pod).context("its container")?.to_owned();
        Ok(Self { node: node.to_owned(), pod: pod.name_any(), identity, container })
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(&self) -> Result<()> {
        let output = Command::from(kill(&self.node, &self.container, "SIGKILL")).output().await?;
        if !output.status.success() {
            bail!("SIGKILL for {}: {}", self.pod, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// The sum of a metric over all labels that are written like this.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metric(&self, client: &Client, name: &str, labels: &str) -> Result<f64> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{}:{PORT}/proxy", self.pod);
        let text = client.request_text(Request::new(path).get("metrics", &GetParams::default())?).await?;
        sum(&text, name, labels)
    }

    /// Who holds the node's Lease now.
    ///
    /// # Errors
    /// Nobody does.
    pub async fn holder(&self, client: &Client) -> Result<String> {
        let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
        Ok(holder(&leases.get(&self.node).await?).context("nobody holds it")?.to_owned())
    }

    /// A client with a token that was issued for its pod, as somebody has it who has broken into the node.
    ///
    /// # Errors
    /// There is no such token.
    pub async fn stolen(&self) -> Result<Client> {
        token(&["--bound-object-kind", "Pod", "--bound-object-name", &self.pod]).await
    }
}

/// A client with a token of the probers' account that was issued for no pod.
///
/// # Errors
/// There is no such token.
pub async fn unbound() -> Result<Client> {
    token(&[]).await
}

async fn token(bound: &[&str]) -> Result<Client> {
    let mut args = vec!["-n", NAMESPACE, "create", "token", ACCOUNT];
    args.extend(bound);
    let output = kubectl::run(&args, None).await?;
    if !output.success {
        bail!("no token: {}", output.stderr);
    }
    cluster::client_with_token(output.stdout.trim()).await
}

/// Takes it away; returns when its pod is gone.
///
/// # Errors
/// It stays.
pub async fn take_away(client: &Client, node: &str) -> Result<()> {
    label(client, node, None).await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    wait::all(&pods, here(node), "its prober is gone", |seen| seen.is_empty()).await.map(drop)
}

/// Selects the node's pods.
fn here(node: &str) -> watcher::Config {
    watcher::Config::default().fields(&format!("spec.nodeName={node}"))
}

/// Has the node chosen by the label of [`Prober::put`], and look like a virtual one.
///
/// # Errors
/// It cannot be labelled.
pub async fn label_virtual(client: &Client, node: &Node) -> Result<()> {
    let nodes: Api<NodeObject> = Api::all(client.clone());
    let patch = json!({"metadata": {"labels": {"type": "virtual-kubelet", LABEL: "true"}}});
    nodes.patch(&node.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// Whether no prober is on the node, be it on its way.
///
/// # Errors
/// The API server does not answer.
pub async fn none_is_on(client: &Client, node: &str) -> Result<bool> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let here = ListParams::default().fields(&format!("spec.nodeName={node}"));
    Ok(pods.list(&here).await?.items.is_empty())
}

async fn label(client: &Client, node: &str, value: Option<&str>) -> Result<()> {
    let nodes: Api<NodeObject> = Api::all(client.clone());
    let patch = json!({"metadata": {"labels": {LABEL: value}}});
    nodes.patch(node, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop).map_err(Into::into)
}
