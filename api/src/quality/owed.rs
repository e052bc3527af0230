//! Containers that a verdict sets, where whoever writes it may not (design §6): a node's prober may change nothing that
//! decides what runs. It notes in the record which actions have fired, and the controller carries them out.
//!
//! The note names the actions and not what they set: what runs is what the set says, whoever has written the note.

use serde::{Deserialize, Serialize};

use super::{
    action::{Change, containers_of, merge_containers},
    record::{Record, result_hash},
};
use crate::{
    GameServer,
    types::{GameServerContainer, ServiceQuality},
};

/// How many notes are kept: one more drops the oldest. There is one for each state and result that actions of the set name.
const MOST: usize = 64;

/// Actions that have fired.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Owed {
    /// The quality.
    #[serde(rename = "q")]
    quality: String,
    /// The state that they fired for.
    #[serde(rename = "s")]
    state: bool,
    /// [`result_hash`] of the text.
    #[serde(rename = "h", skip_serializing_if = "String::is_empty")]
    hash: String,
    /// Only the text was new.
    #[serde(rename = "r", skip_serializing_if = "std::ops::Not::not")]
    result_only: bool,
}

impl Owed {
    pub(super) fn new(quality: &str, state: bool, result: &str, change: Change) -> Self {
        let result_only = change == Change::Result;
        Self { quality: quality.to_owned(), state, hash: result_hash(result), result_only }
    }

    /// What they set.
    fn containers(&self, qualities: &[ServiceQuality]) -> Vec<GameServerContainer> {
        let quality = qualities.iter().find(|quality| quality.name == self.quality);
        let change = if self.result_only { Change::Result } else { Change::State };
        let is_its = |result: &str| result_hash(result) == self.hash;
        quality.map(|quality| containers_of(quality, self.state, &is_its, change)).unwrap_or_default()
    }
}

impl Record {
    /// Notes that these actions are to be carried out. One that was noted before is carried out later now: what came in
    /// between would be overwritten by it.
    pub(super) fn owe(&mut self, owed: Owed) {
        self.owed.retain(|earlier| *earlier != owed);
        self.owed.push(owed);
        let beyond = self.owed.len().saturating_sub(MOST);
        self.owed.drain(..beyond);
    }

    /// Carries out what is noted, in order.
    pub(super) fn settle(&mut self, qualities: &[ServiceQuality], containers: &mut Vec<GameServerContainer>) {
        for owed in std::mem::take(&mut self.owed) {
            merge_containers(containers, &owed.containers(qualities));
        }
    }
}

/// `spec.containers` and the annotation as they are to be, where verdicts that a prober has written set containers. Both
/// are one write.
#[must_use]
pub(crate) fn settled(
    qualities: &[ServiceQuality],
    server: &GameServer,
    pod_uid: &str,
) -> Option<(Vec<GameServerContainer>, String)> {
    let mut record = Record::of(server, pod_uid);
    if record.owed.is_empty() {
        return None;
    }
    let mut containers = server.spec.containers.clone();
    record.settle(qualities, &mut containers);
    Some((containers, record.text()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::quality::fixture::{POD, World, qualities, yes};

    /// By a prober.
    fn say(world: &mut World, quality: &str, verdict: &super::super::Verdict) -> serde_json::Value {
        world.owes = true;
        world.say(quality, verdict).map(|decision| decision.patch["spec"].clone()).unwrap_or_default()
    }

    fn settle(world: &mut World) -> Option<serde_json::Value> {
        let (containers, _) = settled(&world.qualities, &world.server, POD)?;
        let containers = json!(containers);
        world.settle();
        assert_eq!(settled(&world.qualities, &world.server, POD), None, "once");
        Some(containers)
    }

    fn world() -> World {
        World::new(qualities(
            "[{name: size, serviceQualityAction: [
                {state: true, result: big, opsState: None, containers: [{name: game, image: big}]},
                {state: true, opsState: Allocated, containers: [{name: log, image: log}]},
                {state: false, opsState: Maintaining}]}]",
        ))
    }

    #[test]
    fn what_a_prober_owes_the_controller_carries_out() {
        let mut world = world();
        let spec = say(&mut world, "size", &yes("big"));
        assert_eq!(spec, json!({"opsState": "Allocated"}), "no containers");
        assert_eq!(
            settle(&mut world),
            Some(json!([{"name": "game", "image": "big"}, {"name": "log", "image": "log"}]))
        );
        // Another text fires only actions that name one, and the one that it is.
        say(&mut world, "size", &yes("small"));
        assert_eq!(settle(&mut world), None);
        world.patch(&json!({"spec": {"containers": []}}));
        say(&mut world, "size", &yes("big"));
        assert_eq!(settle(&mut world), Some(json!([{"name": "game", "image": "big"}])));
    }

    #[test]
    fn what_the_set_no_longer_says_is_not_carried_out_and_what_a_note_claims_is_not_believed() {
        let mut world = world();
        say(&mut world, "size", &yes("big"));
        world.qualities[0].service_quality_action.clear();
        assert_eq!(settle(&mut world), Some(json!([])));
        let mut world = self::world();
        let note = json!({"v": 1, "pod": POD, "q": {}, "owed": [
            {"q": "size", "s": true, "h": "beef", "containers": [{"name": "game", "image": "evil"}]}, {"q": "none"},
        ]});
        world.patch(&json!({"metadata": {"annotations": {"gamewarden.dev/verdicts": note.to_string()}}}));
        assert_eq!(settle(&mut world), Some(json!([{"name": "log", "image": "log"}])));
    }

    #[test]
    fn another_pod_owes_nothing() {
        let mut world = world();
        say(&mut world, "size", &yes("big"));
        assert_eq!(settled(&world.qualities, &world.server, "another"), None);
    }

    #[test]
    fn notes_are_bounded() {
        let mut record = Record::default();
        for n in 0..1000 {
            record.owe(Owed::new("size", true, &n.to_string(), Change::State));
            record.owe(Owed::new("size", true, "999", Change::State));
        }
        assert_eq!(record.owed.len(), MOST);
        assert_eq!(record.owed.last(), Some(&Owed::new("size", true, "999", Change::State)));
    }
}
