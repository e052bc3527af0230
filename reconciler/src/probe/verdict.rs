//! Writes a verdict and its effect to the GameServer, exactly as `quality::decide` says.
//!
//! The decision is made on an object as it was read, and the patch carries its uid and resourceVersion. Who
//! loses a race reads the object afresh and decides again, which may come to nothing: somebody else, perhaps
//! an earlier write of our own that the watch has not shown yet, has said it.
//!
//! A prober on a node then tells the pod's conditions: it has the text. The controller does that by its plan for the
//! server.

use std::sync::Arc;

use gamewarden_api::{
    GameServer, GameServerSet,
    quality::{Decision, Input, Verdict, decide},
    server::told_on_pod,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{Metrics, Note, OnNodes, Results, metrics::WriteResult};
use crate::write::{WriteError, Writer};

/// How often a write that meets a newer version is decided again.
const TRIES: usize = 5;

/// A verdict on its way to its GameServer.
#[derive(Clone, Debug)]
pub(super) struct Saying {
    /// The pod that was probed.
    pub(super) pod: ObjectRef<Pod>,
    pub(super) pod_uid: Arc<str>,
    pub(super) set: Arc<GameServerSet>,
    pub(super) quality: Arc<str>,
    pub(super) verdict: Verdict,
}

impl Saying {
    /// What is to be written to `server`, if anything is; `on_node`: by the prober of its node.
    pub(super) fn decide(&self, server: &GameServer, on_node: bool) -> Option<Decision> {
        if !speaks_for(server, &self.pod_uid) {
            return None;
        }
        decide(&Input {
            qualities: &self.set.spec.service_qualities,
            quality: &self.quality,
            verdict: &self.verdict,
            server,
            pod_uid: &self.pod_uid,
            now: Timestamp::now(),
            owes_containers: on_node,
        })
    }
}

/// Whether the GameServer stands for this pod: one that another pod owns was made anew under the name, and one
/// that is being deleted takes no verdict any more.
pub(super) fn speaks_for(server: &GameServer, pod_uid: &str) -> bool {
    server.metadata.deletion_timestamp.is_none()
        && server.owner_references().iter().filter(|o| o.kind == "Pod").all(|owner| owner.uid == pod_uid)
}

/// Writes verdicts.
pub(super) struct VerdictWriter {
    pub(super) writer: Writer,
    pub(super) pods: Store<Pod>,
    pub(super) notes: mpsc::Sender<Note>,
    pub(super) metrics: Metrics,
    /// Nodes that others probe.
    pub(super) others: OnNodes,
    /// The texts to tell pods' conditions with, where that is for us to do.
    pub(super) tells: Option<Results>,
}

impl VerdictWriter {
    /// Whether nothing is to be written: neither to the GameServer, nor to its pod.
    pub(super) fn is_said(&self, saying: &Saying, server: &GameServer) -> bool {
        saying.decide(server, self.tells.is_some()).is_none()
            && (!speaks_for(server, &saying.pod_uid) || self.to_tell(saying, server).is_none())
    }

    /// Writes `saying`, of which `server` is the GameServer as last seen. An error is logged; whoever asked
    /// tries again.
    pub(super) async fn write(&self, saying: &Saying, server: Arc<GameServer>) -> WriteResult {
        let result = match self.try_write(saying, server).await {
            Ok(result) => result,
            Err(error) => {
                tracing::warn!(%error, quality = %saying.quality, "verdict not written; will try again");
                WriteResult::Error
            }
        };
        if matches!(result, WriteResult::Conflict) {
            tracing::warn!(
                server = %saying.pod, quality = %saying.quality,
                "verdict not written: {TRIES} tries met newer versions; will try again"
            );
        }
        result
    }

    async fn try_write(&self, saying: &Saying, seen: Arc<GameServer>) -> Result<WriteResult, WriteError> {
        let mut server = seen;
        let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
        for _ in 0..TRIES {
            // The pod may have gone meanwhile, and another have come by its name.
            if self.pod(saying).is_none() {
                return Ok(WriteResult::Gone);
            }
            let Some(decision) = saying.decide(&server, self.tells.is_some()) else {
                self.tell_pod(saying, &server).await?;
                return Ok(WriteResult::Unchanged);
            };
            match self.writer.patch_server(&namespace, &name, &decision.patch).await {
                Ok(written) => {
                    self.told(saying, &server, decision);
                    self.tell_pod(saying, &written).await?;
                    return Ok(WriteResult::Written);
                }
                Err(error) if error.is_not_found() => return Ok(WriteResult::Gone),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
            match self.writer.get_server(&namespace, &name).await? {
                Some(fresh) => server = Arc::new(fresh),
                None => return Ok(WriteResult::Gone),
            }
        }
        Ok(WriteResult::Conflict)
    }

    /// The pod, if it is still the one that was probed, and ours to probe.
    fn pod(&self, saying: &Saying) -> Option<Arc<Pod>> {
        self.pods.get(&saying.pod).filter(|pod| {
            let is_it = pod.uid().as_deref() == Some(&*saying.pod_uid);
            is_it && pod.metadata.deletion_timestamp.is_none() && !self.others.probe(pod)
        })
    }

    /// The patch that has the pod's conditions tell what is on the GameServer.
    fn to_tell(&self, saying: &Saying, server: &GameServer) -> Option<Value> {
        let (results, pod) = self.tells.as_ref().zip(self.pod(saying))?;
        let heard = |quality: &str| results.get(&saying.pod_uid, quality);
        told_on_pod(&pod, server, &saying.set.spec.service_qualities, &heard, Timestamp::now())
    }

    async fn tell_pod(&self, saying: &Saying, server: &GameServer) -> Result<(), WriteError> {
        if !speaks_for(server, &saying.pod_uid) {
            return Ok(());
        }
        let Some(patch) = self.to_tell(saying, server) else { return Ok(()) };
        let namespace = saying.pod.namespace.as_deref().unwrap_or_default();
        match self.writer.patch_pod_status(namespace, &saying.pod.name, &patch).await {
            // It went, or another came by its name.
            Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error),
            _ => Ok(()),
        }
    }

    fn told(&self, saying: &Saying, server: &GameServer, decision: Decision) {
        if let Some((before, after)) = &decision.ops_state {
            tracing::info!(server = %saying.pod, quality = %saying.quality, %before, %after, "opsState changed");
        }
        for notice in decision.notices {
            tell(&self.notes, &self.metrics, Note::about_server(server, &saying.quality, notice));
        }
    }
}

/// Hands a note over for publishing. When nobody takes them it is dropped and counted: people miss a word,
/// probes go on.
pub(super) fn tell(notes: &mpsc::Sender<Note>, metrics: &Metrics, note: Note) {
    if let Err(error) = notes.try_send(note) {
        metrics.notes_dropped.inc();
        tracing::warn!(%error, "event dropped");
    }
}
