//! What people are told: events for the controller to publish.

use std::time::Duration;

use gamewarden_api::{
    GameServer, GameServerSet,
    event::{Event, EventType, Involved},
    names::reason,
    quality::Notice,
    schedule::LatenessNotice,
};
use jiff::Timestamp;

/// An event and the object it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The object.
    pub about: Involved,
    /// What to say of it.
    pub event: Event,
}

impl Note {
    /// A quality of the set cannot be probed as it is written. Said once per generation of the set, also
    /// by a controller that was started anew: the generation makes it the same occurrence.
    pub(super) fn about_quality(set: &GameServerSet, reason: &str, quality: &str, message: &str) -> Self {
        Self {
            about: Involved::of(set),
            event: Event {
                type_: EventType::Warning,
                reason: reason.to_owned(),
                message: format!("serviceQualities[{quality}]: {message}"),
                occurrence: set.metadata.generation.unwrap_or_default().to_string(),
            },
        }
    }

    /// The schedule of a set is not kept, or is again.
    pub(super) fn about_lateness(set: &GameServerSet, notice: &LatenessNotice, now: Timestamp) -> Self {
        let (type_, reason, message) = match notice {
            LatenessNotice::Late { lag, period } => (
                EventType::Warning,
                reason::PROBES_LATE,
                format!(
                    "probes start {} late, where a period of {} is asked for: there is more to probe than \
                     can be kept on schedule",
                    seconds(*lag),
                    seconds(*period)
                ),
            ),
            LatenessNotice::Recovered => {
                (EventType::Normal, reason::PROBES_IN_TIME, "probes start in time again".to_owned())
            }
        };
        Self {
            about: Involved::of(set),
            event: Event { type_, reason: reason.to_owned(), message, occurrence: now.to_string() },
        }
    }

    /// A notice of the decision that was written to this server. The version it was decided on makes it
    /// one occurrence.
    pub(super) fn about_server(server: &GameServer, quality: &str, notice: Notice) -> Self {
        let version = server.metadata.resource_version.as_deref();
        Self {
            about: Involved::of(server),
            event: Event {
                type_: EventType::Warning,
                reason: notice.reason.to_owned(),
                message: notice.message,
                occurrence: format!("{quality}/{}", version.unwrap_or_default()),
            },
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_said_in_seconds() {
        let late =
            LatenessNotice::Late { lag: Duration::from_millis(12_340), period: Duration::from_secs(3) };
        let note = Note::about_lateness(&GameServerSet::default(), &late, Timestamp::UNIX_EPOCH);
        assert_eq!(
            note.event.message,
            "probes start 12.3s late, where a period of 3.0s is asked for: there is more to probe than can be \
             kept on schedule"
        );
    }
}
