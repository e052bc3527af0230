//! What is wrong with an installation: a rule over what was seen of it.

use std::fmt;

use gamewarden_api::GameServerSet;
use k8s_openapi::{
    api::{apps::v1::Deployment, coordination::v1::Lease},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

/// What the API server answered to one request.
pub type Answer<T> = Result<T, Refusal>;

/// A request that was not granted, or that got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status; none where there was no answer.
    pub code: Option<u16>,
    /// Why, as the API server or the client says it.
    pub why: String,
}

/// Everything that one look saw.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where the chart was installed.
    pub namespace: String,
    /// Where the sets were tried.
    pub tried_in: String,
    /// Whether there should be a webhook.
    pub has_webhook: bool,
    /// Each Deployment that there should be, by name.
    pub deployments: Vec<(String, Answer<Deployment>)>,
    /// Each webhook configuration that there should be, or should not without a webhook, by kind.
    pub webhooks: Vec<(String, Answer<DynamicObject>)>,
    /// The lease as the first look found it, if one has.
    pub lease_before: Option<Lease>,
    /// The lease now.
    pub lease: Answer<Lease>,
    /// Each definition that there should be, as this program would have it.
    pub definitions: Vec<(CustomResourceDefinition, Answer<CustomResourceDefinition>)>,
    /// Whether the definitions must be exactly those.
    pub own_definitions: bool,
    /// A dry run of creating a good set: what would be stored.
    pub good_set: Answer<GameServerSet>,
    /// A dry run of creating a set with two mistakes: [`BAD`].
    pub bad_set: Answer<GameServerSet>,
}

/// How the webhook, and nobody else, begins to say what is wrong with the set, and both mistakes in its words. Of the
/// second one the definitions know nothing; of the first they speak in other words.
pub(super) const BAD: [&str; 3] = [
    "GameServerSet.game.kruise.io \"gamewarden-check-install\" is invalid:",
    "* spec.replicas: -1 is out of range",
    "* spec.reserveGameServerIds[0]: \"7-5\": the range ends before it starts",
];

/// One check and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub what: String,
    /// What is wrong with it, if something is.
    pub problem: Option<Problem>,
}

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub why: String,
    /// What to do.
    pub todo: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            None => write!(f, "ok      {}", self.what),
            Some(Problem { why, todo }) => {
                write!(f, "FAILED  {}: {why}\n        what to do: {todo}", self.what)
            }
        }
    }
}

/// All checks, in the order in which one rests on another.
#[must_use]
pub fn judge(seen: &Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    let namespace = &seen.namespace;
    let mut check = |what: String, result: Result<(), String>, todo: String| {
        findings.push(Finding { what, problem: result.err().map(|why| Problem { why, todo }) });
    };
    for (expected, answer) in &seen.definitions {
        let result = granted(answer).and_then(|crd| definition(expected, crd, seen.own_definitions));
        let name = expected.name_any();
        let todo = if seen.own_definitions {
            format!("kubectl get crd {name}; helm upgrade with crds.enabled=true installs this release's")
        } else {
            format!(
                "kubectl get crd {name}; whoever supplies it (crds.enabled=false) has to install this release's"
            )
        };
        check(format!("definition {name} is served"), result, todo);
    }
    for (name, answer) in &seen.deployments {
        let result = granted(answer).and_then(deployment);
        let todo =
            format!("kubectl -n {namespace} get pods; kubectl -n {namespace} describe deployment {name}");
        check(format!("deployment {name} is rolled out and available"), result, todo);
    }
    for (kind, answer) in &seen.webhooks {
        if seen.has_webhook {
            let result = granted(answer).and_then(trusting);
            let todo = format!(
                "the controller that leads, or cert-manager, fills it in: kubectl -n {namespace} logs \
                 deployment/gamewarden-controller; a configuration that is gone comes back with helm upgrade"
            );
            check(format!("{kind} gamewarden has a caBundle for each of its webhooks"), result, todo);
        } else {
            let todo = format!("kubectl delete {} gamewarden", kind.to_lowercase());
            let what = format!("{kind} gamewarden is not there (webhook.replicas=0)");
            check(what, gone(answer), todo);
        }
    }
    let result = granted(&seen.lease).and_then(|now| lease(seen.lease_before.as_ref(), now));
    let todo = format!("kubectl -n {namespace} logs deployment/gamewarden-controller");
    check("a controller holds the lease and renews it".to_owned(), result, todo);

    let tried_in = &seen.tried_in;
    if seen.has_webhook {
        let what =
            format!("a good set is accepted and gets its defaults from the webhook (dry run in {tried_in})");
        let result = granted(&seen.good_set).and_then(defaulted);
        let todo = asking(seen, result.as_ref().err());
        check(what, result, todo);
        let what = format!("the webhook says both mistakes of a bad set (dry run in {tried_in})");
        let result = refused(&seen.bad_set, &BAD);
        let todo = asking(seen, result.as_ref().err());
        check(what, result, todo);
    } else {
        let what = format!("a good set is accepted, without a webhook (dry run in {tried_in})");
        let result = granted(&seen.good_set).map(drop);
        let todo = asking(seen, result.as_ref().err());
        check(what, result, todo);
        let what = format!("the definitions refuse a set with -1 replicas (dry run in {tried_in})");
        let result = refused(&seen.bad_set, &["spec.replicas"]);
        let todo = asking(seen, result.as_ref().err());
        check(what, result, todo);
    }
    findings
}

fn granted<T>(answer: &Answer<T>) -> Result<&T, String> {
    answer.as_ref().map_err(|refusal| refusal.why.clone())
}

