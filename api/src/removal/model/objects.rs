//! The objects of the model: real GameServers, real patches, and the real functions that make one from the other.
//!
//! A state of the model holds numbers of objects, not objects, so that there is room for many. Every question is answered
//! by the code of the product and remembered: the same few objects come again and again. What only tells one moment from
//! another (versions, times, generations) is brought to one form.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::{
    GameServer, GameServerSet, names,
    quality::{Input, Looked, Outcome, Reply, Verdict, decide, looked},
    removal::{Claim, Phase, looked_patch, turned_patch},
    set::{Refusal, Refused, Snapshot, plan, revision},
    types::OpsState,
};

/// Number of an object in the [`Book`].
pub(super) type Object = u16;
/// Number of a patch in the [`Book`].
pub(super) type Patch = u16;

const QUALITY: &str = "idle";
/// A version, which is what claims are named by: the one that a claim has, and the one that the next will have.
const OLD: &str = "0";
const NEW: &str = "1";
const T: Timestamp = Timestamp::UNIX_EPOCH;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A claim, as the model looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claimed {
    pub(super) phase: Phase,
    /// A quality is to be asked.
    pub(super) look: bool,
}

/// A GameServer, as the model looks at it.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) claim: Option<Claimed>,
    pub(super) ops_state: OpsState,
    server: GameServer,
}

/// What a controller sees of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    pub(super) object: Object,
    pub(super) ours: bool,
    pub(super) withdrawn: bool,
    /// The API server has refused its DELETE, and it is left alone for that.
    pub(super) refused: bool,
    /// What its clock says of the claim.
    pub(super) late: Late,
}

/// What a clock may say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Late {
    /// Nothing has run out.
    No,
    /// Everything has.
    Again,
    /// It has again and again.
    TooOften,
}

/// Something that the plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Choice {
    Write { server: u8, patch: Patch, commits: bool },
    Withdraw { server: u8 },
    Delete { server: u8 },
}

/// All objects and answers so far.
pub(super) struct Book {
    set: GameServerSet,
    pods: Vec<Pod>,
    pages: Vec<Page>,
    numbers: HashMap<String, Object>,
    patches: Vec<Value>,
    patch_numbers: HashMap<String, Patch>,
    plans: HashMap<Vec<Option<Seen>>, Vec<Choice>>,
    written: HashMap<(Object, Patch), (Object, bool)>,
    judged: HashMap<(Object, bool), Object>,
    answered: HashMap<(Object, bool, bool), Object>,
}

