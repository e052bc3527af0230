//! A second node of the test cluster: added, lost, brought back, removed (see tests/cluster/README.md), and servers on it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{Manifest, cluster};

/// Which node each file of tests adds for itself, from this number on: tests run at the same time.
pub mod number {
    /// `out_of_sight`.
    pub const OUT_OF_SIGHT: u8 = 6;
    /// `guard`.
    pub const GUARD: u8 = 8;
    /// `two_nodes`.
    pub const TWO_NODES: u8 = 9;
    /// `prober_policy`.
    pub const PROBER_POLICY: u8 = 10;
    /// `node_prober`, which has four.
    pub const NODE_PROBER: u8 = 11;
}

/// A node that only pods come to which tolerate its taint; it is the test's own, to be killed as it likes. Pods of other
/// tests do not come there: each node's taint has its name.
pub struct Node {
    number: String,
    /// Its name in the cluster.
    pub name: String,
}

/// The toleration for the taint of the node of this name.
#[must_use]
pub fn tolerates(node: &str) -> Value {
    json!({"key": "gamewarden.test/reserved", "operator": "Equal", "value": node})
}

impl Node {
    /// Adds it, or brings it back, or finds it there already; it is Ready then.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn add(number: u8) -> Result<Self> {
        let node = Self { number: number.to_string(), name: format!("node-{number}") };
        node.join().await?;
        Ok(node)
    }

    /// Kills everything on it at once, and tells nobody.
    ///
    /// # Errors
    /// It does not run.
    pub async fn lose(&self) -> Result<()> {
        self.run("lose-node", &[]).await
    }

    /// Cuts it off the network, silently: what runs there runs on, unseen.
    ///
    /// # Errors
    /// It does not run.
    pub async fn cut_off(&self) -> Result<()> {
        self.run("lose-node", &["--cut"]).await
    }

    /// Joins it again.
    ///
    /// # Errors
    /// It does not become Ready.
    pub async fn join(&self) -> Result<()> {
        self.run("add-node", &["--reserved"]).await
    }

    /// Removes it with all that ran there.
    ///
    /// # Errors
    /// Something of it cannot be removed.
    pub async fn remove(&self) -> Result<()> {
        self.run("remove-node", &[]).await
    }

    /// Kills its container runtime and starts it again so much later; returns when it answers. Its containers run on.
    ///
    /// # Errors
    /// It does not come back.
    pub async fn restart_runtime(&self, away: Duration) -> Result<()> {
        self.run_with("restart-runtime", &[&self.number, &away.as_secs().to_string()]).await
    }

    async fn run(&self, script: &str, args: &[&str]) -> Result<()> {
        self.run_with(script, &[args, &[&self.number]].concat()).await
    }

    async fn run_with(&self, script: &str, args: &[&str]) -> Result<()> {
        let path = cluster::repository().join("tests/cluster").join(script);
        let mut command = Command::new(&path);
        command.args(args).env("GAMEWARDEN_CLUSTER_DIR", cluster::folder());
        let output = command.output().await.with_context(|| format!("running {}", path.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{script} {}: {said}", self.number);
        }
        Ok(())
    }
}

/// Servers of the set `game` that may go to this node, too, and are spread.
#[must_use]
pub fn spread(manifest: Manifest, node: &Node) -> Manifest {
    manifest.merge(json!({"gameServerTemplate": {"spec": {
        "tolerations": [tolerates(&node.name)],
        "terminationGracePeriodSeconds": 1,
        "topologySpreadConstraints": [{
            "topologyKey": "kubernetes.io/hostname",
            "maxSkew": 1,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"game.kruise.io/owner-gss": "game"}},
        }],
    }}}))
}

/// Names of those that run on the node.
#[must_use]
pub fn on<'p>(pods: &'p BTreeMap<String, Pod>, node: &str) -> Vec<&'p str> {
    let there = |pod: &Pod| pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) == Some(node);
    pods.iter().filter(|(_, pod)| there(pod)).map(|(name, _)| name.as_str()).collect()
}
