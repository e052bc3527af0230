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
        let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
        let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
        let mut found = None;
        let what = format!("a prober of {node} holds its Lease");
        let here = ListParams::default().fields(&format!("spec.nodeName={node}"));
        // Its Lease changes every few seconds, so that each pod is looked at again.
        wait::all(&leases, wait::named(node), &what, |seen| {
            found = seen.get(node).and_then(holder).map(str::to_owned);
            found.is_some()
        })
        .await?;
        let (name, _) = found.as_deref().and_then(|id| id.rsplit_once('_')).context(what.clone())?;
        let pod = wait::one(&pods, name, &what, |pod| container(pod).is_some()).await?;
        if pods.list(&here).await?.items.len() != 1 {
            bail!("several probers on {node}");
        }
        let container = container(&pod).context(what)?.to_owned();
        Ok(Self { node: node.to_owned(), pod: pod.name_any(), container })
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// It cannot be killed.
    pub async fn kill(&self) -> Result<()> {
        let socket = cluster::folder().join(format!("{}.sock", self.node));
        let output = Command::from(kill(&socket, &self.container, "SIGKILL")).output().await?;
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
    let here = kube::runtime::watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    wait::all(&pods, here, "its prober is gone", |seen| seen.is_empty()).await.map(drop)
}

async fn label(client: &Client, node: &str, value: Option<&str>) -> Result<()> {
    let nodes: Api<NodeObject> = Api::all(client.clone());
    let patch = json!({"metadata": {"labels": {LABEL: value}}});
    nodes.patch(node, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop).map_err(Into::into)
}
