//! Labels, annotations, condition types and event reasons: the words that other programs look for.
//!
//! Those under `game.kruise.io/` are OpenKruiseGame's, so that selectors, dashboards and scripts written for
//! it keep working; those under `gamewarden.dev/` are ours.

pub mod reason;
pub mod set_condition;

/// Prefix of the keys that an action may not touch, with [`OURS`].
pub const OKG: &str = "game.kruise.io/";
/// Prefix of our own keys.
pub const OURS: &str = "gamewarden.dev/";

/// Label on pods and GameServers: the name of their set.
pub const OWNER_GSS: &str = "game.kruise.io/owner-gss";
/// Annotation of pod templates: names of the containers that others put into the pods (a service mesh, say), with
/// commas.
pub const INJECTED_CONTAINERS: &str = "gamewarden.dev/injected-containers";
/// Label on pods: the server's [`crate::types::GameServerState`].
pub const GS_STATE: &str = "game.kruise.io/gs-state";
/// Label on pods: the server's opsState.
pub const GS_OPS_STATE: &str = "game.kruise.io/gs-opsState";
/// Label on pods: the server's update priority.
pub const GS_UPDATE_PRIORITY: &str = "game.kruise.io/gs-update-priority";
/// Label on pods: the server's deletion priority.
pub const GS_DELETE_PRIORITY: &str = "game.kruise.io/gs-delete-priority";
/// Label on pods: whether the server is cut off from its network.
pub const NETWORK_DISABLED: &str = "game.kruise.io/network-disabled";
/// Label on GameServers of reclaim policy Delete that scale-down has chosen.
pub const GS_DELETING: &str = "game.kruise.io/gs-deleting";
/// Label on GameServers: the node of their pod.
pub const NODE_NAME: &str = "game.kruise.io/node-name";
/// Annotation on pods: when the opsState last changed (RFC 3339).
pub const OPS_STATE_LAST_CHANGED: &str = "game.kruise.io/opsState-last-changed-time";
/// Annotation on pods: when the state last changed (RFC 3339).
pub const STATE_LAST_CHANGED: &str = "game.kruise.io/state-last-changed-time";
/// Annotation on pods: names of the containers that an in-place update restarts, with commas.
pub const UPDATING_CONTAINERS: &str = "game.kruise.io/gs-updating-containers";
/// Annotation on sets: the reserved ordinals in force, as `1,2,5-7`.
pub const RESERVE_IDS: &str = "game.kruise.io/reserve-ids";
/// Annotation on GameServers: hash of the template metadata last merged into them.
pub const TEMPLATE_METADATA_HASH: &str = "game.kruise.io/gsTemplate-metadata-hash";

/// Prefix of labels and annotations that are copied from a GameServer to its pod.
pub const GS_SYNC: &str = "gs-sync/";
/// Label on pods: Kruise's lifecycle state, one of the `LIFECYCLE_` values below.
pub const LIFECYCLE_STATE: &str = "lifecycle.apps.kruise.io/state";
/// Lifecycle state of a pod that no hook and no update holds.
pub const LIFECYCLE_NORMAL: &str = "Normal";
/// Lifecycle state of a pod that a hook holds before its update.
pub const LIFECYCLE_PREPARING_UPDATE: &str = "PreparingUpdate";
/// Lifecycle state of a pod whose containers are being exchanged.
pub const LIFECYCLE_UPDATING: &str = "Updating";
/// Lifecycle state of a pod that a preDelete hook holds.
pub const LIFECYCLE_PREPARING_DELETE: &str = "PreparingDelete";
/// Lifecycle state of a new pod that has not yet got all that preNormal asks for.
pub const LIFECYCLE_PREPARING_NORMAL: &str = "PreparingNormal";
/// Lifecycle state of an updated pod that has not yet got back all that inPlaceUpdate asks for.
pub const LIFECYCLE_UPDATED: &str = "Updated";
/// Annotation on pods: when the lifecycle state last changed (RFC 3339).
pub const LIFECYCLE_TIMESTAMP: &str = "lifecycle.apps.kruise.io/timestamp";
/// Label on pods: the pod's own name, as StatefulSets set it.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// Label on pods: the ordinal, as StatefulSets set it.
pub const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
/// Label on pods: the revision of the template they were made from.
pub const REVISION_HASH: &str = "controller-revision-hash";
/// Readiness gate that an in-place update closes.
pub const IN_PLACE_UPDATE_READY: &str = "InPlaceUpdateReady";

