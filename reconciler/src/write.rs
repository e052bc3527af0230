//! All that is written to the cluster: the writes that plans are made of, and the reads that a write depends on.

use std::fmt::Debug;

use gamewarden_api::{
    names,
    server::ServerRef,
    types::{GameServer, GameServerSet},
};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{Event as CoreEvent, Node, PersistentVolume, PersistentVolumeClaim, Pod},
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
    },
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A write that the API server refused, or that did not reach it.
#[derive(Debug, thiserror::Error)]
#[error("{what} {namespace}/{name}: {source}")]
pub struct WriteError {
    what: &'static str,
    namespace: String,
    name: String,
    source: Box<kube::Error>,
}

impl WriteError {
    /// The reason as the API server gave it, for people.
    pub(crate) fn reason(&self) -> String {
        match &*self.source {
            kube::Error::Api(status) => status.message.clone(),
            other => other.to_string(),
        }
    }

    /// The API server's answer was 409: the object is no longer what the plan was made on, or exists.
    pub(crate) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// The API server's answer was 404.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The HTTP status of the API server's answer; `None` where there was none.
    pub(crate) fn code(&self) -> Option<u16> {
        match &*self.source {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        }
    }

    /// The next try may well succeed: there was no answer, or the API server had something else to do.
    pub(crate) fn is_passing(&self) -> bool {
        self.code().is_none_or(|code| matches!(code, 401 | 408 | 409 | 429) || code >= 500)
    }

    /// The namespace is being deleted, so that nothing can be made in it; it says so by 403 or 404.
    pub(crate) fn is_namespace_gone(&self) -> bool {
        match &*self.source {
            kube::Error::Api(status) => {
                status.code == 404
                    || status.code == 403 && status.message.contains("because it is being terminated")
            }
            _ => false,
        }
    }
}

/// What is patched and deleted: namespaced objects.
trait Ours:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

impl<K> Ours for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

/// Writes to the API server.
#[derive(Clone)]
pub struct Writer {
    client: Client,
}

impl Writer {
    /// A writer over this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Makes a pod; JSON, so that fields newer than this build get there.
    pub(crate) async fn create_pod(&self, pod: &Value) -> Result<(), WriteError> {
        self.create::<Pod>("create pod", pod).await
    }

    /// Makes a volume claim; one that is there already is kept, whoever made it, and returned. It is looked for
    /// first: a quota would refuse to make it again before anybody noticed that it is there.
    pub(crate) async fn ensure_claim(
        &self,
        claim: &Value,
    ) -> Result<Option<PersistentVolumeClaim>, WriteError> {
        let text = |pointer: &str| claim.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        let found = api.get_opt(name).await.map_err(error("get volume claim", namespace, name))?;
        if found.is_some() {
            return Ok(found);
        }
        match self.create::<PersistentVolumeClaim>("create volume claim", claim).await {
            Err(error) if !error.is_conflict() => Err(error),
            _ => Ok(None),
        }
    }

    /// Reads the volume claims that carry a set's label.
    pub(crate) async fn list_claims(
        &self,
        namespace: &str,
        set: &str,
    ) -> Result<Vec<PersistentVolumeClaim>, WriteError> {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        let of_set = ListParams::default().labels(&format!("{}={set}", names::OWNER_GSS));
        let list = api.list(&of_set).await.map_err(error("list volume claims of", namespace, set))?;
        Ok(list.items)
    }

