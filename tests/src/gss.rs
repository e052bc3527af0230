//! A game server set under test.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use gamewarden_api::{
    GameServer, GameServerSet,
    types::{GameServerState, IntOrString},
};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::watcher,
};
use serde_json::{Value, json};

use crate::{Manifest, Namespace, wait};

/// A set in a namespace.
pub struct Gss<'a> {
    namespace: &'a Namespace,
    /// Its name.
    pub name: String,
}

/// What stays the same as long as nobody makes the pod again or restarts its container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The pod's uid.
    pub uid: String,
    /// How often its containers were restarted.
    pub restarts: i32,
}

impl<'a> Gss<'a> {
    /// Makes a set.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn create(namespace: &'a Namespace, manifest: &Manifest) -> Result<Gss<'a>> {
        let object = manifest.object()?;
        namespace.api::<GameServerSet>().create(&PostParams::default(), &object).await?;
        Ok(Self::of(namespace, &object.name_any()))
    }

    /// A set that somebody has made.
    #[must_use]
    pub fn of(namespace: &'a Namespace, name: &str) -> Self {
        Self { namespace, name: name.to_owned() }
    }

    /// Name of the server of this ordinal.
    #[must_use]
    pub fn server(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.name)
    }

    /// The namespace's GameServers.
    #[must_use]
    pub fn servers(&self) -> Api<GameServer> {
        self.namespace.api()
    }

    /// The namespace's pods.
    #[must_use]
    pub fn pods(&self) -> Api<Pod> {
        self.namespace.api()
    }

    /// Selects the set's pods and GameServers.
    #[must_use]
    pub fn members(&self) -> watcher::Config {
        wait::labelled(&format!("game.kruise.io/owner-gss={}", self.name))
    }

    /// The set as it is now.
    ///
    /// # Errors
    /// It is gone.
    pub async fn get(&self) -> Result<GameServerSet> {
        Ok(self.namespace.api().get(&self.name).await?)
    }

    /// Waits until the set is as `done` says.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn wait(&self, what: &str, done: impl FnMut(&GameServerSet) -> bool) -> Result<GameServerSet> {
        wait::one(&self.namespace.api(), &self.name, what, done).await
    }

    /// Waits until the server of this ordinal is as `done` says.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn wait_server(
        &self,
        ordinal: u32,
        what: &str,
        done: impl FnMut(&GameServer) -> bool,
    ) -> Result<GameServer> {
        wait::one(&self.servers(), &self.server(ordinal), what, done).await
    }

    /// Waits until exactly these servers are there, all of them Ready, in these operations states, and no
    /// other pod is left; gives the pods by name.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn wait_states(&self, states: &[(u32, &str)]) -> Result<BTreeMap<String, Pod>> {
        let wanted: BTreeMap<String, &str> =
            states.iter().map(|(ordinal, state)| (self.server(*ordinal), *state)).collect();
        let what = format!("the servers are exactly {wanted:?} and Ready");
        wait::all(&self.servers(), self.members(), &what, |seen| {
            let mut each = wanted.iter();
            seen.len() == wanted.len()
                && each.all(|(name, state)| seen.get(name).and_then(ready_in) == Some(*state))
        })
        .await?;
        let names: BTreeSet<&String> = wanted.keys().collect();
        let what = format!("the pods are exactly {names:?}");
        wait::all(&self.pods(), self.members(), &what, |seen| seen.keys().collect::<BTreeSet<_>>() == names)
            .await
    }

    /// Waits until these ordinals, and no others, have Ready servers, and all of them are None.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn wait_ready(&self, ordinals: &[u32]) -> Result<BTreeMap<String, Pod>> {
        let states: Vec<(u32, &str)> = ordinals.iter().map(|o| (*o, "None")).collect();
        self.wait_states(&states).await
    }

    /// Applies a merge patch to the set.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn patch(&self, patch: Value) -> Result<GameServerSet> {
        let api: Api<GameServerSet> = self.namespace.api();
        let patch = Patch::Merge(patch);
        Ok(api.patch(&self.name, &PatchParams::default(), &patch).await?)
    }

    /// Applies a merge patch to the spec of a GameServer.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn patch_server(&self, ordinal: u32, spec: Value) -> Result<GameServer> {
        let patch = Patch::Merge(json!({"spec": spec}));
        let name = self.server(ordinal);
        Ok(self.servers().patch(&name, &PatchParams::default(), &patch).await?)
    }

    /// Waits until the controller has seen the spec of a GameServer: the pod's labels tell it. Its watches of
    /// sets and of GameServers are two, so that a scale right after a patch may be seen before the patch.
    ///
    /// # Errors
    /// It does not see it.
    pub async fn wait_seen(&self, ordinal: u32) -> Result<()> {
        let name = self.server(ordinal);
        let server = self.servers().get(&name).await?;
        let state = ops_state(&server).unwrap_or_default().to_owned();
        let priority = match server.spec.deletion_priority {
            Some(IntOrString::Int(number)) => number.to_string(),
            Some(IntOrString::String(text)) => text,
            None => "0".to_owned(),
        };
        let what = format!("{name} is labelled {state} and {priority}");
        wait::one(&self.pods(), &name, &what, |pod| {
            let is = |key: &str, value: &String| pod.labels().get(key) == Some(value);
            is("game.kruise.io/gs-opsState", &state) && is("game.kruise.io/gs-delete-priority", &priority)
        })
        .await
        .map(drop)
    }

    /// Scales through the scale subresource, as `kubectl scale` and the HPA do.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn scale(&self, replicas: u32) -> Result<()> {
        let api: Api<GameServerSet> = self.namespace.api();
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        api.patch_scale(&self.name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// What tells a server's pod from another of its name.
    ///
    /// # Errors
    /// There is no such pod.
    pub async fn identity(&self, ordinal: u32) -> Result<Identity> {
        identity(&self.pods().get(&self.server(ordinal)).await?)
    }
}

/// What the kubelet says of the pod's containers, apart from those of its start.
pub fn container_statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten())
}

/// What tells the pod from another of its name.
///
/// # Errors
/// It has no uid.
pub fn identity(pod: &Pod) -> Result<Identity> {
    Ok(Identity {
        uid: pod.metadata.uid.clone().context("a pod has a uid")?,
        restarts: container_statuses(pod).map(|s| s.restart_count).sum(),
    })
}

/// The operations state, as text.
#[must_use]
pub fn ops_state(server: &GameServer) -> Option<&str> {
    server.spec.ops_state.as_ref().map(|state| state.as_str())
}

/// The operations state of a server that is Ready.
fn ready_in(server: &GameServer) -> Option<&str> {
    let state = server.status.as_ref()?.current_state?;
    ops_state(server).filter(|_| state == GameServerState::Ready)
}

/// Status and result of a quality, as the GameServer's status tells them.
#[must_use]
pub fn condition<'s>(server: &'s GameServer, quality: &str) -> Option<(&'s str, &'s str)> {
    let conditions = &server.status.as_ref()?.service_qualities_conditions;
    let condition = conditions.iter().find(|c| c.name == quality)?;
    Some((condition.status.as_deref()?, condition.result.as_deref().unwrap_or_default()))
}

/// The set's condition that servers which are to go stay for now, if there is one.
#[must_use]
pub fn pending(set: &GameServerSet) -> Option<Value> {
    let set = json!(set);
    let mut conditions = set["status"]["conditions"].as_array()?.iter();
    conditions.find(|condition| condition["type"] == "ScaleDownPending").cloned()
}
