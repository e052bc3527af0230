//! The installed controllers: who leads, its end by SIGKILL, and its sleep by SIGSTOP.

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, GetParams, ListParams},
    core::Request,
};
use tokio::process::Command;

use crate::{
    cluster,
    gss::{container_statuses, identity},
    wait,
};

/// Namespace of the installation, as `tests/install` makes it.
pub const NAMESPACE: &str = "gamewarden-system";

/// Who it is to the API server.
pub const USER: &str = "system:serviceaccount:gamewarden-system:gamewarden-controller";

/// Where controllers run in the repository's own cluster.
const NODE: &str = "node-0";

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
    let leader = leader(client).await?;
    signal(&leader.container, "SIGKILL").await?;
    Ok(leader.identity)
}

/// The process that holds the lease.
#[derive(Clone, Debug)]
pub struct Leader {
    /// Its identity in the lease.
    pub identity: String,
    /// Name of its pod.
    pub pod: String,
    /// Its container, as the pod's status names it.
    pub container: String,
}

/// Who leads, once another replica is ready to take over.
///
/// # Errors
/// There is no leader, or none of the pods.
pub async fn leader(client: &Client) -> Result<Leader> {
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let selected = wait::labelled(&labels("controller"));
    wait::all(&api, selected, "two controllers are ready", |pods| {
        pods.values().filter(|pod| is_ready(pod)).count() >= 2
    })
    .await?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let lease = wait::one(&leases, LEASE, "somebody leads", |lease| holder(lease).is_some()).await?;
    let identity = holder(&lease).context("a holder")?.to_owned();
    let pods = pods(client, "controller").await?;
    let leader = pods.iter().find(|pod| {
        let (pod, rest) = (pod.name_any(), identity.split_once('_'));
        rest.is_some_and(|(name, _)| name == pod)
    });
    let leader = leader.with_context(|| format!("{identity} leads, which is none of the pods"))?;
    let container = container(leader).context("the leader has no container")?;
    Ok(Leader { pod: leader.name_any(), container: container.to_owned(), identity })
}

/// A leader that was stopped with SIGSTOP: it does nothing until it is told to go on, or until the kubelet
/// has had enough of it (its liveness probe gives it a minute). Dropped, it goes on.
pub struct Stopped {
    /// Who it is.
    pub leader: Leader,
}

impl Stopped {
    /// Stops the leader where it stands.
    ///
    /// # Errors
    /// There is no leader, or it cannot be stopped.
    pub async fn leader(client: &Client) -> Result<Self> {
        let leader = leader(client).await?;
        signal(&leader.container, "SIGSTOP").await?;
        Ok(Self { leader })
    }

    /// Lets it go on, and waits until it has ended by itself, because it no longer leads.
    ///
    /// # Errors
    /// It does not end, or something else ended it.
    pub async fn goes_on_and_ends(self, client: &Client) -> Result<()> {
        let leader = self.leader.clone();
        // Goes on.
        drop(self);
        let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
        let what = format!("{} has ended", leader.identity);
        let pod = wait::one(&api, &leader.pod, &what, |pod| ended(pod, &leader.container).is_some()).await?;
        let code = ended(&pod, &leader.container).context(what)?;
        // A failure of the process itself; signals give 128 and more.
        ensure!(code == 1, "{} ended with {code}", leader.identity);
        Ok(())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let ended = kill(NODE, &self.leader.container, "SIGCONT").output();
        if !ended.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("{} does not go on: {ended:?}", self.leader.identity);
        }
    }
}

pub(crate) fn container(pod: &Pod) -> Option<&str> {
    container_statuses(pod).find_map(|s| s.container_id.as_deref())
}

/// The exit code of this run of the container, once it has one.
fn ended(pod: &Pod, container: &str) -> Option<i32> {
    let states = container_statuses(pod).flat_map(|s| [&s.state, &s.last_state]).flatten();
    let mut ended = states.filter_map(|state| state.terminated.as_ref());
    ended.find(|t| t.container_id.as_deref() == Some(container)).map(|t| t.exit_code)
}

async fn signal(container: &str, signal: &str) -> Result<()> {
    let output = Command::from(kill(NODE, container, signal)).output().await.context("running runc")?;
    if !output.status.success() {
        bail!("{signal} for {container}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The command that sends a signal to the first process of a container of this node of the repository's own cluster.
pub(crate) fn kill(node: &str, container: &str, signal: &str) -> std::process::Command {
    // Where each runtime has runc keep what it knows.
    let (root, id) = match container.split_once("://") {
        Some(("cri-o", id)) => ("/run/runc", id),
        Some((_, id)) => ("/run/containerd/runc/k8s.io", id),
        None => ("", container),
    };
    let mut command = std::process::Command::new(cluster::repository().join("tests/cluster/node"));
    command.args(["--on", node, "runc", "--root", root, "kill", id, signal]);
    command.env("GAMEWARDEN_CLUSTER_DIR", cluster::folder());
    command
}

/// Who holds the lease now, be it alive or not.
///
/// # Errors
/// Nobody does.
pub async fn holder_now(client: &Client) -> Result<String> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let lease = leases.get(LEASE).await?;
    Ok(holder(&lease).context("nobody leads")?.to_owned())
}

/// Waits until another than `before` leads; gives its identity.
///
/// # Errors
/// Nobody takes over.
pub async fn another_leads(client: &Client, before: &str) -> Result<String> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let what = format!("another leads than {before}");
    let is_another = |lease: &Lease| holder(lease).is_some_and(|holder| holder != before);
    let lease = wait::one(&leases, LEASE, &what, is_another).await?;
    Ok(holder(&lease).context(what)?.to_owned())
}

/// Deletes the leader's pod, as a rollout does: it ends in order. Gives its identity.
///
/// # Errors
/// There is no leader, or it cannot be deleted.
pub async fn restart_leader(client: &Client) -> Result<String> {
    let leader = leader(client).await?;
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    api.delete(&leader.pod, &DeleteParams::default()).await?;
    Ok(leader.identity)
}

/// What a path of a pod's admin port says, through the API server.
///
/// # Errors
/// It does not answer.
pub async fn ask(client: &Client, pod: &str, path: &str) -> Result<String> {
    let proxy = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}/proxy");
    let request = Request::new(proxy).get(path, &GetParams::default())?;
    Ok(client.request_text(request).await?)
}

/// The sum of a metric of the process with this identity, over all its labels; 0 where it is not told yet.
///
/// # Errors
/// The process does not answer, or tells no numbers.
pub async fn metric(client: &Client, identity: &str, name: &str) -> Result<f64> {
    let (pod, _) = identity.rsplit_once('_').context("an identity begins with a pod's name")?;
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    // One that leads as soon as it runs may lead before its status has its address.
    let has_address = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some());
    wait::one(&api, pod, "the leader's pod has an address", has_address).await?;
    let text = ask(client, &format!("{pod}:8080"), "metrics").await?;
    sum(&text, name, "")
}

/// The sum of a metric in this text over all its labels that are written like this.
pub(crate) fn sum(text: &str, name: &str, labels: &str) -> Result<f64> {
    let mut sum = 0.0;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix(name)
            && rest.starts_with([' ', '{'])
            && rest.contains(labels)
        {
            let (_, value) = rest.rsplit_once(' ').with_context(|| line.to_owned())?;
            sum += value.parse::<f64>().with_context(|| line.to_owned())?;
        }
    }
    Ok(sum)
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

pub(crate) fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}
