//! Whether a container is the one of the pod that is asked for.
//!
//! The API server looks that up for `pods/exec`. Here the id comes from the pod's status, and whoever may write
//! that could have us run commands in any container of the node. So the runtime is asked whose it is, once for
//! each run of a container.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gamewarden_api::quality::Outcome;

use super::{
    OwnPod, Runtime,
    runtime_v1::{Container, ContainerFilter, ListContainersRequest},
    words,
};
use crate::probe::{Answer, ProbeTarget};

/// How long the runtime may take for it.
const LIMIT: Duration = Duration::from_secs(5);
/// How many containers are remembered. Then all are forgotten, which costs a question each.
const REMEMBERED: usize = 4096;

/// Whose containers are, by their ids. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Owners(Arc<Mutex<HashMap<String, Owner>>>);

/// Whose a container is, by the labels that kubelet gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    namespace: String,
    pod: String,
    container: String,
}

impl Owners {
    /// The runtime's id of the target's container.
    ///
    /// # Errors
    /// The answer that it is where that container is gone, is another's, or the runtime does not say.
    pub(super) async fn id<'a>(&self, runtime: &Runtime, target: &'a ProbeTarget) -> Result<&'a str, Answer> {
        // `containerd://<id>`: which runtime it is, is no question here.
        let id = target.container_id.rsplit_once("://").map_or("", |(_, id)| id);
        if id.is_empty() {
            // An empty filter would match every container.
            return Err(unknown(format!("{:?} is no id of a container", target.container_id)));
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let owner = match known {
            Some(owner) => owner,
            None => {
                let owner = ask(runtime, id).await?;
                let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(id.to_owned(), owner.clone());
                owner
            }
        };
        if owner.is(target) {
            return Ok(id);
        }
        let ProbeTarget { namespace, pod, container, .. } = target;
        Err(unknown(format!(
            "the runtime's container {id} is not container {container} of {namespace}/{pod}"
        )))
    }
}

impl Owner {
    fn of(container: &Container) -> Self {
        let label = |key: &str| container.labels.get(key).cloned().unwrap_or_default();
        Self {
            namespace: label("io.kubernetes.pod.namespace"),
            pod: label("io.kubernetes.pod.name"),
            container: label("io.kubernetes.container.name"),
        }
    }

    fn is(&self, target: &ProbeTarget) -> bool {
        let Self { namespace, pod, container } = self;
        (namespace, pod, container) == (&target.namespace, &target.pod, &target.container)
    }
}

/// Whether the runtime is the one that runs this node's pods, as it runs this one. Another may be there that answers as well,
/// and knows none of the containers that are to be asked.
///
/// # Errors
/// It is not, or does not say; for people.
pub(super) async fn is_the_nodes(runtime: &Runtime, own: Option<&OwnPod>) -> Result<(), String> {
    let Some(OwnPod { namespace, name }) = own else { return Ok(()) };
    let labels = [("io.kubernetes.pod.namespace", namespace), ("io.kubernetes.pod.name", name)];
    let label_selector = labels.map(|(key, value)| (key.to_owned(), value.clone())).into();
    let filter = ContainerFilter { label_selector, ..ContainerFilter::default() };
    if list(runtime, filter).await?.is_empty() {
        return Err(format!("it does not run this pod ({namespace}/{name}): another runtime is the node's"));
    }
    Ok(())
}

async fn list(runtime: &Runtime, filter: ContainerFilter) -> Result<Vec<Container>, String> {
    let request = ListContainersRequest { filter: Some(filter) };
    let mut runtime = runtime.clone();
    match tokio::time::timeout(LIMIT, runtime.list_containers(request)).await {
        Ok(Ok(answer)) => Ok(answer.into_inner().containers),
        Ok(Err(status)) => Err(words::why(&status)),
        Err(_) => Err(words::SILENT.to_owned()),
    }
}

async fn ask(runtime: &Runtime, id: &str) -> Result<Owner, Answer> {
    let filter = ContainerFilter { id: id.to_owned(), ..ContainerFilter::default() };
    let containers = list(runtime, filter).await.map_err(unknown)?;
    match containers.iter().find(|container| container.id == id) {
        Some(container) => Ok(Owner::of(container)),
        None => Err(Answer { gone: true, ..unknown(format!("the runtime has no container {id}")) }),
    }
}

fn unknown(reason: String) -> Answer {
    Answer::of(Outcome::Unknown { reason })
}
