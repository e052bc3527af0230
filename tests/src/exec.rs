//! Runs a command in a pod, as `kubectl exec` does.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Namespace;

impl Namespace {
    /// Runs a bash script in the pod; gives what it prints.
    ///
    /// # Errors
    /// It exits with anything but 0, or cannot be run.
    pub async fn exec(&self, pod: &str, script: &str) -> Result<String> {
        let params = AttachParams::default().stdin(false).stderr(true);
        let mut process = self
            .api::<Pod>()
            .exec(pod, ["bash", "-c", script], &params)
            .await
            .with_context(|| format!("exec in {pod}: {script}"))?;
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let status = process.take_status().context("an exec has a status")?;
        // The status comes only when both streams are drained.
        let (stdout, stderr, status) = tokio::join!(drain(stdout), drain(stderr), status);
        let success = status.as_ref().is_some_and(|s| s.status.as_deref() == Some("Success"));
        if !success {
            bail!("exec in {pod}: {script}: {status:?}\n{}{}", stdout?, stderr?);
        }
        stdout
    }
}

async fn drain(stream: Option<impl AsyncRead + Unpin>) -> Result<String> {
    let mut text = String::new();
    if let Some(mut stream) = stream {
        stream.read_to_string(&mut text).await?;
    }
    Ok(text)
}
