//! Keeps certificates: looks at the Secrets and configurations, asks the rule what to do, and does it, one step after
//! another.
//!
//! ```text
//!   watches of both Secrets, both configurations ─┐
//!   a minute, or the time the plan names ─────────┴▶ look ─▶ plan ─▶ one write ─▶ look … until there is nothing to do
//! ```
//!
//! A look asks the API server itself, **configurations first**: a bundle that is written over a configuration of that
//! version can then not be older than what another keeper has published since. Every write carries the
//! resourceVersion of what was looked at; a conflict means to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fmt::Debug;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, PartialObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::configurations::{self, Bundles};
use crate::contest::Contest;
use crate::issue::IssueError;
use crate::metrics::{Certificate, KeeperMetrics};
use crate::news::News;
use crate::policy::{Authority, Ca, Plan, Settings, Snapshot, Source, Step, plan};
use crate::read::{self, CaCertificate, ReadError};
use crate::secrets::{self, AuthoritySecret, ServingSecret};

/// More steps than any repair takes, without coming to rest, are a fight with somebody.
const STEPS: usize = 16;

/// The first wait after a failure; doubled with each up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// People are told of failures from this one in a row on: one may be a hiccup.
const TOLD_FROM: u32 = 3;

/// What is kept, and where.
#[derive(Clone, Debug)]
pub struct Config {
    /// Namespace of the Secrets and the webhook's Service.
    pub namespace: String,
    /// Name of the Secret with the CA keys.
    pub ca_secret: String,
    /// Name of the Secret with the serving certificate.
    pub serving_secret: String,
    /// Name of the MutatingWebhookConfiguration and of the ValidatingWebhookConfiguration.
    pub configuration: String,
    /// Name of the webhook's Service (and of its Deployment, which events are about).
    pub service: String,
    /// Validities and delays.
    pub settings: Settings,
}

/// Why a look or a step failed.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// An object could not be read.
    #[error("cannot get {what}")]
    Get {
        /// Which one.
        what: String,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// An object could not be written.
    #[error("cannot write {what}")]
    Write {
        /// Which one.
        what: String,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// The API server refuses every change of it.
    #[error(
        "Secret {name} is immutable, so nobody can change it: delete it (kubectl -n {namespace} delete secret {name}), \
         and it is made anew"
    )]
    Immutable {
        /// Its namespace.
        namespace: String,
        /// Which one.
        name: String,
    },
    /// A certificate could not be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Something else changes what was written, or what was written is not what was planned.
    #[error(
        "after {STEPS} steps there is still something to do ({why}): does something else write them, too?"
    )]
    Unsettled {
        /// What the last step was for.
        why: &'static str,
    },
}