    /// Applies a merge patch to a volume claim. One that is gone needs none.
    pub(crate) async fn patch_claim(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<(), WriteError> {
        let patch = Patch::Merge(patch);
        match self.patch::<PersistentVolumeClaim>("patch volume claim", namespace, name, &patch).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads a set from the API server itself.
    pub(crate) async fn get_set(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<GameServerSet>, WriteError> {
        let api: Api<GameServerSet> = Api::namespaced(self.client.clone(), namespace);
        api.get_opt(name).await.map_err(error("get GameServerSet", namespace, name))
    }

    async fn create<K>(&self, what: &'static str, object: &Value) -> Result<(), WriteError>
    where
        K: Resource<DynamicType = ()>,
    {
        let resource = ApiResource::erase::<K>(&());
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let wrap = |source| WriteError {
            what,
            namespace: namespace.clone(),
            name: name.clone(),
            source: Box::new(source),
        };
        let object: DynamicObject =
            serde_json::from_value(object.clone()).map_err(|e| wrap(kube::Error::SerdeError(e)))?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
        api.create(&PostParams::default(), &object).await.map(drop).map_err(wrap)
    }

    /// Makes a GameServer.
    pub(crate) async fn create_server(&self, server: &GameServer) -> Result<(), WriteError> {
        let namespace = server.namespace().unwrap_or_default();
        let api: Api<GameServer> = Api::namespaced(self.client.clone(), &namespace);
        api.create(&PostParams::default(), server).await.map(drop).map_err(error(
            "create GameServer",
            &namespace,
            &server.name_any(),
        ))
    }

    /// Reads a pod from the API server itself.
    pub(crate) async fn get_pod(&self, namespace: &str, name: &str) -> Result<Option<Pod>, WriteError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        api.get_opt(name).await.map_err(error("get pod", namespace, name))
    }

    /// Reads a node from the API server itself.
    pub(crate) async fn get_node(&self, name: &str) -> Result<Option<Node>, WriteError> {
        let api: Api<Node> = Api::all(self.client.clone());
        api.get_opt(name).await.map_err(error("get node", "", name))
    }

    /// Reads a volume claim from the API server itself.
    pub(crate) async fn get_claim(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<PersistentVolumeClaim>, WriteError> {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        api.get_opt(name).await.map_err(error("get volume claim", namespace, name))
    }

    /// Reads a volume from the API server itself.
    pub(crate) async fn get_volume(&self, name: &str) -> Result<Option<PersistentVolume>, WriteError> {
        let api: Api<PersistentVolume> = Api::all(self.client.clone());
        api.get_opt(name).await.map_err(error("get volume", "", name))
    }

    /// Reads a GameServer from the API server itself.
    ///
    /// # Errors
    /// What the API server says; one that is not there is `None`.
    pub async fn get_server(&self, namespace: &str, name: &str) -> Result<Option<GameServer>, WriteError> {
        let api: Api<GameServer> = Api::namespaced(self.client.clone(), namespace);
        api.get_opt(name).await.map_err(error("get GameServer", namespace, name))
    }

    /// Reads all GameServers of a set from the API server itself.
    pub(crate) async fn list_servers(
        &self,
        namespace: &str,
        set: &str,
    ) -> Result<Vec<GameServer>, WriteError> {
        let api: Api<GameServer> = Api::namespaced(self.client.clone(), namespace);
        let of_set = ListParams::default().labels(&format!("{}={set}", names::OWNER_GSS));
        let list = api.list(&of_set).await.map_err(error("list GameServers of", namespace, set))?;
        Ok(list.items)
    }

    /// Deletes a pod that still is the one the plan was made on. One that is gone is fine.
    pub(crate) async fn delete_pod(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        resource_version: &str,
    ) -> Result<(), WriteError> {
        self.delete::<Pod>("delete pod", namespace, name, uid, resource_version).await
    }

    /// Deletes a GameServer as the plan saw it: one that has changed since may be wanted again, and hold what a person
    /// has set. One that is gone, or is another by now, is fine.
    pub(crate) async fn delete_server(&self, namespace: &str, server: &ServerRef) -> Result<(), WriteError> {
        let ServerRef { name, uid, resource_version } = server;
        match self.delete::<GameServer>("delete GameServer", namespace, name, uid, resource_version).await {
            Err(error) if error.is_conflict() => Ok(()),
            other => other,
        }
    }

    async fn delete<K>(
        &self,
        what: &'static str,
        namespace: &str,
        name: &str,
        uid: &str,
        resource_version: &str,
    ) -> Result<(), WriteError>
    where
        K: Ours,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: Some(resource_version.to_owned()),
            }),
            ..DeleteParams::background()
        };
        match api.delete(name, &params).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(drop).map_err(error(what, namespace, name)),
        }
    }

    /// Makes a disruption budget.
    pub(crate) async fn create_budget(&self, budget: &Value) -> Result<(), WriteError> {
        self.create::<PodDisruptionBudget>("create disruption budget", budget).await
    }

    /// Applies a merge patch to a disruption budget.
    pub(crate) async fn patch_budget(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<(), WriteError> {
        let patch = Patch::Merge(patch);
        self.patch::<PodDisruptionBudget>("patch disruption budget", namespace, name, &patch).await.map(drop)
    }

    /// Deletes a disruption budget as the plan saw it.
    pub(crate) async fn delete_budget(&self, namespace: &str, budget: &ServerRef) -> Result<(), WriteError> {
        let ServerRef { name, uid, resource_version } = budget;
        self.delete::<PodDisruptionBudget>("delete disruption budget", namespace, name, uid, resource_version)
            .await
    }

    /// Applies a strategic merge patch to a pod and returns it as it is then.
    pub(crate) async fn patch_pod(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Pod, WriteError> {
        self.patch("patch pod", namespace, name, &Patch::Strategic(patch)).await
    }

    /// Applies a strategic merge patch to a pod's status and returns the pod as it is then.
    pub(crate) async fn patch_pod_status(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Pod, WriteError> {
        self.patch_status("patch status of pod", namespace, name, &Patch::Strategic(patch)).await
    }

    /// Applies a merge patch to a GameServer and returns it as it is then.
    ///
    /// # Errors
    /// What the API server says; 409 where the patch carries the uid or resourceVersion of another.
    pub async fn patch_server(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<GameServer, WriteError> {
        self.patch("patch GameServer", namespace, name, &Patch::Merge(patch)).await
    }

    /// Applies a merge patch to a GameServer's status.
    pub(crate) async fn patch_server_status(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<(), WriteError> {
        self.patch_status::<GameServer>("patch status of GameServer", namespace, name, &Patch::Merge(patch))
            .await
            .map(drop)
    }

    /// Applies a merge patch to a set and returns it as it is then.
    pub(crate) async fn patch_set(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<GameServerSet, WriteError> {
        self.patch("patch GameServerSet", namespace, name, &Patch::Merge(patch)).await
    }

    /// Applies a merge patch to a set's status and returns the set as it is then.
    pub(crate) async fn patch_set_status(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<GameServerSet, WriteError> {
        self.patch_status("patch status of GameServerSet", namespace, name, &Patch::Merge(patch)).await
    }

    async fn patch<K: Ours>(
        &self,
        what: &'static str,
        namespace: &str,
        name: &str,
        patch: &Patch<&Value>,
    ) -> Result<K, WriteError> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        api.patch(name, &patch_params(), patch).await.map_err(error(what, namespace, name))
    }

    async fn patch_status<K: Ours>(
        &self,
        what: &'static str,
        namespace: &str,
        name: &str,
        patch: &Patch<&Value>,
    ) -> Result<K, WriteError> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        api.patch_status(name, &patch_params(), patch).await.map_err(error(what, namespace, name))
    }

    /// Writes an event. One that is there already was written by an earlier try; in a namespace that is
    /// going nobody will miss it.
    pub(crate) async fn event(&self, event: &Value) -> Result<(), WriteError> {
        match self.create::<CoreEvent>("create event", event).await {
            Err(error) if error.is_conflict() || error.is_namespace_gone() => Ok(()),
            other => other,
        }
    }
}

fn error(what: &'static str, namespace: &str, name: &str) -> impl FnOnce(kube::Error) -> WriteError {
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    move |source| WriteError { what, namespace, name, source: Box::new(source) }
}

/// Names us in managedFields; otherwise a plain merge patch.
fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some("gamewarden".to_owned()), ..PatchParams::default() }
}

#[cfg(test)]
impl WriteError {
    /// As if the API server had answered a write with this.
    pub(crate) fn answered(code: u16, message: &str) -> Self {
        let status = kube::core::Status::failure(message, "Reason").with_code(code);
        Self::of(kube::Error::Api(Box::new(status)))
    }

    /// As if no answer had come.
    pub(crate) fn unanswered() -> Self {
        Self::of(kube::Error::Service("connection refused".into()))
    }

    fn of(source: kube::Error) -> Self {
        error("write", "default", "game-0")(source)
    }
}
