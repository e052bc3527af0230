//! Tells the server of `tests/server` how to answer probes.

use anyhow::{Context, Result};
use kube::{api::PostParams, core::Request};

use crate::Namespace;

/// Where it is told.
const PORT: u16 = 8081;

impl Namespace {
    /// Tells the server in the pod something that its `main.rs` lists.
    ///
    /// # Errors
    /// It does not take it.
    pub async fn tell(&self, pod: &str, what: &str) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}:{PORT}/proxy/{what}", self.name);
        let request = Request::new(path).create(&PostParams::default(), Vec::new())?;
        self.client.request_text(request).await.with_context(|| format!("telling {pod} {what}"))?;
        Ok(())
    }
}
