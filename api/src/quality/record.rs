//! What the GameServer's own annotation says about verdicts (design §3.4).
//!
//! `gamewarden.dev/verdicts` is written together with the spec whose values it explains. It is compact JSON
//! and read leniently: fields of a newer build are ignored, missing ones are empty.
//!
//! ```json
//! {"v":1,"pod":"<uid>","wrote":"Maintaining",
//!  "q":{"healthy":{"s":false,"h":"9f86d081884c7d65","fired":true,"ops":"Maintaining",
//!                  "t":"2026-01-01T00:00:00Z","p":"2026-01-01T00:00:09Z","a":"2026-01-01T00:00:00Z"}}}
//! ```

use std::{collections::BTreeMap, fmt::Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::owed::Owed;
use crate::{
    GameServer, names,
    types::{OpsState, ServiceQuality},
};

/// Version of the format. It is written so that a later build can tell, and not looked at by this one.
const VERSION: u32 = 1;

/// The verdicts on one server that have had their effect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    #[serde(rename = "v")]
    version: u32,
    /// The pod that the verdicts are about.
    pub(super) pod: String,
    /// The opsState that qualities wrote last; `None` where the value is a person's. It outlives the pod:
    /// otherwise an opsState left by the verdicts on the old pod would pass for a person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wrote: Option<OpsState>,
    /// By quality.
    #[serde(rename = "q")]
    pub(super) qualities: BTreeMap<String, Held>,
    /// Actions whose containers are not written yet, in the order they fired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) owed: Vec<Owed>,
}

/// What is held of one quality.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Held {
    /// The latest verdict that was true or false.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<bool>,
    /// [`result_hash`] of its text.
    #[serde(rename = "h", skip_serializing_if = "String::is_empty")]
    pub(super) hash: String,
    /// Whether an action of the quality has fired for this pod.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) fired: bool,
    /// The opsState that its latest matching action named; none after an action that named None.
    #[serde(rename = "ops", skip_serializing_if = "Option::is_none")]
    pub(super) opinion: Option<OpsState>,
    /// Whether it cannot be asked at present.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) unknown: bool,
    /// When the status last changed.
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    pub(super) transition: Option<Timestamp>,
    /// When status or result last changed.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<Timestamp>,
    /// When an action last fired.
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<Timestamp>,
}

impl Held {
    /// The status of a condition that tells this: True, False or Unknown; none before the first verdict.
    pub(super) fn status(&self) -> Option<&'static str> {
        match (self.unknown, self.state) {
            (true, _) => Some("Unknown"),
            (false, Some(true)) => Some("True"),
            (false, Some(false)) => Some("False"),
            (false, None) => None,
        }
    }
}

impl Record {
    /// The record of a server whose pod has this uid. What was held of another pod is left out. An annotation
    /// that cannot be read counts as empty: the next verdict fires again and writes a whole one.
    pub(super) fn of(server: &GameServer, pod_uid: &str) -> Self {
        let annotation = server.metadata.annotations.as_ref().and_then(|all| all.get(names::VERDICTS));
        let parsed = annotation.and_then(|text| serde_json::from_str::<Self>(text).ok());
        let mut record = parsed.unwrap_or_default();
        if record.pod != pod_uid {
            record.qualities.clear();
            record.owed.clear();
            pod_uid.clone_into(&mut record.pod);
        }
        record.version = VERSION;
        record
    }

    /// Leaves out what is held of qualities that the set no longer has.
    pub(super) fn keep_only(&mut self, qualities: &[ServiceQuality]) {
        self.qualities.retain(|name, _| qualities.iter().any(|quality| quality.name == *name));
    }

    /// The text of the annotation. `None` only if it cannot be written as JSON, which does not happen: it
    /// holds text, numbers and maps keyed by text.
    pub(super) fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// What is kept of a result text: enough to tell another one. Empty for the empty text.
pub(super) fn result_hash(result: &str) -> String {
    if result.is_empty() {
        return String::new();
    }
    Sha256::digest(result.as_bytes()).iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
