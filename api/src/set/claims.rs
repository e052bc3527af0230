//! `persistentVolumeClaimRetentionPolicy`: whose the servers' volume claims are.
//!
//! A claim that has an owner goes when its owner does, by garbage collection. The rule is that of StatefulSets:
//!
//! | whenDeleted | whenScaled | the server stays | scale-down takes the server |
//! |---|---|---|---|
//! | Retain | Retain | nobody's | nobody's |
//! | Delete | Retain | the set's | the set's |
//! | Retain | Delete | nobody's | its pod's |
//! | Delete | Delete | the set's | its pod's |

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, Pod},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::Resource;
use serde_json::{Value, json};

use super::{
    Snapshot,
    roster::{Roster, label},
};
use crate::{
    names,
    scale::Ordinals,
    server::owner_reference,
    types::{GameServerSet, RetentionPolicy},
};

/// What decides whose the claims of a set are. As long as it stays the same, so do they.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    set: OwnerReference,
    /// Names of the claims in the template.
    claims: Vec<String>,
    /// Whether they go with the set.
    when_deleted: bool,
    /// Whether they go with a server that scale-down takes.
    when_scaled: bool,
    /// The ordinals that the set has.
    seats: Ordinals,
    /// Its pods.
    pods: BTreeMap<u32, Holder>,
}

#[derive(Clone, Debug, PartialEq)]
struct Holder {
    reference: OwnerReference,
    terminating: bool,
}

/// A claim whose owners are to change.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimPatch {
    /// Its name.
    pub name: String,
    /// Merge patch of its owners; it carries uid and resourceVersion.
    pub patch: Value,
}

impl Retention {
    /// `seats`: the ordinals that the set will have. A pod of another ordinal is one that scale-down takes.
    pub(super) fn of(snapshot: &Snapshot<'_>, roster: &Roster<'_>, seats: &Ordinals) -> Option<Self> {
        let spec = &snapshot.set.spec;
        let name = |claim: &Value| Some(claim.get("metadata")?.get("name")?.as_str()?.to_owned());
        let claims: Vec<String> =
            spec.game_server_template.volume_claim_templates.iter().filter_map(name).collect();
        if claims.is_empty() {
            return None;
        }
        let policy = spec.persistent_volume_claim_retention_policy.clone().unwrap_or_default();
        let holder = |pod: &Pod| Holder {
            reference: owner_reference(pod),
            terminating: pod.metadata.deletion_timestamp.is_some(),
        };
        Some(Self {
            set: owner_reference(snapshot.set),
            claims,
            when_deleted: policy.when_deleted == Some(RetentionPolicy::Delete),
            when_scaled: policy.when_scaled == Some(RetentionPolicy::Delete),
            seats: seats.clone(),
            pods: roster.members.iter().map(|(ordinal, m)| (*ordinal, holder(m.pod))).collect(),
        })
    }

    /// Whether claims that were brought in line with `earlier` are in line with this. New ones are made with the
    /// right owner, so pods matter only where claims go with them, and seats only where any claim has an owner.
    #[must_use]
    pub fn is_settled_by(&self, earlier: &Self) -> bool {
        let policy = |r: &Self| (r.set.uid.clone(), r.claims.clone(), r.when_deleted, r.when_scaled);
        let owned = self.when_deleted || self.when_scaled;
        policy(self) == policy(earlier)
            && (!owned || self.seats == earlier.seats)
            && (!self.when_scaled || self.pods == earlier.pods)
    }

    /// The server that the claim is of, where the set has made it. Names are anybody's to give, so it needs the
    /// label that ours have.
    fn ordinal(&self, claim: &PersistentVolumeClaim) -> Option<u32> {
        let ours = label(&claim.metadata, names::OWNER_GSS) == Some(&self.set.name);
        let name = claim.metadata.name.as_deref().filter(|_| ours)?;
        self.claims.iter().find_map(|own| {
            names::ordinal_of(&self.set.name, name.strip_prefix(own.as_str())?.strip_prefix('-')?)
        })
    }

    /// The owners as they should be; `None` where they are not ours to change.
    fn owners(&self, ordinal: u32, before: &[OwnerReference]) -> Option<Vec<OwnerReference>> {
        let holder = self.pods.get(&ordinal);
        let seated = self.seats.contains(ordinal);
        // Its pod goes, and the server comes again: what becomes of the claim is decided already.
        if seated && holder.is_some_and(|h| h.terminating) {
            return None;
        }
        let server = names::server_name(&self.set.name, ordinal);
        let is_set = |o: &OwnerReference| o.uid == self.set.uid;
        let is_pod = |o: &OwnerReference| o.kind == Pod::kind(&()) && o.name == server;
        let controlled = before.iter().any(|o| o.controller == Some(true) && !is_set(o) && !is_pod(o));
        if controlled {
            return None;
        }
        let condemned = holder.filter(|_| !seated && self.when_scaled);
        let set_owns = match (holder, seated) {
            // Scaled down earlier, and kept: it goes with the set where it would have gone then.
            (None, false) => self.when_deleted && before.iter().any(is_set),
            _ => self.when_deleted && condemned.is_none(),
        };
        let theirs = |o: &&OwnerReference| {
            let pods = holder.is_some_and(|h| h.reference.uid == o.uid);
            !is_set(o) && !pods
        };
        let mut owners: Vec<OwnerReference> = before.iter().filter(theirs).cloned().collect();
        if set_owns {
            owners.push(self.set.clone());
        }
        owners.extend(condemned.map(|h| h.reference.clone()));
        Some(owners)
    }
}

/// The claims whose owners are to change. `claims`: those with the set's label.
#[must_use]
pub fn claim_patches(retention: &Retention, claims: &[PersistentVolumeClaim]) -> Vec<ClaimPatch> {
    let patch = |claim: &PersistentVolumeClaim| {
        let metadata = &claim.metadata;
        if metadata.deletion_timestamp.is_some() {
            return None;
        }
        let before = metadata.owner_references.clone().unwrap_or_default();
        let owners = retention.owners(retention.ordinal(claim)?, &before)?;
        let uids = |owners: &[OwnerReference]| {
            let mut uids: Vec<String> = owners.iter().map(|o| o.uid.clone()).collect();
            uids.sort();
            uids
        };
        (uids(&owners) != uids(&before)).then(|| ClaimPatch {
            name: metadata.name.clone().unwrap_or_default(),
            patch: json!({"metadata": {
                "uid": metadata.uid,
                "resourceVersion": metadata.resource_version,
                "ownerReferences": owners,
            }}),
        })
    };
    claims.iter().filter_map(patch).collect()
}

/// Whether a claim goes with an earlier pod of the server: its next pod waits until it is gone and gets another.
#[must_use]
pub fn claim_is_going(claim: &PersistentVolumeClaim, set: &GameServerSet, server: &str) -> bool {
    let metadata = &claim.metadata;
    let ours = label(metadata, names::OWNER_GSS) == set.metadata.name.as_deref();
    let mut owners = metadata.owner_references.iter().flatten();
    metadata.deletion_timestamp.is_some()
        || ours && owners.any(|o| o.kind == Pod::kind(&()) && o.name == server)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
