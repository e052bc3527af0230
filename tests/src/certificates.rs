//! The webhook's certificates: what is stored, what is published, and what each replica really shows.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
        apps::v1::Deployment,
        core::v1::{Event, Pod, Secret},
    },
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;

use crate::{
    controller::{self, NAMESPACE},
    wait,
};

/// The Secret of the certificate authority.
pub const CA_SECRET: &str = "gamewarden-webhook-ca";
/// The Secret of the serving certificate.
pub const SERVING_SECRET: &str = "gamewarden-webhook-tls";
/// Both configurations.
pub const CONFIGURATION: &str = "gamewarden";
/// Asks for another certificate.
pub const ROTATE: &str = "gamewarden.dev/rotate";

/// The certificates of the installed webhook.
pub struct Certificates {
    client: Client,
}

impl Certificates {
    /// Those of the installation.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    /// The Secrets.
    #[must_use]
    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// The configuration that validates.
    #[must_use]
    pub fn validating(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    /// The configuration that defaults.
    #[must_use]
    pub fn mutating(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    /// A key of a Secret, as text.
    ///
    /// # Errors
    /// It is not there.
    pub async fn text(&self, secret: &str, key: &str) -> Result<String> {
        let found = self.secrets().get(secret).await?;
        text(&found, key).with_context(|| format!("Secret {secret} has no {key}"))
    }

    /// What has been told about certificates that were rotated, by the names of the events.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn told(&self) -> Result<BTreeMap<String, String>> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), NAMESPACE);
        let rotations =
            "reason=CertificateRotated,involvedObject.kind=Deployment,involvedObject.name=gamewarden-webhook";
        let list = events.list(&ListParams::default().fields(rotations)).await?;
        Ok(list.into_iter().map(|event| (event.name_any(), event.message.unwrap_or_default())).collect())
    }

    /// Waits until all of `wanted` have been told that were not told `before`, each as the beginning of a message.
    ///
    /// # Errors
    /// One is not.
    pub async fn told_since(&self, before: &BTreeMap<String, String>, wanted: &[&str]) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let mut told = self.told().await?;
            told.retain(|name, _| !before.contains_key(name));
            let mut messages: Vec<&String> = told.values().collect();
            let mut take = |begin: &&&str| {
                let found = messages.iter().position(|message| message.starts_with(**begin));
                found.map(|index| messages.swap_remove(index)).is_none()
            };
            let missing: Vec<_> = wanted.iter().filter(&mut take).collect();
            if missing.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "not told: {missing:?}, but {told:?}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Asks for another certificate, as people do it.
    ///
    /// # Errors
    /// There is no such Secret.
    pub async fn rotate(&self, secret: &str) -> Result<()> {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {ROTATE: "now"}}}));
        self.secrets().patch(secret, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Waits until `key` of the Secret is there, and not `before`; gives it.
    ///
    /// # Errors
    /// It stays.
    pub async fn another(&self, secret: &str, key: &str, before: &str) -> Result<String> {
        let what = format!("{secret} has another {key}");
        let is_another = |secret: &Secret| text(secret, key).is_some_and(|now| now != before);
        let found = wait::one(&self.secrets(), secret, &what, is_another).await?;
        text(&found, key).context(what)
    }

    /// Waits until every caBundle is the same and has this certificate.
    ///
    /// # Errors
    /// One has not.
    pub async fn published(&self, ca: &str) -> Result<String> {
        let has = |bundle: &Option<String>| bundle.as_ref().is_some_and(|bundle| bundle.contains(ca.trim()));
        let what = "every caBundle has the CA";
        let one = wait::one(&self.validating(), CONFIGURATION, what, |c| bundles(c).iter().all(has)).await?;
        let other = wait::one(&self.mutating(), CONFIGURATION, what, |c| bundles(c).iter().all(has)).await?;
        let bundles = bundles(&one).into_iter().chain(bundles(&other)).flatten();
        bundles.max_by_key(String::len).context("no webhooks")
    }

    /// Waits until each replica of the webhook shows the certificate in the Secret, to a client that trusts `bundle`.
    ///
    /// # Errors
    /// One shows another, or one that is not trusted.
    pub async fn served(&self, bundle: &str) -> Result<()> {
        let wanted = self.text(SERVING_SECRET, "tls.crt").await?;
        let wanted = CertificateDer::from_pem_slice(wanted.as_bytes())?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let pods = controller::pods(&self.client, "webhook").await?;
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        let replicas = deployments.get("gamewarden-webhook").await?.spec.and_then(|spec| spec.replicas);
        let replicas = usize::try_from(replicas.unwrap_or(1))?;
        ensure!(pods.len() >= replicas.max(1), "{} of {replicas} replicas of the webhook run", pods.len());
        for pod in pods {
            loop {
                let shown = self.shown(&pod.name_any(), bundle).await;
                if shown.as_ref().is_ok_and(|shown| *shown == wanted) {
                    break;
                }
                if Instant::now() > deadline {
                    bail!("{} shows {shown:?}, not {wanted:?}", pod.name_any());
                }
                // A handshake cannot be watched.
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// What a replica shows to a client that trusts `bundle`.
    async fn shown(&self, pod: &str, bundle: &str) -> Result<CertificateDer<'static>> {
        let mut roots = RootCertStore::empty();
        for ca in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(ca?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        let mut forwarder = pods.portforward(pod, &[8443]).await?;
        let stream = forwarder.take_stream(8443).context("no stream")?;
        let name = ServerName::try_from(format!("gamewarden-webhook.{NAMESPACE}.svc"))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        Ok(shown.context("no certificate")?.clone().into_owned())
    }
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    let value = secret.data.as_ref()?.get(key)?;
    String::from_utf8(value.0.clone()).ok()
}

/// The caBundle of each webhook of a configuration, of either kind.
fn bundles(configuration: &impl Serialize) -> Vec<Option<String>> {
    let object = serde_json::to_value(configuration).unwrap_or_default();
    let webhooks = object["webhooks"].as_array().cloned().unwrap_or_default();
    let bundle = |webhook: &Value| {
        let bundle: ByteString = serde_json::from_value(webhook["clientConfig"]["caBundle"].clone()).ok()?;
        String::from_utf8(bundle.0).ok()
    };
    webhooks.iter().map(bundle).collect()
}

/// All keys of a Secret as they are to be in a patch, with other values.
#[must_use]
pub fn garbage(keys: &[&str]) -> BTreeMap<String, String> {
    keys.iter().map(|key| ((*key).to_owned(), "not a certificate".to_owned())).collect()
}
