//! What is wrong with an installation: a rule over what was seen of it.

use std::fmt;

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
    /// Each Deployment that there should be, by name.
    pub deployments: Vec<(String, Answer<Deployment>)>,
    /// Each webhook configuration that there should be, by kind.
    pub webhooks: Vec<(String, Answer<DynamicObject>)>,
    /// The lease as the first look found it, if one has.
    pub lease_before: Option<Lease>,
    /// The lease now.
    pub lease: Answer<Lease>,
    /// Each definition that there should be, as this program would have it.
    pub definitions: Vec<(CustomResourceDefinition, Answer<CustomResourceDefinition>)>,
    /// Whether the definitions must be exactly those.
    pub own_definitions: bool,
    /// A dry run of creating a good set.
    pub good_set: Answer<()>,
    /// A dry run of creating a set with -1 replicas.
    pub bad_set: Answer<()>,
}

/// One check and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub what: String,
    /// What is wrong with it, if something is.
    pub problem: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            None => write!(f, "ok      {}", self.what),
            Some(problem) => write!(f, "FAILED  {}: {problem}", self.what),
        }
    }
}

/// All checks, in the order in which one rests on another.
#[must_use]
pub fn judge(seen: &Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (expected, answer) in &seen.definitions {
        let problem = granted(answer).and_then(|crd| definition(expected, crd, seen.own_definitions));
        findings.push(finding(format!("definition {} is served", expected.name_any()), problem));
    }
    for (name, answer) in &seen.deployments {
        let problem = granted(answer).and_then(deployment);
        findings.push(finding(format!("deployment {name} is rolled out and available"), problem));
    }
    for (kind, answer) in &seen.webhooks {
        let problem = granted(answer).and_then(trusted);
        findings.push(finding(format!("{kind} gamewarden trusts the webhook"), problem));
    }
    let problem = granted(&seen.lease).and_then(|now| lease(seen.lease_before.as_ref(), now));
    findings.push(finding("a controller holds the lease and renews it".to_owned(), problem));
    findings.push(finding("a good set is accepted (dry run)".to_owned(), granted(&seen.good_set).copied()));
    findings.push(finding("a set with -1 replicas is refused (dry run)".to_owned(), refused(&seen.bad_set)));
    findings
}

fn finding(what: String, problem: Result<(), String>) -> Finding {
    Finding { what, problem: problem.err() }
}

fn granted<T>(answer: &Answer<T>) -> Result<&T, String> {
    answer.as_ref().map_err(|refusal| refusal.why.clone())
}

/// Refused for what is wrong with it, and not because the API server could not be asked or lets nobody.
fn refused(answer: &Answer<()>) -> Result<(), String> {
    match answer {
        Err(refusal) if refusal.why.contains("spec.replicas") => Ok(()),
        Err(refusal) => Err(format!("it was refused for another reason: {}", refusal.why)),
        Ok(()) => Err("it was accepted".to_owned()),
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
            return Err(format!(
                "version {name} is not the one of this release, at {path}; upgrade the definitions as well \
                 (helm upgrade with crds.enabled=true)"
            ));
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

/// Each of its webhooks has a caBundle: without one the API server trusts nobody of ours. (That it is the right one, the
/// webhook's readiness says as far as it can be said: whoever wrote one wrote the other.)
fn trusted(configuration: &DynamicObject) -> Result<(), String> {
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
            Err(format!("{name} has no caBundle yet; the controller, or cert-manager, fills it in"))
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