impl Book {
    /// A set that is to have `replicas` of its `servers`.
    pub(super) fn new(servers: usize, replicas: usize) -> Self {
        let mut set = json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
            "metadata": {"name": "game", "namespace": "default", "uid": "set", "resourceVersion": "1", "generation": 1},
            "spec": {
                "replicas": replicas,
                "gameServerTemplate": {"spec": {"containers": [{"name": "main", "image": "v1"}]}},
                "serviceQualities": [{
                    "name": QUALITY, "containerName": "main", "permanent": false, "exec": {"command": ["idle"]},
                    "serviceQualityAction": [
                        {"state": true, "opsState": "WaitToBeDeleted"}, {"state": false, "opsState": "None"},
                    ],
                }],
            },
        });
        set["metadata"]["annotations"] =
            json!({names::ORDINALS: (0..servers).map(|o| o.to_string()).collect::<Vec<_>>().join(",")});
        let set: GameServerSet = serde_json::from_value(set).unwrap();
        let hash = revision(&set);
        let pods = (0..servers).map(|ordinal| pod(ordinal, &hash)).collect();
        Self {
            set,
            pods,
            pages: Vec::new(),
            numbers: HashMap::new(),
            patches: Vec::new(),
            patch_numbers: HashMap::new(),
            plans: HashMap::new(),
            written: HashMap::new(),
            judged: HashMap::new(),
            answered: HashMap::new(),
        }
    }

    /// A server that its quality has found idle.
    pub(super) fn idle(&mut self, ordinal: usize) -> Object {
        let server = json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer",
            "metadata": {
                "name": format!("game-{ordinal}"), "uid": format!("gs-{ordinal}"), "resourceVersion": "1",
                "generation": 1, "ownerReferences": [owner("v1", "Pod", &format!("game-{ordinal}"), &uid(ordinal))],
            },
            "spec": {"opsState": "None"},
        });
        let object = self.number(server);
        self.judge(object, true)
    }

    pub(super) fn page(&self, object: Object) -> &Page {
        &self.pages[usize::from(object)]
    }

    /// What the plan does about the servers; `None` for those that are gone.
    pub(super) fn plan(&mut self, seen: &[Option<Seen>]) -> Vec<Choice> {
        if let Some(choices) = self.plans.get(seen) {
            return choices.clone();
        }
        let choices = self.ask(seen);
        self.plans.insert(seen.to_vec(), choices.clone());
        choices
    }

    fn ask(&mut self, seen: &[Option<Seen>]) -> Vec<Choice> {
        let (mut servers, mut pods, mut ours, mut refused) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (seen, pod) in seen.iter().zip(&self.pods) {
            let Some(seen) = seen else { continue };
            let mut server = self.page(seen.object).server.clone();
            server.metadata.resource_version = Some(NEW.into());
            let claim = Claim::any(&server);
            if let Some(mut claim) = claim.clone().filter(|_| seen.late != Late::No) {
                claim.since = T - HOUR;
                claim.due = claim.due.map(|_| T - HOUR);
                claim.again = if seen.late == Late::TooOften { u32::MAX } else { 0 };
                annotate(&mut server, &claim);
            }
            let mut pod = pod.clone();
            if let Some(claim) = claim.as_ref().filter(|_| seen.withdrawn) {
                pod.metadata.annotations = Some([(names::WITHDRAWN.to_owned(), claim.id.clone())].into());
            }
            refused.extend(pod.metadata.uid.clone().filter(|_| seen.refused));
            ours.extend(claim.filter(|_| seen.ours).map(|claim| claim.id));
            servers.push(server);
            pods.push(pod);
        }
        let plan = plan(&Snapshot {
            set: &self.set,
            pods: &pods.iter().collect::<Vec<_>>(),
            servers: &servers.iter().collect::<Vec<_>>(),
            budgets: &[],
            removed: &|_| false,
            committed: &|claim| ours.iter().any(|id| id == claim),
            refused: &|uid| refused.iter().any(|pod| pod == uid).then(refusal),
            now: T,
        });
        let removals = plan.removals;
        let mut choices = Vec::new();
        for turn in removals.turns {
            let patch = self.patch(turn.patch);
            choices.push(Choice::Write { server: ordinal(&turn.name), patch, commits: false });
        }
        // The controller commits when all else is written, or refused; not where something could not be withdrawn.
        if let Some(commit) = removals.commit.filter(|_| removals.withdraw.is_empty()) {
            let patch = self.patch(commit.turn.patch);
            choices.push(Choice::Write { server: ordinal(&commit.turn.name), patch, commits: true });
        }
        choices.extend(removals.withdraw.iter().map(|w| Choice::Withdraw { server: ordinal(&w.name) }));
        choices.extend(removals.delete.iter().map(|d| Choice::Delete { server: ordinal(&d.name) }));
        choices
    }

    /// What a patch makes of an object, and whether there is another claim on it then. Whether it is accepted is for the
    /// model to say.
    pub(super) fn write(&mut self, object: Object, patch: Patch) -> (Object, bool) {
        if let Some(after) = self.written.get(&(object, patch)) {
            return *after;
        }
        let text = &self.patches[usize::from(patch)];
        let claim = text["metadata"]["annotations"][names::REMOVAL].as_str();
        let claim = claim.and_then(|text| serde_json::from_str::<Claim>(text).ok());
        let anew = claim.is_some_and(|claim| claim.id.ends_with(&format!("/{NEW}")));
        let after = self.merge(object, &text.clone());
        self.written.insert((object, patch), (after, anew));
        (after, anew)
    }

    /// A verdict of the quality.
    pub(super) fn judge(&mut self, object: Object, idle: bool) -> Object {
        if let Some(after) = self.judged.get(&(object, idle)) {
            return *after;
        }
        let (result, server) = (String::new(), self.page(object).server.clone());
        let verdict = if idle { Verdict::True { result } } else { Verdict::False { result } };
        let qualities = self.set.spec.service_qualities.clone();
        let uid = pod_uid(&server);
        let input = Input {
            qualities: &qualities,
            quality: QUALITY,
            verdict: &verdict,
            server: &server,
            pod_uid: &uid,
            now: T,
            owes_containers: false,
        };
        let after = decide(&input).map_or(object, |decision| self.merge(object, &decision.patch));
        self.judged.insert((object, idle), after);
        after
    }

    /// The answer of a last look; `same`: that was begun for the claim that there is.
    pub(super) fn answer(&mut self, object: Object, same: bool, idle: bool) -> Object {
        if let Some(after) = self.answered.get(&(object, same, idle)) {
            return *after;
        }
        let page = self.page(object).clone();
        let (result, uid) = (String::new(), pod_uid(&page.server));
        let outcome = if idle { Outcome::Success { result } } else { Outcome::Failure { result } };
        let reply = Reply { outcome, timed_out: false };
        let after = match looked(&self.set.spec.service_qualities, QUALITY, reply, &page.server, &uid, T) {
            Looked::Differs(decision) => self.merge(object, &decision.patch),
            Looked::Same if same && page.claim.is_some_and(|claim| claim.phase == Phase::Claimed) => {
                let patch = Claim::any(&page.server)
                    .and_then(|claim| looked_patch(&page.server, &claim, SignedDuration::ZERO));
                self.merge(object, &patch.unwrap())
            }
            Looked::Same | Looked::NoAnswer(_) => object,
        };
        self.answered.insert((object, same, idle), after);
        after
    }

    /// A person's or a matchmaker's write.
    pub(super) fn set_by_hand(&mut self, object: Object, ops_state: &OpsState) -> Object {
        let patch = self.patch(json!({"spec": {"opsState": ops_state}}));
        self.write(object, patch).0
    }

    /// The same claim, as if it had been looked at.
    pub(super) fn unseen(&mut self, patch: Patch) -> Patch {
        let mut patch = self.patches[usize::from(patch)].clone();
        if let Some(Value::String(text)) = patch["metadata"]["annotations"].get_mut(names::REMOVAL) {
            *text = text.replace("\"Claimed\"", "\"Looked\"");
        }
        self.patch(patch)
    }

    /// The commit of a claim that has been looked at.
    pub(super) fn commit(&mut self, object: Object) -> Patch {
        let server = self.page(object).server.clone();
        let patch = Claim::any(&server).and_then(|claim| turned_patch(&server, &claim, Phase::Committed, T));
        self.patch(patch.unwrap())
    }

    fn patch(&mut self, mut patch: Value) -> Patch {
        if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
        let (text, next) = (patch.to_string(), Patch::try_from(self.patches.len()).unwrap());
        *self.patch_numbers.entry(text).or_insert_with(|| {
            self.patches.push(patch);
            next
        })
    }

    fn merge(&mut self, object: Object, patch: &Value) -> Object {
        let before = serde_json::to_value(&self.page(object).server).unwrap();
        let mut after = before.clone();
        json_patch::merge(&mut after, patch);
        if after["spec"] != before["spec"] {
            let generation = after["metadata"]["generation"].as_i64().unwrap();
            after["metadata"]["generation"] = json!(generation + 1);
        }
        self.number(after)
    }

    /// The number of an object, brought to one form.
    fn number(&mut self, object: Value) -> Object {
        let mut server: GameServer = serde_json::from_value(object).unwrap();
        server.metadata.resource_version = Some(OLD.into());
        let claim = Claim::any(&server);
        let changed = claim.as_ref().is_some_and(|c| c.generation != server.metadata.generation);
        server.metadata.generation = Some(if changed { 2 } else { 1 });
        let claim = claim.map(|claim| Claim {
            id: format!("{}/{OLD}", claim.pod),
            since: T,
            due: claim.due.map(|_| T + HOUR),
            generation: Some(1),
            tries: 0,
            again: 0,
            ..claim
        });
        if let Some(claim) = &claim {
            annotate(&mut server, claim);
        }
        let claim = claim.map(|claim| Claimed { phase: claim.phase, look: !claim.look.is_empty() });
        let text = serde_json::to_string(&server).unwrap();
        let next = Object::try_from(self.pages.len()).unwrap();
        *self.numbers.entry(text).or_insert_with(|| {
            let ops_state = server.spec.ops_state.clone().unwrap_or_default();
            self.pages.push(Page { claim, ops_state, server });
            next
        })
    }
}

