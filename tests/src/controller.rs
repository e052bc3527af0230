//! The installed controllers: who leads, and its end by SIGKILL.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams},
};
use tokio::process::Command;

use crate::{cluster, gss::identity, wait};

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
    let mut pods = api.list(&ListParams::default().labels(&labels(role))).await?.items;
    pods.retain(|pod| {
        let running = pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Running");
        running && pod.metadata.deletion_timestamp.is_none()
    });
    if pods.is_empty() {
        bail!("no {role} runs in {NAMESPACE}; run `make cluster`, which installs the chart");
    }
    Ok(pods)
}

/// Kills the leader with SIGKILL, as the kernel does when memory runs out; gives its identity. Before that
/// it waits until another replica is ready, so that it takes no longer than the lease until one leads.
///
/// # Errors
/// There is no leader, or it cannot be killed.
pub async fn kill_leader(client: &Client) -> Result<String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let selected = wait::labelled(&labels("controller"));
    wait::all(&api, selected, "two controllers are ready", |pods| {
        pods.values().filter(|pod| is_ready(pod)).count() >= 2
    })
    .await?;
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

/// Deletes the pods whose container was killed; their Deployment makes others. The kubelet lets a container
/// wait longer with every restart, which the next test is not to suffer from.
///
/// # Errors
/// They cannot be deleted.
pub async fn replace_killed(client: &Client) -> Result<()> {
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    for pod in pods(client, "controller").await? {
        if identity(&pod)?.restarts > 0 {
            api.delete(&pod.name_any(), &DeleteParams::default()).await?;
        }
    }
    Ok(())
}

fn labels(role: &str) -> String {
    format!("app.kubernetes.io/name=gamewarden,app.kubernetes.io/component={role}")
}

fn is_ready(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none() && conditions.any(|c| c.type_ == "Ready" && c.status == "True")
}

fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}
