//! The manual's YAML, changed where a test needs it.

use std::fs;

use anyhow::{Context, Result};
use gamewarden_api::GameServerSet;
use serde_json::{Value, json};

use crate::cluster;

/// A GameServerSet to be made.
#[derive(Clone, Debug)]
pub struct Manifest(Value);

/// One of the manual's examples, `minecraft` or `demo-gs`, letter for letter but for its namespace.
///
/// # Errors
/// There is no such example.
pub fn example_text(name: &str, namespace: &str) -> Result<String> {
    let path = cluster::repository().join(format!("examples/{name}.yaml"));
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.replace("namespace: default", &format!("namespace: {namespace}")))
}

impl Manifest {
    /// One of the manual's examples, with a name of its own.
    ///
    /// # Errors
    /// There is no such example.
    pub fn example(example: &str, name: &str) -> Result<Self> {
        let mut object: Value = serde_yaml_ng::from_str(&example_text(example, "default")?)?;
        object["metadata"] = json!({"name": name});
        Ok(Self(object))
    }

    /// The set of idle servers, asked often: what is tested does not need the default's ten seconds.
    ///
    /// # Errors
    /// The example is gone.
    pub fn idle(name: &str, replicas: u32) -> Result<Self> {
        Ok(Self::example("minecraft", name)?.replicas(replicas).often())
    }

    /// Servers that nobody asks how they are.
    ///
    /// # Errors
    /// The example is gone.
    pub fn plain(name: &str, replicas: u32) -> Result<Self> {
        let plain = Self::example("minecraft", name)?.replicas(replicas);
        Ok(plain.merge(json!({"serviceQualities": null})))
    }

    /// One server with one quality, whose probe is this bash script.
    ///
    /// # Errors
    /// The example is gone.
    pub fn probed(name: &str, script: &str, actions: Value) -> Result<Self> {
        let one = Self::idle(name, 1)?;
        Ok(one.quality(json!({
            "name": "probe",
            "exec": {"command": ["bash", "-c", script]},
            "serviceQualityAction": actions,
        })))
    }

    /// One server that answers probes as it is told (`tests/server`), with these qualities, each asked every
    /// second and false at the first failure.
    ///
    /// # Errors
    /// A quality is no object.
    pub fn served(name: &str, qualities: &[Value]) -> Result<Self> {
        let mut often = Vec::new();
        for quality in qualities {
            let mut whole = json!({
                "containerName": "game", "initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 1,
            });
            merge(&mut whole, quality.clone());
            often.push(whole);
        }
        let port = |name: &str, number: u16| json!({"name": name, "containerPort": number});
        Ok(Self(json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet", "metadata": {"name": name},
            "spec": {
                "replicas": 1,
                "serviceQualities": often,
                "gameServerTemplate": {"spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{
                        "name": "game",
                        "image": format!("registry.gamewarden.test/server:{}", env!("CARGO_PKG_VERSION")),
                        "imagePullPolicy": "IfNotPresent",
                        "ports": [port("web", 8080), port("tls", 8443), port("play", 7777), port("health", 9000)],
                    }],
                }},
            },
        })))
    }

    /// With so many servers.
    #[must_use]
    pub fn replicas(self, replicas: u32) -> Self {
        self.merge(json!({"replicas": replicas}))
    }

    /// First asked after a second, then every two, false at the first failure.
    #[must_use]
    pub fn often(self) -> Self {
        self.quality(json!({"initialDelaySeconds": 1, "periodSeconds": 2, "failureThreshold": 1}))
    }

    /// A merge patch of its first quality.
    #[must_use]
    pub fn quality(mut self, patch: Value) -> Self {
        merge(&mut self.0["spec"]["serviceQualities"][0], patch);
        self
    }

    /// A merge patch of its first container.
    #[must_use]
    pub fn container(mut self, patch: Value) -> Self {
        let template = &mut self.0["spec"]["gameServerTemplate"];
        merge(&mut template["spec"]["containers"][0], patch);
        self
    }

    /// A merge patch of its spec.
    #[must_use]
    pub fn merge(mut self, patch: Value) -> Self {
        merge(&mut self.0["spec"], patch);
        self
    }

    /// With this protection of servers that are in use.
    #[must_use]
    pub fn protection(mut self, protection: &str) -> Self {
        merge(&mut self.0, json!({"metadata": {"annotations": {"gamewarden.dev/protection": protection}}}));
        self
    }

    /// As YAML (JSON is YAML).
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// As JSON.
    #[must_use]
    pub fn value(self) -> Value {
        self.0
    }

    /// As the object to make.
    ///
    /// # Errors
    /// It is none.
    pub fn object(&self) -> Result<GameServerSet> {
        Ok(serde_json::from_value(self.0.clone())?)
    }
}

/// RFC 7386.
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.as_object_mut().map(|fields| fields.remove(&key));
            }
            value => merge(&mut target[key], value),
        }
    }
}
