//! Keeps the installed controller out of a namespace, where a test has controllers of its own.
//!
//! It goes on watching what is there, and every write of its is refused: the other tests have it as it is.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1,
};
use kube::{
    Api, Error,
    api::{ObjectMeta, PostParams},
};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use crate::{Namespace, cluster, controller, wait::DEADLINE};

/// What the installed controller is told.
const KEPT_OUT: &str = "this namespace has controllers of its own";

impl Namespace {
    /// From now on the installed controller writes nothing in here. Controllers of a test's own, which are administrators by
    /// that name, do.
    ///
    /// # Errors
    /// The policy cannot be made, or does not come into force.
    pub async fn keep_installed_out(&self) -> Result<()> {
        let namespaces: Api<v1::Namespace> = Api::all(self.client.clone());
        let uid = namespaces.get(&self.name).await?.metadata.uid.context("a namespace has a uid")?;
        // It goes with the namespace, however the test ends.
        let metadata = json!({"name": self.name, "ownerReferences": [
            {"apiVersion": "v1", "kind": "Namespace", "name": self.name, "uid": uid},
        ]});
        let policy = json!({"metadata": metadata, "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.name}},
                "resourceRules": [{
                    "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"],
                    "operations": ["CREATE", "UPDATE", "DELETE"],
                }],
            },
            "matchConditions": [{"name": "installed", "expression": format!(
                "request.userInfo.username == '{}' && !('system:masters' in request.userInfo.groups)",
                controller::USER,
            )}],
            "validations": [{"expression": "false", "message": KEPT_OUT, "reason": "Forbidden"}],
        }});
        let binding = json!({
            "metadata": metadata, "spec": {"policyName": self.name, "validationActions": ["Deny"]},
        });
        let params = PostParams::default();
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(self.client.clone());
        policies.create(&params, &serde_json::from_value(policy)?).await?;
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.client.clone());
        bindings.create(&params, &serde_json::from_value(binding)?).await?;
        self.installed_is_out().await
    }

    /// Waits until API servers have read the policy: nothing tells when, so that it is tried.
    async fn installed_is_out(&self) -> Result<()> {
        let events: Api<v1::Event> = Api::namespaced(cluster::client_as_the_controller().await?, &self.name);
        let about = v1::ObjectReference { namespace: Some(self.name.clone()), ..Default::default() };
        let name = Some("kept-out".to_owned());
        let event = v1::Event {
            metadata: ObjectMeta { name, ..ObjectMeta::default() },
            involved_object: about,
            ..v1::Event::default()
        };
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let began = Instant::now();
        loop {
            match events.create(&dry_run, &event).await {
                Err(Error::Api(status)) if status.message.contains(KEPT_OUT) => return Ok(()),
                Err(error) => return Err(error).context("asking as the installed controller"),
                Ok(_) if began.elapsed() > DEADLINE => bail!("the policy {} is not in force", self.name),
                Ok(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }
}
