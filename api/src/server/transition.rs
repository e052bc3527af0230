//! What changed since it was last acted on.
//!
//! The pod's labels say what was acted on last, the GameServer and the pod's status say what is. Where
//! they differ there is an event to write and a label to set, in this order: a crash between the two
//! writes the same event again, which is a conflict, and no transition is lost.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    event::{Event, EventType, quoted},
    names,
    quality::label_value_problem,
    time::seconds,
    types::{GameServer, GameServerState, IntOrString, OpsState},
};

/// What there is to say and to set on the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Transitions {
    pub(super) events: Vec<Event>,
    pub(super) labels: BTreeMap<String, String>,
    /// Labels to take off.
    pub(super) gone: Vec<&'static str>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// Compares the pod's labels with the server and its state.
pub(super) fn transitions(
    server: &GameServer,
    state: GameServerState,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
    now: Timestamp,
) -> Transitions {
    let spec = &server.spec;
    let ops_state = spec.ops_state.clone().unwrap_or_default();
    let generation = server.metadata.generation.unwrap_or_default().to_string();
    // The state is not in the spec, so no generation counts its changes; the time of the last one does.
    let last_state_change = annotations.get(names::STATE_LAST_CHANGED).cloned().unwrap_or_default();
    let fields = [
        Field {
            what: "OpsState",
            label: names::GS_OPS_STATE,
            value: ops_state.to_string(),
            occurrence: generation.clone(),
            changed_at: Some(names::OPS_STATE_LAST_CHANGED),
            type_: if ops_state == OpsState::Maintaining { EventType::Warning } else { EventType::Normal },
        },
        Field {
            what: "State",
            label: names::GS_STATE,
            value: state.to_string(),
            occurrence: last_state_change,
            changed_at: Some(names::STATE_LAST_CHANGED),
            type_: if state == GameServerState::Crash { EventType::Warning } else { EventType::Normal },
        },
        Field::normal(
            "DeletionPriority",
            names::GS_DELETE_PRIORITY,
            priority_text(spec.deletion_priority.as_ref()),
            &generation,
        ),
        Field::normal(
            "UpdatePriority",
            names::GS_UPDATE_PRIORITY,
            priority_text(spec.update_priority.as_ref()),
            &generation,
        ),
        Field::normal(
            "NetworkDisabled",
            names::NETWORK_DISABLED,
            spec.network_disabled.unwrap_or_default().to_string(),
            &generation,
        ),
    ];
    let name = server.metadata.name.as_deref().unwrap_or_default();
    let mut transitions = Transitions::default();
    for field in fields {
        field.compare(name, labels, now, &mut transitions);
    }
    transitions
}

/// A priority as people read it; one that is not set is 0.
pub(super) fn priority_text(priority: Option<&IntOrString>) -> String {
    match priority {
        None => "0".to_owned(),
        Some(IntOrString::Int(number)) => number.to_string(),
        Some(IntOrString::String(text)) => text.clone(),
    }
}

/// One thing that a label of the pod tells.
struct Field {
    what: &'static str,
    label: &'static str,
    value: String,
    occurrence: String,
    changed_at: Option<&'static str>,
    type_: EventType,
}

impl Field {
    fn normal(what: &'static str, label: &'static str, value: String, generation: &str) -> Self {
        Self {
            what,
            label,
            value,
            occurrence: generation.to_owned(),
            changed_at: None,
            type_: EventType::Normal,
        }
    }

