//! Which objects of a file are ours, and which ones were meant to be.

use serde_json::Value;

use super::{
    field::{Field, shown},
    finding::{About, Finding, Report},
    near::nearest,
};

const GROUP: &str = "game.kruise.io";
const API_VERSION: &str = "game.kruise.io/v1alpha1";
const SET: &str = "GameServerSet";
const SERVER: &str = "GameServer";

/// What there are rules for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ours {
    /// A GameServerSet.
    Set,
    /// A GameServer.
    Server,
}

/// Which kind of ours an object of a file is, or was meant to be, and what is wrong with its `kind` and `apiVersion`;
/// `None` of what is somebody else's (Agones has a GameServerSet, too).
#[must_use]
pub fn kind_of(object: &Value) -> Option<(Ours, Vec<Finding>)> {
    let mut report = Report::default();
    let root = Field::root(object);
    let (kind, version) = (root.get("kind"), root.get("apiVersion"));
    let text = version.value.as_str().unwrap_or_default();
    let group = text.split('/').next().unwrap_or_default();
    let is_near = group == GROUP || nearest(group, [GROUP]).is_some();
    // Groups without a dot are Kubernetes' own, which has no such kinds.
    let may_be_ours = is_near || !group.contains('.');
    let ours = match kind.value.as_str()? {
        SET => Ours::Set,
        SERVER => Ours::Server,
        other if is_near || !version.is_set() => {
            let meant = nearest(other, [SET, SERVER])?;
            report.refuse(&kind, format!("{} is unknown; did you mean {meant:?}?", shown(kind.value)));
            if meant == SET { Ours::Set } else { Ours::Server }
        }
        _ => return None,
    };
    if !version.is_set() {
        report.warn(About::State, &version, format!("missing, kubectl refuses that; write {API_VERSION}"));
    } else if text != API_VERSION {
        if !may_be_ours {
            return None;
        }
        report.refuse(&version, format!("{} has no such kind; write {API_VERSION}", shown(version.value)));
    }
    Some((ours, report.into_findings()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_ours_or_was_meant_to_be() {
        let judged = |version: Value, kind: &str| {
            let (ours, found) = kind_of(&json!({"apiVersion": version, "kind": kind}))?;
            Some((ours, found.iter().map(ToString::to_string).collect::<Vec<_>>()))
        };
        assert_eq!(judged(json!(API_VERSION), SET), Some((Ours::Set, vec![])));
        assert_eq!(judged(json!(API_VERSION), SERVER), Some((Ours::Server, vec![])));
        for (version, kind) in [
            (json!("v1"), "Service"),
            (json!("agones.dev/v1"), SERVER),
            (json!("multicluster.x.dev/v1"), SET),
            (json!(API_VERSION), "Podprobe"),
            (json!("v1"), "Gameserver"),
        ] {
            assert_eq!(judged(version.clone(), kind), None, "{version} {kind}");
        }
        for (version, kind, wanted) in [
            (json!(null), SET, "apiVersion: missing, kubectl refuses that; write game.kruise.io/v1alpha1"),
            (
                json!("game.kruise.io/v1"),
                SET,
                "apiVersion: \"game.kruise.io/v1\" has no such kind; write game.kruise.io/v1alpha1",
            ),
            (
                json!("games.kruise.io/v1alpha1"),
                SERVER,
                "apiVersion: \"games.kruise.io/v1alpha1\" has no such kind; write game.kruise.io/v1alpha1",
            ),
            (
                json!("apps/v1"),
                SET,
                "apiVersion: \"apps/v1\" has no such kind; write game.kruise.io/v1alpha1",
            ),
            (
                json!(API_VERSION),
                "GameServerset",
                "kind: \"GameServerset\" is unknown; did you mean \"GameServerSet\"?",
            ),
        ] {
            let (_, said) = judged(version, kind).unwrap();
            assert_eq!(said, [wanted]);
        }
    }
}