/// The webhook has filled in what the set leaves out.
fn defaulted(set: &GameServerSet) -> Result<(), String> {
    match set.spec.service_qualities.first().and_then(|quality| quality.period_seconds) {
        Some(3) => Ok(()),
        found => {
            let found = found.map_or("none".to_owned(), |seconds| seconds.to_string());
            Err(format!(
                "it was accepted, but its periodSeconds is {found} and not 3: the webhook was not asked"
            ))
        }
    }
}

/// Refused for what is wrong with it, all of `parts` said, and not because the API server could not be asked or lets
/// nobody.
fn refused(answer: &Answer<GameServerSet>, parts: &[&str]) -> Result<(), String> {
    match answer {
        Ok(_) => Err("it was accepted".to_owned()),
        Err(refusal) => match parts.iter().find(|part| !refusal.why.contains(**part)) {
            None => Ok(()),
            Some(part) => Err(format!("it was refused, but not with \"{part}\": {}", refusal.why)),
        },
    }
}

/// What to do where a dry run did not end as it should.
fn asking(seen: &Seen, why: Option<&String>) -> String {
    let (namespace, tried_in) = (&seen.namespace, &seen.tried_in);
    let why = why.map(String::as_str).unwrap_or_default();
    if why.contains("failed calling webhook") {
        return format!(
            "the API server does not reach the webhook: kubectl -n {namespace} get pods,endpointslices; the page on \
             troubleshooting (The webhook) explains the message; helm upgrade with webhook.replicas=0 does without it"
        );
    }
    if why.contains("cannot create resource") {
        return format!(
            "the account gamewarden-test needs to create gameserversets in {tried_in}: run it by helm test"
        );
    }
    if !seen.has_webhook {
        return "the definitions are not this release's: see the first lines".to_owned();
    }
    format!(
        "the API server did not ask the webhook about {tried_in}, or somebody else answered: kubectl get \
         mutatingwebhookconfiguration gamewarden -o yaml (its namespaceSelector, its first entry); helm upgrade (Helm 4: \
         with --force-conflicts) puts it back"
    )
}

/// Nobody would answer it.
fn gone(answer: &Answer<DynamicObject>) -> Result<(), String> {
    match answer {
        Err(Refusal { code: Some(404), .. }) => Ok(()),
        Err(refusal) => Err(refusal.why.clone()),
        Ok(_) => Err("it is there, and nobody answers what it asks".to_owned()),
    }
}

fn definition(
    expected: &CustomResourceDefinition,
    crd: &CustomResourceDefinition,
    own: bool,
) -> Result<(), String> {
    let mut established = crd.status.iter().flat_map(|status| status.conditions.iter().flatten());
    if !established.any(|c| c.type_ == "Established" && c.status == "True") {
        return Err("it is not established yet".to_owned());
    }
    for version in &expected.spec.versions {
        let name = &version.name;
        let Some(served) = crd.spec.versions.iter().find(|served| served.name == *name && served.served)
        else {
            return Err(format!("version {name} is not served"));
        };
        let (Ok(expected), Ok(served)) = (serde_json::to_value(version), serde_json::to_value(served)) else {
            return Err(format!("version {name} cannot be compared"));
        };
        if let (true, Some(path)) = (own, difference(&expected, &served)) {
            return Err(format!("version {name} is not the one of this release, at {path}"));
        }
    }
    Ok(())
}

/// The path of the first difference, as kubectl writes paths.
fn difference(expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let mut all = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            all.find_map(|key| {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                difference(a, b).map(|rest| format!(".{key}{rest}"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| difference(a, b).map(|rest| format!("[{index}]{rest}"))),
        // One writes 0 where the other has 0.0.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        _ => (expected != found).then(String::new),
    }
}

/// What `kubectl rollout status` asks for, and that somebody is there at all.
fn deployment(deployment: &Deployment) -> Result<(), String> {
    let spec = deployment.spec.as_ref();
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let (updated, available) = (status.updated_replicas.unwrap_or(0), status.available_replicas.unwrap_or(0));
    if wanted == 0 {
        return Err("it has no replicas".to_owned());
    }
    if status.observed_generation < deployment.metadata.generation || updated < wanted {
        return Err(format!("it is being rolled out, {updated} of {wanted} replicas are new"));
    }
    if available < wanted {
        return Err(format!("{available} of {wanted} replicas are available"));
    }
    Ok(())
}

/// Each of its webhooks has a caBundle: without one the API server trusts nobody of ours. (That it is the right one, a
/// dry run shows.)
fn trusting(configuration: &DynamicObject) -> Result<(), String> {
    let webhooks: Vec<&Value> = configuration.data["webhooks"].as_array().into_iter().flatten().collect();
    let has_bundle = |webhook: &&Value| {
        webhook["clientConfig"]["caBundle"].as_str().is_some_and(|bundle| !bundle.is_empty())
    };
    if webhooks.is_empty() {
        return Err("it has no webhooks".to_owned());
    }
    match webhooks.iter().find(|webhook| !has_bundle(webhook)) {
        None => Ok(()),
        Some(without) => {
            let name = without["name"].as_str().unwrap_or_default();
            Err(format!("{name} has no caBundle yet"))
        }
    }
}

/// Held, and seen to change: whose clock says what does not matter.
fn lease(before: Option<&Lease>, now: &Lease) -> Result<(), String> {
    let holder = now.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
    if holder.is_empty() {
        return Err("nobody holds it".to_owned());
    }
    match before {
        Some(before) if before.metadata.resource_version != now.metadata.resource_version => Ok(()),
        _ => Err(format!("{holder} holds it and has not renewed it while this was looking")),
    }
}