    fn compare(self, server: &str, labels: &BTreeMap<String, String>, now: Timestamp, out: &mut Transitions) {
        let old = labels.get(self.label).map(String::as_str).unwrap_or_default();
        if old == self.value {
            return;
        }
        if label_value_problem(&self.value).is_some() {
            // A label that tells the old value would have people select servers by what they are no more.
            if !old.is_empty() {
                out.events.push(Event {
                    type_: self.type_,
                    reason: names::reason::GS_STATE_CHANGED.into(),
                    message: format!("{} turn from {old} to {} {server}", self.what, quoted(&self.value)),
                    occurrence: self.occurrence,
                });
                out.gone.push(self.label);
            }
            out.events.push(Event {
                type_: EventType::Warning,
                reason: names::reason::INVALID_LABEL_VALUE.into(),
                message: format!(
                    "{} {:?} of {server} cannot stand in the pod's label {}: use at most 63 letters, digits, '-', '_' or '.'",
                    self.what, quoted(&self.value), self.label
                ),
                // Once for each value, whatever else changes beside it.
                occurrence: String::new(),
            });
            return;
        }
        if !old.is_empty() {
            out.events.push(Event {
                type_: self.type_,
                reason: names::reason::GS_STATE_CHANGED.into(),
                message: format!("{} turn from {old} to {} {server}", self.what, self.value),
                occurrence: self.occurrence,
            });
        }
        out.labels.insert(self.label.to_owned(), self.value);
        if let Some(annotation) = self.changed_at {
            out.annotations.insert(annotation.to_owned(), seconds(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::GameServerSpec;

    fn server(ops_state: &str) -> GameServer {
        let spec = GameServerSpec { ops_state: Some(ops_state.into()), ..GameServerSpec::default() };
        let mut server = GameServer::new("demo-gs-0", spec);
        server.metadata.generation = Some(3);
        server
    }

    fn labels(ops_state: &str, state: &str) -> BTreeMap<String, String> {
        [
            (names::GS_OPS_STATE, ops_state),
            (names::GS_STATE, state),
            (names::GS_DELETE_PRIORITY, "0"),
            (names::GS_UPDATE_PRIORITY, "0"),
            (names::NETWORK_DISABLED, "false"),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
    }

    fn run(server: &GameServer, state: GameServerState, labels: &BTreeMap<String, String>) -> Transitions {
        transitions(server, state, labels, &BTreeMap::new(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn nothing_is_said_while_nothing_changes() {
        let found = run(&server("None"), GameServerState::Ready, &labels("None", "Ready"));
        assert_eq!(found, Transitions::default());
    }

    #[test]
    fn a_new_pod_is_labelled_without_events() {
        let found = run(&server("None"), GameServerState::Creating, &BTreeMap::new());
        assert_eq!(found.events, []);
        assert_eq!(found.labels, labels("None", "Creating"));
    }

    #[test]
    fn turning_maintaining_or_crashing_is_a_warning_and_the_rest_is_not() {
        for (old, new, old_state, new_state, type_, message) in [
            (
                "None",
                "Maintaining",
                "Ready",
                GameServerState::Ready,
                EventType::Warning,
                "OpsState turn from None to Maintaining demo-gs-0",
            ),
            (
                "Maintaining",
                "None",
                "Ready",
                GameServerState::Ready,
                EventType::Normal,
                "OpsState turn from Maintaining to None demo-gs-0",
            ),
            (
                "None",
                "None",
                "Ready",
                GameServerState::Crash,
                EventType::Warning,
                "State turn from Ready to Crash demo-gs-0",
            ),
            (
                "None",
                "None",
                "Creating",
                GameServerState::Ready,
                EventType::Normal,
                "State turn from Creating to Ready demo-gs-0",
            ),
        ] {
            let found = run(&server(new), new_state, &labels(old, old_state));
            let said: Vec<_> = found.events.iter().map(|e| (e.type_, e.message.as_str())).collect();
            assert_eq!(said, [(type_, message)]);
        }
    }

    #[test]
    fn a_state_that_is_no_label_value_blocks_nothing_else() {
        let found = run(&server("in use"), GameServerState::NotReady, &labels("None", "Ready"));
        assert_eq!((found.labels.get(names::GS_OPS_STATE), &*found.gone), (None, &[names::GS_OPS_STATE][..]));
        assert_eq!(found.events[0].message, "OpsState turn from None to in use demo-gs-0");
        assert_eq!(found.labels.get(names::GS_STATE).map(String::as_str), Some("NotReady"));
        assert!(
            found.events[1]
                .message
                .starts_with("OpsState \"in use\" of demo-gs-0 cannot stand in the pod's label")
        );
    }
}
