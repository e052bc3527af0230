//! A controller of the test's own: a process of the very program that is installed, behind a proxy.
//!
//! `GAMEWARDEN_RECONCILER` names another program, such as one that was broken on purpose (`tests/mutants`).

use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::ExitStatus,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{Namespace, cluster, proxy::Proxy, wait};

/// A controller that acts on one namespace. Dropped, it is killed.
pub struct OwnController {
    name: String,
    child: Child,
    kubeconfig: PathBuf,
}

impl OwnController {
    /// Starts one of this name, that asks the proxy and leads, or waits to lead, by a lease of its own in the namespace. What it
    /// logs is in the output of the test.
    ///
    /// # Errors
    /// There is no such program, or it cannot be started.
    pub fn start(namespace: &Namespace, name: &str, lease: &str, proxy: &Proxy) -> Result<Self> {
        let program = program();
        ensure!(program.is_file(), "there is no {}; `make cluster` builds it", program.display());
        let kubeconfig = env::temp_dir().join(format!("{}-{name}.kubeconfig", namespace.name));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&kubeconfig)?;
        file.write_all(proxy.kubeconfig().to_string().as_bytes())?;
        let child = Command::new(&program)
            .arg("controller")
            .args(["--lease-namespace", &namespace.name, "--lease-name", lease, "--identity", name])
            .args(["--admin-addr", "127.0.0.1:0", "--log-level", "info,reconciler=debug"])
            .env("KUBECONFIG", &kubeconfig)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("running {}", program.display()))?;
        Ok(Self { name: name.to_owned(), child, kubeconfig })
    }

    /// Waits until it leads by this lease.
    ///
    /// # Errors
    /// It does not.
    pub async fn leads(&self, namespace: &Namespace, lease: &str) -> Result<()> {
        let holds = |lease: &Lease| {
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
            holder.and_then(|holder| holder.split_once('_')).is_some_and(|(name, _)| name == self.name)
        };
        let what = format!("{} leads", self.name);
        wait::one(&namespace.api::<Lease>(), lease, &what, holds).await.map(drop)
    }

    /// Stops it where it stands.
    ///
    /// # Errors
    /// It has ended.
    pub async fn stop(&self) -> Result<()> {
        self.signal("STOP").await
    }

    /// Lets it go on after [`OwnController::stop`].
    ///
    /// # Errors
    /// It has ended.
    pub async fn go_on(&self) -> Result<()> {
        self.signal("CONT").await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// It goes on.
    pub async fn ends(&mut self) -> Result<ExitStatus> {
        let ended = timeout(wait::DEADLINE, self.child.wait()).await;
        Ok(ended.with_context(|| format!("{} goes on", self.name))??)
    }

    async fn signal(&self, signal: &str) -> Result<()> {
        let process = self.child.id().with_context(|| format!("{} has ended", self.name))?;
        // bash has it built in.
        let kill = format!("kill -{signal} {process}");
        let status = Command::new("bash").args(["-c", &kill]).status().await?;
        ensure!(status.success(), "{kill} ends with {status}");
        Ok(())
    }
}

impl Drop for OwnController {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.kubeconfig) {
            eprintln!("{} is left: {error}", self.kubeconfig.display());
        }
    }
}

/// What is in the installed image, as `tests/images/build` has built it.
fn program() -> PathBuf {
    let built = || {
        let target = env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| cluster::repository().join("target"), Into::into);
        target.join("x86_64-unknown-linux-gnu/release/reconciler")
    };
    env::var_os("GAMEWARDEN_RECONCILER").map_or_else(built, Into::into)
}
