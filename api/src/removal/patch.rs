//! The writes of a removal. Each carries uid and resourceVersion of what it was decided on.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{Claim, Phase};
use crate::{GameServer, names};

/// How long an answer may take beyond the probes' own timeouts: to be asked, and to be written.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// What is to be looked at once more, and how long that may take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Names of the qualities.
    pub qualities: Vec<String>,
    /// The longest of their timeouts.
    pub timeout: SignedDuration,
}

/// Claims the server's pod. `None` where the server was not read from the API. `in_turn`: nobody goes before it. Then a look
/// that is too old by now has come to nothing, while it waited for others it has not.
#[must_use]
pub fn claimed_patch(
    server: &GameServer,
    pod_uid: &str,
    look: &Look,
    reserves: bool,
    in_turn: bool,
    now: Timestamp,
) -> Option<Value> {
    let before = Claim::of(server, pod_uid);
    let mut claim = Claim::on(server, pod_uid, now)?;
    claim.reserves = reserves || before.as_ref().is_some_and(|before| before.reserves);
    match before {
        Some(before) if before.phase == Phase::Unanswered => claim.tries = before.tries.saturating_add(1),
        Some(before) if before.is_open() => {
            let in_vain = in_turn || before.phase == Phase::Claimed;
            claim.tries = before.tries;
            claim.again = before.again.saturating_add(in_vain.into());
        }
        _ => {}
    }
    if !look.qualities.is_empty() {
        claim.phase = Phase::Claimed;
        claim.look.clone_from(&look.qualities);
        claim.due = now.checked_add(look.timeout + MARGIN).ok();
    }
    claim_patch(server, &claim)
}

/// Notes that the claim was looked at, and found what the decision was made on. `took`: from when the look began until all
/// answers were there.
#[must_use]
pub fn looked_patch(server: &GameServer, claim: &Claim, took: SignedDuration) -> Option<Value> {
    claim_patch(server, &claim.looked(took))
}

/// Notes how far the removal is now, by the clock of a controller.
#[must_use]
pub fn turned_patch(server: &GameServer, claim: &Claim, phase: Phase, now: Timestamp) -> Option<Value> {
    claim_patch(server, &claim.turned(phase, now))
}

/// Takes the claim away; may be merged with what was found instead.
#[must_use]
pub fn given_back(server: &GameServer) -> Value {
    patch(server, &Value::Null)
}

/// Notes on the pod that a commit does not hold any more, which makes a DELETE that was to follow it fail.
#[must_use]
pub fn withdraw_pod(pod: &Pod, claim: &Claim) -> Value {
    json!({"metadata": {
        "uid": pod.metadata.uid,
        "resourceVersion": pod.metadata.resource_version,
        "annotations": {names::WITHDRAWN: claim.id},
    }})
}

/// Whether this claim has been withdrawn from the pod.
#[must_use]
pub fn is_withdrawn(pod: &Pod, claim: &str) -> bool {
    pod.metadata.annotations.as_ref().and_then(|all| all.get(names::WITHDRAWN)).is_some_and(|id| id == claim)
}

fn claim_patch(server: &GameServer, claim: &Claim) -> Option<Value> {
    Some(patch(server, &json!(claim.text()?)))
}

fn patch(server: &GameServer, annotation: &Value) -> Value {
    json!({"metadata": {
        "uid": server.metadata.uid,
        "resourceVersion": server.metadata.resource_version,
        "annotations": {names::REMOVAL: annotation},
    }})
}
