//! The installed controllers: who leads, and its end by SIGKILL.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{Api, Client, ResourceExt, api::ListParams};
use tokio::process::Command;

use crate::{cluster, wait};

/// Namespace of the installation, as `tests/install` makes it.
pub const NAMESPACE: &str = "gamewarden-system";

/// Name of the lease.
const LEASE: &str = "gamewarden-controller";

/// The running pods of a role, `controller` or `webhook`.
///
/// # Errors
/// There are none: the chart is not installed.
pub async fn pods(client: &Client, role: &str) -> Result<Vec<Pod>> {
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let labels = format!("app.kubernetes.io/name=gamewarden,app.kubernetes.io/component={role}");
    let mut pods = api.list(&ListParams::default().labels(&labels)).await?.items;
    pods.retain(|pod| {
        let running = pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running");
        running && pod.metadata.deletion_timestamp.is_none()
    });
    if pods.is_empty() {
        bail!("no {role} runs in {NAMESPACE}; run `make cluster`, which installs the chart");
    }
    Ok(pods)
}

/// Kills the leader with SIGKILL, as the kernel does when memory runs out; gives its identity.
///
/// # Errors
/// There is no leader, or it cannot be killed.
pub async fn kill_leader(client: &Client) -> Result<String> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let lease = wait::one(&leases, LEASE, "somebody leads", |lease| holder(lease).is_some()).await?;
    let holder = holder(&lease).context("a holder")?.to_owned();
    let pods = pods(client, "controller").await?;
    let leader = pods.iter().find(|pod| {
        let (pod, rest) = (pod.name_any(), holder.split_once('_'));
        rest.is_some_and(|(name, _)| name == pod)
    });
    let leader = leader.with_context(|| format!("{holder} leads, which is none of the pods"))?;
    let statuses = leader.status.iter().flat_map(|s| s.container_statuses.iter().flatten());
    let id = statuses
        .filter_map(|s| s.container_id.as_deref())
        .find_map(|id| id.strip_prefix("containerd://"))
        .context("the leader has no container of containerd")?;
    let output = Command::new(cluster::program("ctr"))
        .arg("--address")
        .arg(cluster::folder().join("containerd.sock"))
        .args(["-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", id])
        .output()
        .await
        .context("running ctr")?;
    if !output.status.success() {
        bail!("killing {holder}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(holder)
}

/// Waits until another than `before` leads.
///
/// # Errors
/// Nobody takes over.
pub async fn another_leads(client: &Client, before: &str) -> Result<()> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let what = format!("another leads than {before}");
    wait::one(&leases, LEASE, &what, |lease| holder(lease).is_some_and(|holder| holder != before))
        .await
        .map(drop)
}

fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}
