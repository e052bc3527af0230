//! PersistentVolumeNormal: whether the pod's claims are there and bound to volumes that are well.

use k8s_openapi::{
    api::core::v1::{
        PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeSpec,
        PersistentVolumeStatus, Pod,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Claim, Finding, Found, text::Trouble};
use crate::server::condition;

const CLAIM_NOT_FOUND: &str = "PersistentVolumeClaim Not Found";
const VOLUME_NOT_FOUND: &str = "PersistentVolume Not Found";

/// What is wrong with the volumes; a pod without claims has nothing wrong with them. While a pod terminates
/// its claims may go with it.
pub(super) fn look(pod: &Pod, claims: &[Claim]) -> Finding {
    if pod.metadata.deletion_timestamp.is_some() || claims.iter().any(is_unknown) {
        return Finding::Keep;
    }
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let scheduler_complains = condition(pod, "PodScheduled").is_some_and(|c| c.status == "False");
    let mut trouble = Trouble::default();
    let mut waits = false;
    for Claim { name, claim, volume } in claims {
        match (claim, volume) {
            (Found::Here(_), Some(Found::Here(volume))) => of_volume(volume, &mut trouble),
            // A claim that was just made is bound in a moment, maybe only once a node is chosen. Nothing is
            // wrong before the scheduler says so, or the pod starts without it.
            (Found::Here(_), None) if !scheduler_complains && !is_scheduled(pod) => waits = true,
            (Found::Here(_), _) => {
                let message = format!("There is no pv which pvc {namespace}/{name} is bound with");
                trouble.add(VOLUME_NOT_FOUND, &message);
            }
            _ => {
                let message = format!("There is no pvc named {namespace}/{name} in cluster");
                trouble.add(CLAIM_NOT_FOUND, &message);
            }
        }
    }
    if waits && trouble.is_none() { Finding::Nothing } else { Finding::Is(trouble) }
}

fn is_unknown(claim: &Claim) -> bool {
    matches!(claim.claim, Found::Unknown) || matches!(claim.volume, Some(Found::Unknown))
}

fn is_scheduled(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
}

fn of_volume(volume: &PersistentVolume, trouble: &mut Trouble) {
    let Some(status) = &volume.status else { return };
    if let Some(reason) = status.reason.as_deref().filter(|reason| !reason.is_empty()) {
        trouble.add(reason, status.message.as_deref().unwrap_or_default());
    }
}

/// Names of the claims that the pod's volumes name, in their order; all are in the pod's namespace.
pub fn claim_names(pod: &Pod) -> impl Iterator<Item = &str> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()))
}

/// What is worth keeping of a claim: which one it is, and the volume that it is bound to.
#[must_use]
pub fn kept_of_claim(claim: PersistentVolumeClaim) -> PersistentVolumeClaim {
    let spec = claim.spec.map(|spec| PersistentVolumeClaimSpec {
        volume_name: spec.volume_name,
        ..PersistentVolumeClaimSpec::default()
    });
    PersistentVolumeClaim { metadata: kept(claim.metadata), spec, status: None }
}

/// What is worth keeping of a volume: which one it is, whose claim has it, and what is wrong with it.
#[must_use]
pub fn kept_of_volume(volume: PersistentVolume) -> PersistentVolume {
    let status = volume.status.map(|status| PersistentVolumeStatus {
        message: status.message,
        reason: status.reason,
        ..PersistentVolumeStatus::default()
    });
    let spec = volume
        .spec
        .map(|spec| PersistentVolumeSpec { claim_ref: spec.claim_ref, ..PersistentVolumeSpec::default() });
    PersistentVolume { metadata: kept(volume.metadata), spec, status }
}

fn kept(metadata: ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        ..ObjectMeta::default()
    }
}
