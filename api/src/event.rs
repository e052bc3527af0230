//! Events, as kube-eventer reads them.

use jiff::Timestamp;
use kube::Resource;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::names;

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// For the record.
    Normal,
    /// Somebody should look.
    Warning,
}

impl EventType {
    /// The text in the event's `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Something to say about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How loud it is.
    pub type_: EventType,
    /// One CamelCase word, for machines.
    pub reason: String,
    /// What happened, for people.
    pub message: String,
    /// What makes this occurrence different from another with the same words. Two attempts to write the
    /// same occurrence must give the same text: it decides the event's name, so the second is a conflict
    /// and not a second alert.
    pub occurrence: String,
}

/// The object that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Involved {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
    uid: String,
    resource_version: String,
}

impl Involved {
    /// Reads the reference off an object.
    #[must_use]
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        let metadata = object.meta();
        Self {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
        }
    }
}

impl Event {
    /// The event as a core/v1 Event about `involved`.
    #[must_use]
    pub fn object(&self, involved: &Involved, now: Timestamp) -> Value {
        let hash = hash(&[&involved.uid, &self.reason, &self.message, &self.occurrence]);
        self.named(&hash, involved, now)
    }

    /// The same, named by `identity` and not by its words, for what may be put in other words while it lasts.
    #[must_use]
    pub fn object_of(&self, identity: &str, involved: &Involved, now: Timestamp) -> Value {
        self.named(&hash(&[&involved.uid, identity]), involved, now)
    }

    fn named(&self, hash: &str, involved: &Involved, now: Timestamp) -> Value {
        let time = crate::time::seconds(now);
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": format!("{}.{hash}", stem(&involved.name)),
                "namespace": involved.namespace,
            },
            "involvedObject": {
                "apiVersion": involved.api_version,
                "kind": involved.kind,
                "name": involved.name,
                "namespace": involved.namespace,
                "uid": involved.uid,
                "resourceVersion": involved.resource_version,
            },
            "type": self.type_.as_str(),
            "reason": self.reason,
            "message": limited(&self.message),
            "source": {"component": names::EVENT_COMPONENT},
            "reportingComponent": names::EVENT_COMPONENT,
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        })
    }
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The object's name, cut so that with the hash it is a valid object name (253 characters).
fn stem(name: &str) -> &str {
    cut(name, 236).trim_end_matches(['-', '.'])
}

/// The API server refuses messages over 1,024 bytes.
fn limited(message: &str) -> &str {
    cut(message, 1024)
}

/// Longest text of somebody else's (a probe, a field) that a message quotes, in bytes (design §2, Events).
const MAX_QUOTED: usize = 256;

/// Somebody else's text as messages quote it.
pub(crate) fn quoted(text: &str) -> &str {
    cut(text, MAX_QUOTED)
}

/// The text cut to at most `max` bytes, on a character boundary.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::GameServer;

    fn event(occurrence: &str) -> Event {
        Event {
            type_: EventType::Warning,
            reason: names::reason::GS_STATE_CHANGED.into(),
            message: "OpsState turn from None to Maintaining demo-gs-0".into(),
            occurrence: occurrence.into(),
        }
    }

    #[test]
    fn a_retry_has_the_same_name_and_another_occurrence_has_not() {
        let server = GameServer::new("demo-gs-0", Default::default());
        let name = |e: &Event, second| {
            e.object(&Involved::of(&server), Timestamp::from_second(second).unwrap())["metadata"]["name"]
                .clone()
        };
        assert_eq!(name(&event("4"), 0), name(&event("4"), 9));
        assert_ne!(name(&event("4"), 0), name(&event("5"), 0));
        assert!(name(&event("4"), 0).as_str().unwrap().starts_with("demo-gs-0."));
    }

    #[test]
    fn the_name_of_a_long_server_still_fits() {
        let server = GameServer::new(&format!("{}-0", "a".repeat(250)), Default::default());
        let object = event("1").object(&Involved::of(&server), Timestamp::UNIX_EPOCH);
        assert!(object["metadata"]["name"].as_str().unwrap().len() <= 253);
    }
}