fn refusal() -> Refusal {
    Refusal { what: Refused::Delete, words: String::new(), since: T, until: T + HOUR }
}

fn annotate(server: &mut GameServer, claim: &Claim) {
    let all = server.metadata.annotations.get_or_insert_default();
    all.insert(names::REMOVAL.to_owned(), serde_json::to_string(claim).unwrap());
}

fn pod(ordinal: usize, hash: &str) -> Pod {
    let pod = json!({
        "metadata": {
            "name": format!("game-{ordinal}"), "uid": uid(ordinal), "resourceVersion": "1",
            "creationTimestamp": T - HOUR,
            "labels": {names::OWNER_GSS: "game", names::REVISION_HASH: hash},
            "ownerReferences": [owner("game.kruise.io/v1alpha1", "GameServerSet", "game", "set")],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": T - HOUR}],
        },
    });
    serde_json::from_value(pod).unwrap()
}

fn owner(api_version: &str, kind: &str, name: &str, uid: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true})
}

fn uid(ordinal: usize) -> String {
    format!("pod-{ordinal}")
}

fn pod_uid(server: &GameServer) -> String {
    uid(ordinal(server.metadata.name.as_deref().unwrap()).into())
}

fn ordinal(name: &str) -> u8 {
    names::ordinal_of("game", name).and_then(|ordinal| u8::try_from(ordinal).ok()).unwrap()
}
