//! Which cluster the tests use, and a client for it.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};

/// The kubeconfig: `$KUBECONFIG`, or that of the repository's test cluster.
///
/// # Errors
/// There is none; the text says how to get one.
pub fn kubeconfig() -> Result<PathBuf> {
    if let Some(path) = env::var_os("KUBECONFIG").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let path = folder().join("kubeconfig");
    if !path.exists() {
        bail!(
            "no cluster to test on: KUBECONFIG is not set, and there is no {}; run `make cluster`",
            path.display()
        );
    }
    Ok(path)
}

/// Everything of the repository's test cluster is in here.
#[must_use]
pub fn folder() -> PathBuf {
    match env::var_os("GAMEWARDEN_CLUSTER_DIR").filter(|path| !path.is_empty()) {
        Some(path) => path.into(),
        None => repository().join(".cluster"),
    }
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// A program of the test cluster, or of the PATH where the cluster is another.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let own = folder().join("bin").join(name);
    if own.exists() { own } else { name.into() }
}

/// A client with the rights of the kubeconfig (an administrator's).
///
/// # Errors
/// No cluster, or one that cannot be reached.
pub async fn client() -> Result<Client> {
    let path = kubeconfig()?;
    let kubeconfig = Kubeconfig::read_from(&path).with_context(|| format!("reading {}", path.display()))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    client
        .apiserver_version()
        .await
        .with_context(|| format!("the cluster of {} does not answer; run `make cluster`", path.display()))?;
    Ok(client)
}
