//! A second node of the test cluster: added, lost, brought back, removed. See tests/cluster/README.md.

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::cluster;

/// A node that only pods come to which tolerate its taint; it is the test's own, to be killed as it likes.
pub struct Node {
    number: String,
    /// Its name in the cluster.
    pub name: String,
}

/// The key of its taint.
pub const TAINT: &str = "gamewarden.test/reserved";

impl Node {
    /// Adds it, or brings it back, or finds it there already; it is Ready then.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn add(number: u8) -> Result<Self> {
        let node = Self { number: number.to_string(), name: format!("node-{number}") };
        node.run("add-node", &["--reserved"]).await?;
        Ok(node)
    }

    /// Kills everything on it at once, and tells nobody.
    ///
    /// # Errors
    /// It does not run.
    pub async fn lose(&self) -> Result<()> {
        self.run("lose-node", &[]).await
    }

    /// Removes it with all that ran there.
    ///
    /// # Errors
    /// Something of it cannot be removed.
    pub async fn remove(&self) -> Result<()> {
        self.run("remove-node", &[]).await
    }

    async fn run(&self, script: &str, args: &[&str]) -> Result<()> {
        let path = cluster::repository().join("tests/cluster").join(script);
        let mut command = Command::new(&path);
        command.args(args).arg(&self.number).env("GAMEWARDEN_CLUSTER_DIR", cluster::folder());
        let output = command.output().await.with_context(|| format!("running {}", path.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{script} {}: {said}", self.number);
        }
        Ok(())
    }
}