impl KeepError {
    /// Somebody else was faster: look again.
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Write { source, .. } if matches!(&**source, kube::Error::Api(s) if s.code == 409))
    }

    /// With its causes, for people.
    fn told(&self) -> String {
        let (mut text, mut cause) = (self.to_string(), self.source());
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

/// The DNS names under which API servers call a Service.
#[must_use]
pub fn dns_names(service: &str, namespace: &str) -> Vec<String> {
    // The API server uses the first; the others are for people.
    ["svc", "svc.cluster.local"]
        .map(|domain| format!("{service}.{namespace}.{domain}"))
        .into_iter()
        .chain([format!("{service}.{namespace}")])
        .collect()
}

/// Keeps the certificates of one webhook.
pub struct Keeper {
    config: Config,
    names: Vec<String>,
    secrets: Api<Secret>,
    configurations: [Api<DynamicObject>; 2],
    metrics: KeeperMetrics,
    news: News,
    agreed: Option<Agreed>,
    /// The bundle that this process has published last.
    published: Option<BTreeSet<Ca>>,
    contest: Contest,
}

/// Since when this process has seen the bundle everywhere.
struct Agreed {
    bundle: BTreeSet<Ca>,
    since: Instant,
}

/// One look.
struct Look {
    configurations: Vec<DynamicObject>,
    ca_secret: Option<Secret>,
    serving_secret: Option<Secret>,
    authority: AuthoritySecret,
    /// What of the serving Secret cannot be read, and why.
    serving_problems: Vec<ReadError>,
    /// Every CA certificate that was seen anywhere.
    known: Vec<CaCertificate>,
    snapshot: Snapshot,
}

impl Keeper {
    /// A keeper that writes with `client` only what [`Config`] names, and events.
    #[must_use]
    pub fn new(client: &Client, config: Config, metrics: KeeperMetrics) -> Self {
        let configurations = [
            ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        ];
        Self {
            names: dns_names(&config.service, &config.namespace),
            secrets: Api::namespaced(client.clone(), &config.namespace),
            configurations: configurations.map(|resource| Api::all_with(client.clone(), &resource)),
            news: News::new(client.clone(), &config.namespace, &config.service),
            metrics,
            config,
            agreed: None,
            published: None,
            contest: Contest::default(),
        }
    }

    /// Keeps them until `stop`. What fails is tried again, logged, counted and told; nothing ends it.
    pub async fn run(mut self, watch: Client, stop: CancellationToken) {
        let changed = Arc::new(Notify::new());
        let watches = self.watches(&watch, &changed);
        tokio::select! {
            () = stop.cancelled() => {}
            () = watches => {}
            () = self.work(&changed) => {}
        }
    }

    /// Looks when the time has come or something has changed, for ever.
    async fn work(&mut self, changed: &Notify) {
        let mut failures = 0;
        loop {
            match self.settle().await {
                Ok(wait) => {
                    failures = 0;
                    self.news.works();
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = changed.notified() => {}
                    }
                }
                // Changes wait for as long, too: they may be why it fails, and our own writes are changes.
                Err(error) => sleep(self.failed(&error, &mut failures).await).await,
            }
        }
    }

    async fn failed(&mut self, error: &KeepError, failures: &mut u32) -> Duration {
        *failures += 1;
        self.metrics.failures.inc();
        let told = error.told();
        tracing::warn!(error = told, failures, "certificates not kept yet");
        if *failures >= TOLD_FROM {
            self.news.fails(&told).await;
        }
        FIRST.saturating_mul(1 << (*failures - 1).min(16)).min(LONGEST)
    }

    /// Watches the four objects for as long as it is polled; each change is a reason to look.
    fn watches(&self, client: &Client, changed: &Arc<Notify>) -> impl Future<Output = ()> + use<> {
        let Config { namespace, ca_secret, serving_secret, configuration, .. } = &self.config;
        // Only that they have changed matters: the keys are read when they are needed.
        let secrets: Api<PartialObjectMeta<Secret>> = Api::namespaced(client.clone(), namespace);
        let mutating: Api<PartialObjectMeta<MutatingWebhookConfiguration>> = Api::all(client.clone());
        let validating: Api<PartialObjectMeta<ValidatingWebhookConfiguration>> = Api::all(client.clone());
        let streams = [
            changes(secrets.clone(), ca_secret).boxed(),
            changes(secrets, serving_secret).boxed(),
            changes(mutating, configuration).boxed(),
            changes(validating, configuration).boxed(),
        ];
        let changed = Arc::clone(changed);
        stream::select_all(streams).for_each(move |()| {
            changed.notify_one();
            ready(())
        })
    }

    /// Takes steps until there is nothing to do; says when to look again.
    async fn settle(&mut self) -> Result<Duration, KeepError> {
        let mut why = "";
        for _ in 0..STEPS {
            let look = self.look().await?;
            let now = Timestamp::now();
            let plan = plan(&look.snapshot, now, &self.config.settings);
            why = plan.why;
            if plan.step == Step::Wait {
                self.metrics.seen(&look.snapshot);
                return Ok(plan.again);
            }
            let is_again = plan.step == Step::Publish && self.published.as_ref() == Some(&plan.bundle);
            let wait = self.contest.wait(Instant::now());
            if is_again && !wait.is_zero() {
                self.metrics.seen(&look.snapshot);
                return Ok(wait);
            }
            let (authority, serving) = (&look.authority.problems, &look.serving_problems);
            for (problems, secret) in
                [(authority, &self.config.ca_secret), (serving, &self.config.serving_secret)]
            {
                for problem in problems {
                    tracing::warn!(%problem, secret, "a part of the Secret cannot be read");
                }
            }
            match self.carry_out(&look, &plan, now).await {
                Err(error) if error.is_conflict() => tracing::info!(why, "somebody else was faster"),
                result => result?,
            }
            if is_again && self.contest.written_again(Instant::now()) {
                self.contested().await;
            }
        }
        Err(KeepError::Unsettled { why })
    }

    async fn look(&mut self) -> Result<Look, KeepError> {
        let mut configurations = Vec::new();
        for api in &self.configurations {
            let name = &self.config.configuration;
            configurations
                .extend(api.get_opt(name).await.map_err(unread("the webhook configuration", name))?);
        }
        let (ca_name, serving_name) = (&self.config.ca_secret, &self.config.serving_secret);
        let ca_secret = self.secrets.get_opt(ca_name).await.map_err(unread("Secret", ca_name))?;
        let serving_secret =
            self.secrets.get_opt(serving_name).await.map_err(unread("Secret", serving_name))?;

        let authority = AuthoritySecret::read(ca_secret.as_ref());
        let serving = ServingSecret::read(serving_secret.as_ref());
        let mut known: Vec<CaCertificate> = authority.cas().chain(&serving.cas).cloned().collect();
        let leaf = serving.facts(&known, &self.names);
        let mut snapshot = Snapshot {
            stored: authority.facts(),
            leaf,
            rotate_leaf: serving.rotate,
            garbage_leaf: serving.is_garbage(leaf.as_ref()),
            bundles: Vec::new(),
            agreed_for: Duration::ZERO,
        };
        for configuration in &configurations {
            let bundles = Bundles::read(configuration);
            snapshot.bundles.extend(bundles.found);
            known.extend(bundles.cas);
        }
        snapshot.agreed_for = self.agreed_for(&snapshot);
        let serving_problems = serving.problems;
        Ok(Look { configurations, ca_secret, serving_secret, authority, serving_problems, known, snapshot })
    }

    /// For how long all bundles have been one and the same.
    fn agreed_for(&mut self, snapshot: &Snapshot) -> Duration {
        let first = snapshot.bundles.first().map(|bundle| bundle.cas.clone()).unwrap_or_default();
        let agree = snapshot.bundles.iter().all(|bundle| bundle.cas == first && !bundle.garbage);
        if !agree {
            self.agreed = None;
        } else if self.agreed.as_ref().is_none_or(|agreed| agreed.bundle != first) {
            self.agreed = Some(Agreed { bundle: first, since: Instant::now() });
        }
        self.agreed.as_ref().map_or(Duration::ZERO, |agreed| agreed.since.elapsed())
    }

    async fn carry_out(&mut self, look: &Look, plan: &Plan, now: Timestamp) -> Result<(), KeepError> {
        tracing::info!(step = ?plan.step, why = plan.why, "a step for the certificates");
        match &plan.step {
            Step::Store(authority) => self.store(look, authority, plan.why, now).await,
            Step::Publish => self.publish(look, plan).await,
            Step::Issue => self.issue(look, plan.why, now).await,
            Step::Wait => Ok(()),
        }
    }

    async fn store(
        &mut self,
        look: &Look,
        authority: &Authority,
        why: &str,
        now: Timestamp,
    ) -> Result<(), KeepError> {
        let data = look.authority.data(authority, &look.known, now, &self.config.settings)?;
        self.write(look.ca_secret.as_ref(), &self.config.ca_secret, "Opaque", data).await?;
        if matches!(authority.current, Source::New | Source::Next) {
            self.metrics.renewed(Certificate::Ca);
            self.news.rotated(&format!("Another CA signs serving certificates now: {why}")).await;
        }
        Ok(())
    }

    async fn issue(&mut self, look: &Look, why: &str, now: Timestamp) -> Result<(), KeepError> {
        let signed = look.authority.sign(&self.names, now, &self.config.settings)?;
        // The rule plans this only with a current CA.
        let Some((leaf, ca)) = signed else { return Ok(()) };
        let data = secrets::serving_data(&leaf, ca);
        let name = &self.config.serving_secret;
        self.write(look.serving_secret.as_ref(), name, "kubernetes.io/tls", data).await?;
        self.metrics.renewed(Certificate::Serving);
        let until = leaf.not_after;
        self.news
            .rotated(&format!("There is another serving certificate, valid until {until:.0}: {why}"))
            .await;
        Ok(())
    }

    /// Something else writes the caBundles, too, as often as this does.
    async fn contested(&mut self) {
        let name = &self.config.configuration;
        let wait = self.contest.wait(Instant::now());
        tracing::warn!(?wait, "something else keeps writing the caBundle, it is written again more slowly");
        self.metrics.contests.inc();
        self.news
            .contested(&format!(
                "Something else keeps writing the caBundle of the webhook configurations {name}; requests are refused \
                 in between. managedFields name it (kubectl get mutatingwebhookconfigurations,\
                 validatingwebhookconfigurations {name} -o yaml --show-managed-fields): have it ignore \
                 webhooks[].clientConfig.caBundle"
            ))
            .await;
    }

    async fn publish(&mut self, look: &Look, plan: &Plan) -> Result<(), KeepError> {
        let cas = plan.bundle.iter().filter_map(|ca| look.known.iter().find(|known| known.facts == *ca));
        let bundle: String = cas.map(|ca| read::pem(&ca.der)).collect();
        for configuration in &look.configurations {
            let of_kind = |kind: &str| configuration.types.as_ref().is_some_and(|t| t.kind == kind);
            let api = &self.configurations[usize::from(!of_kind("MutatingWebhookConfiguration"))];
            if Bundles::read(configuration).found.iter().all(|b| b.cas == plan.bundle && !b.garbage) {
                continue;
            }
            let name = configuration.name_any();
            let operations = configurations::patch(configuration, &bundle);
            let patch: Patch<DynamicObject> = serde_json::from_value(operations)
                .map(Patch::Json)
                .map_err(|e| unwritten("the webhook configuration", &name)(kube::Error::SerdeError(e)))?;
            let params = PatchParams { field_manager: Some("gamewarden".to_owned()), ..Default::default() };
            api.patch(&name, &params, &patch).await.map_err(unwritten("the webhook configuration", &name))?;
            self.metrics.bundle_writes.inc();
        }
        self.published = Some(plan.bundle.clone());
        Ok(())
    }

    async fn write(
        &self,
        before: Option<&Secret>,
        name: &str,
        type_: &str,
        data: BTreeMap<String, ByteString>,
    ) -> Result<(), KeepError> {
        if before.is_some_and(|secret| secret.immutable == Some(true)) {
            let namespace = self.config.namespace.clone();
            return Err(KeepError::Immutable { namespace, name: name.to_owned() });
        }
        let secret = secrets::written(before, (&self.config.namespace, name, type_), data);
        let params = PostParams { field_manager: Some("gamewarden".to_owned()), ..Default::default() };
        let written = match before {
            None => self.secrets.create(&params, &secret).await,
            Some(_) => self.secrets.replace(name, &params, &secret).await,
        };
        written.map(drop).map_err(unwritten("Secret", name))
    }
}

fn unread(what: &str, name: &str) -> impl FnOnce(kube::Error) -> KeepError {
    let what = format!("{what} {name}");
    move |source| KeepError::Get { what, source: Box::new(source) }
}

fn unwritten(what: &str, name: &str) -> impl FnOnce(kube::Error) -> KeepError {
    let what = format!("{what} {name}");
    move |source| KeepError::Write { what, source: Box::new(source) }
}

/// Something for every change of one object, also where a watch had to begin anew.
fn changes<K>(api: Api<PartialObjectMeta<K>>, name: &str) -> impl Stream<Item = ()> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    watcher(api, config).default_backoff().filter_map(|event| {
        let change = event.inspect_err(|error| {
            tracing::warn!(%error, kind = %K::kind(&()), "a watch broke, it is started again");
        });
        ready(change.ok().map(drop))
    })
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