/// Annotation on GameServers: the verdicts whose effect the spec beside it already shows.
pub const VERDICTS: &str = "gamewarden.dev/verdicts";

/// Annotation on sets: how far servers that people may use are protected, see [`crate::removal::Protection`].
pub const PROTECTION: &str = "gamewarden.dev/protection";
/// Annotation on GameServers and sets: `"true"` lets a protected server be removed.
pub const ALLOW_REMOVAL: &str = "gamewarden.dev/allow-removal";
/// Label on pods of Strict sets, `"true"` while they must not be evicted: their server may be in use.
pub const GUARDED: &str = "gamewarden.dev/guarded";
/// Annotation on GameServers: how far their removal is.
pub const REMOVAL: &str = "gamewarden.dev/removal";
/// Annotation on pods: the removal that was withdrawn last.
pub const WITHDRAWN: &str = "gamewarden.dev/withdrawn";

/// Annotation on sets: the ordinals that the set's servers have, lost ones included, as `1,2,5-7`.
pub const ORDINALS: &str = "gamewarden.dev/ordinals";
/// Annotation on sets: the ordinals of Kill servers that have lowered replicas and are still there.
pub const LOWERED: &str = "gamewarden.dev/lowered";

/// Annotation on pods: what of the template they have, to tell what can change in place.
pub const TEMPLATE: &str = "gamewarden.dev/template";
/// Annotation on pods: the images that their GameServer has given them, by container.
pub const OWN_IMAGES: &str = "gamewarden.dev/own-images";
/// Annotation on pods whose containers are being exchanged: how far that has come.
pub const IN_PLACE_UPDATE: &str = "gamewarden.dev/in-place-update";
/// Annotation on pods that are to be deleted as soon as their preDelete hook is off: why.
pub const PRE_DELETE: &str = "gamewarden.dev/pre-delete";

/// Component that our events name as their source, as OpenKruiseGame's do.
pub const EVENT_COMPONENT: &str = "gameserver-controller";

/// The pod condition type of a quality.
#[must_use]
pub fn quality_condition(quality: &str) -> String {
    format!("{OKG}{quality}")
}

/// Name of the server, its pod and its GameServer: `<set>-<ordinal>`.
#[must_use]
pub fn server_name(set: &str, ordinal: u32) -> String {
    format!("{set}-{ordinal}")
}

/// The ordinal in a server's name, where it is a server of this set.
///
/// `game-07` is none (we never write leading zeros), nor is `other-1` for the set `game`.
#[must_use]
pub fn ordinal_of(set: &str, server: &str) -> Option<u32> {
    let digits = server.strip_prefix(set)?.strip_prefix('-')?;
    let canonical = digits == "0" || (digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'));
    if canonical { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinal_is_read_back_from_the_name_it_was_written_to() {
        for (set, server, expected) in [
            ("minecraft", "minecraft-0", Some(0)),
            ("minecraft", "minecraft-12", Some(12)),
            ("a-1", "a-1-2", Some(2)),
            ("minecraft", "minecraft-07", None),
            ("minecraft", "minecraft-", None),
            ("minecraft", "minecraft-+1", None),
            ("minecraft", "other-1", None),
            ("minecraft", "minecraft-99999999999", None),
        ] {
            assert_eq!(ordinal_of(set, server), expected, "{server} of {set}");
        }
    }
}
