//! Removals under arbitrary histories: two controllers whose views are old or lack something, a prober that gets other
//! answers or none, people who change their mind, restarts at every step (design §4, I1 to I5, I7).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{fixture::Cluster, *};
use crate::{
    GameServer, GameServerSet, names,
    quality::{Input, Looked, Outcome, Reply, Verdict, decide, looked},
    removal::{Claim, Phase, looked_patch},
};

const SERVERS: u32 = 4;

/// Something that happens.
#[derive(Clone, Debug)]
enum Happens {
    /// A controller reads everything.
    Reads(usize),
    /// A controller plans on what it has read and does the first things of its plan, as many as this.
    Acts(usize, usize),
    /// A controller ends, and starts with nothing but what it reads.
    Restarts(usize),
    /// The prober answers the claim on a server, or has waited for its probe in vain; it says that this took so many
    /// milliseconds.
    Answers(usize, Reply, i64),
    /// A quality has a new verdict.
    Judges(usize, Outcome),
    /// A person writes opsState, or deletionPriority.
    Writes(usize, &'static str, i32),
    /// A person scales.
    Scales(i32),
    /// A person reserves an ordinal.
    Reserves(u32),
    /// The API server begins to refuse something about a server, or ends it.
    Refuses(usize, Option<Refused>),
    /// Milliseconds pass.
    Passes(i64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Success { result: String::new() }),
        1 => Just(Outcome::Failure { result: String::new() }),
        1 => Just(Outcome::Unknown { reason: "nobody answers".into() }),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    (outcome(), any::<bool>()).prop_map(|(outcome, timed_out)| {
        let timed_out = timed_out && matches!(outcome, Outcome::Failure { .. });
        Reply { outcome, timed_out }
    })
}

fn idle() -> Reply {
    Reply { outcome: Outcome::Success { result: String::new() }, timed_out: false }
}

fn happens() -> impl Strategy<Value = Happens> {
    let (server, controller) = (0..SERVERS as usize, 0usize..2);
    let refused = prop::sample::select(vec![
        None,
        Some(Refused::Delete),
        Some(Refused::Write),
        Some(Refused::Withdraw),
    ]);
    let took = prop::sample::select(vec![0, 0, 300, 4000, i64::MAX / 1_000_000]);
    let state =
        prop::sample::select(vec!["None", "WaitToBeDeleted", "Allocated", "Maintaining", "Kill", "Own"]);
    prop_oneof![
        6 => controller.clone().prop_map(Happens::Reads),
        10 => (controller.clone(), 1usize..4).prop_map(|(c, n)| Happens::Acts(c, n)),
        1 => controller.prop_map(Happens::Restarts),
        8 => (server.clone(), reply(), took).prop_map(|(s, r, t)| Happens::Answers(s, r, t)),
        2 => (server.clone(), outcome()).prop_map(|(s, o)| Happens::Judges(s, o)),
        1 => (server, state, -1i32..2).prop_map(|(s, o, p)| Happens::Writes(s, o, p)),
        1 => (0..SERVERS as i32 + 1).prop_map(Happens::Scales),
        1 => (0..SERVERS).prop_map(Happens::Reserves),
        1 => (0..SERVERS as usize, refused).prop_map(|(s, r)| Happens::Refuses(s, r)),
        4 => prop::sample::select(vec![100, 1000, 2001, 7001, 20_000]).prop_map(Happens::Passes),
    ]
}

/// The cluster, and what each controller has read of it.
#[derive(Clone, Debug)]
struct World {
    real: Cluster,
    views: [Cluster; 2],
    /// What the API server refuses, by the name of the server.
    refuses: BTreeMap<String, Refused>,
    /// What the last look has found for each claim that was answered.
    found: BTreeMap<String, bool>,
    /// The claims that were committed, and those that were given back before that or after.
    committed: BTreeSet<String>,
    given_back: BTreeSet<String>,
    /// Why each server that is gone went.
    gone: Vec<(String, Option<Claim>)>,
    strict: bool,
}

impl World {
    fn new(replicas: i32, strict: bool, reserve_ids: bool) -> Self {
        let mut real = Cluster::new(replicas, "0-3");
        real.set["spec"]["serviceQualities"] = json!([{
            "name": "idle", "containerName": "main", "permanent": false, "exec": {"command": ["idle"]},
            "serviceQualityAction": [
                {"state": true, "opsState": "WaitToBeDeleted"}, {"state": false, "opsState": "None"},
            ],
        }]);
        if strict {
            real.set["metadata"]["annotations"][names::PROTECTION] = json!("Strict");
        }
        if reserve_ids {
            real.set["spec"]["scaleStrategy"] = json!({"scaleDownStrategyType": "ReserveIds"});
        }
        for ordinal in 0..SERVERS {
            real = real.with(ordinal, "None");
            real.servers[ordinal as usize]["metadata"]["generation"] = json!(1);
        }
        let mut world = Self {
            views: [real.clone(), real.clone()],
            real,
            refuses: BTreeMap::new(),
            found: BTreeMap::new(),
            committed: BTreeSet::new(),
            given_back: BTreeSet::new(),
            gone: Vec::new(),
            strict,
        };
        for server in 0..SERVERS as usize {
            world.happens(Happens::Judges(server, Outcome::Success { result: String::new() }));
        }
        world
    }

    fn happens(&mut self, what: Happens) {
        match what {
            Happens::Reads(controller) => {
                let view = &mut self.views[controller];
                let (committed, refused) =
                    (std::mem::take(&mut view.committed), std::mem::take(&mut view.refused));
                *view = Cluster { committed, refused, ..self.real.clone() };
            }
            Happens::Acts(controller, most) => {
                for _ in 0..most {
                    if !self.act(controller) {
                        break;
                    }
                }
            }
            Happens::Restarts(controller) => {
                self.views[controller].committed.clear();
                self.views[controller].refused.clear();
                self.happens(Happens::Reads(controller));
            }
            Happens::Answers(index, reply, took) => self.answer(index, reply, took),
            Happens::Judges(index, outcome) => {
                let Some((server, uid)) = self.server(index) else { return };
                let verdict = Verdict::from(outcome);
                let qualities = self.set().spec.service_qualities;
                let input = Input {
                    qualities: &qualities,
                    quality: "idle",
                    verdict: &verdict,
                    server: &server,
                    pod_uid: &uid,
                    now: self.now(),
                    owes_containers: false,
                };
                if let Some(decision) = decide(&input) {
                    self.write_server(&server.metadata.name.unwrap(), &decision.patch);
                }
            }
            Happens::Writes(index, ops_state, priority) => {
                let Some((server, _)) = self.server(index) else { return };
                let patch = json!({"spec": {"opsState": ops_state, "deletionPriority": priority}});
                self.write_server(&server.metadata.name.unwrap(), &patch);
            }
            Happens::Scales(replicas) => {
                write(&mut self.real.set, &json!({"spec": {"replicas": replicas}}));
            }
            Happens::Reserves(ordinal) => {
                write(&mut self.real.set, &json!({"spec": {"reserveGameServerIds": [ordinal]}}));
            }
            Happens::Refuses(index, what) => {
                let name = format!("game-{index}");
                match what {
                    Some(what) => self.refuses.insert(name, what),
                    None => self.refuses.remove(&name),
                };
            }
            Happens::Passes(milliseconds) => {
                self.real.now = (self.now() + SignedDuration::from_millis(milliseconds)).to_string();
            }
        }
        for view in &mut self.views {
            view.now.clone_from(&self.real.now);
        }
    }

    /// A controller does the first thing of its plan; whether there may be more.
    fn act(&mut self, controller: usize) -> bool {
        let mut plan = self.views[controller].plan();
        if plan.removals.are_last_resort() {
            let view = &mut self.views[controller];
            if names_of_servers(view) != names_of_servers(&self.real) {
                return false;
            }
            view.servers = self.real.servers.clone();
            plan = view.plan();
        }
        self.judge(&self.views[controller], &plan);
        if let Some(patch) = &plan.set_patch {
            if !write(&mut self.real.set, patch) {
                return false;
            }
            self.views[controller].set = self.real.set.clone();
        }
        let commit = plan.removals.commit.as_ref();
        if let Some(Withdrawal { name, patch }) = plan.removals.withdraw.first() {
            if self.is_refused(controller, name, Refused::Withdraw) {
                return true;
            }
            let pod = find(&mut self.real.pods, name);
            let Some(pod) = pod else { return false };
            if !write(pod, patch) {
                return false;
            }
            replace(&mut self.views[controller].pods, pod.clone());
        } else if let Some(Turn { name, patch, .. }) =
            plan.removals.turns.first().or(commit.map(|commit| &commit.turn))
        {
            if self.is_refused(controller, name, Refused::Write) {
                return true;
            }
            if commit.is_some_and(|commit| commit.last_resort) {
                assert!(plan.removals.turns.is_empty(), "others may become idle meanwhile");
            }
            if !self.write_server(name, patch) {
                return false;
            }
            let server = find(&mut self.real.servers, name).unwrap().clone();
            replace(&mut self.views[controller].servers, server);
            let commits = plan.removals.turns.is_empty().then_some(commit).flatten();
            self.views[controller].committed.extend(commits.map(|commit| commit.claim.clone()));
        } else if let Some(removal) = plan.removals.delete.first() {
            if self.is_refused(controller, &removal.name, Refused::Delete) {
                return true;
            }
            self.delete(controller, removal);
        } else {
            return false;
        }
        true
    }

    /// The API server refuses it, and the controller remembers.
    fn is_refused(&mut self, controller: usize, name: &str, what: Refused) -> bool {
        if self.refuses.get(name) != Some(&what) {
            return false;
        }
        let until = self.now() + SignedDuration::from_secs(10);
        let refusal = Refusal { what, words: String::new(), since: self.now(), until };
        self.views[controller].refused.insert(name.replace("game-", "pod-uid-"), refusal);
        true
    }

    /// I1: who is committed, or goes without, is the next of all that the controller has seen.
    fn judge(&self, view: &Cluster, plan: &Plan) {
        let set: GameServerSet = serde_json::from_value(view.set.clone()).unwrap();
        for name in plan.removals.commit.iter().map(|commit| &commit.turn.name) {
            let own = turn(&set, view, name).unwrap();
            for server in &view.servers {
                let other = server["metadata"]["name"].as_str().unwrap();
                let Some(other_turn) = turn(&set, view, other) else { continue };
                let silent = other_turn.2;
                // What Strict keeps does not go at all.
                let kept = self.strict && other_turn.1 > 1;
                assert!(
                    other_turn >= own || silent || kept,
                    "{name} goes before {other}: {own:?} {other_turn:?}"
                );
            }
            assert!(!self.strict || own.1 <= 1, "{name} may be in use");
        }
        if let Some(commit) = &plan.removals.commit {
            let (unreserved, rank, ..) = turn(&set, view, &commit.turn.name).unwrap();
            assert_eq!(commit.last_resort, unreserved && rank > 1, "{}", commit.turn.name);
        }
    }

    /// The controller reads pod and GameServer, and deletes.
    fn delete(&mut self, controller: usize, removal: &Removal) {
        let name = &removal.name;
        self.views[controller].removed.insert(removal.uid.clone());
        let claim_of = |server: Option<&mut Value>| server.and_then(|server| claim(server));
        let stands = claim_of(find(&mut self.real.servers, name));
        let Some(pod) = find(&mut self.real.pods, name) else { return };
        if let Some(claim) = &removal.claim {
            let withdrawn = pod["metadata"]["annotations"][names::WITHDRAWN] == claim.id;
            let age = self.now().duration_since(claim.since);
            if withdrawn
                || stands.is_none_or(|s| s.id != claim.id || s.phase != Phase::Committed)
                || age > crate::removal::COMMIT_LASTS
            {
                self.views[controller].removed.clear();
                return;
            }
            assert!(self.committed.contains(&claim.id), "{name} goes without a commit");
            assert!(!self.given_back.contains(&claim.id), "{name} was given back");
            // I3, I5: only an answer that is the same lets it go, not none and not another.
            assert!(
                claim.look.is_empty() || self.found.get(&claim.id) == Some(&true),
                "{name} goes: {:?}",
                self.found.get(&claim.id)
            );
        } else {
            panic!("{name} has a GameServer and goes without a claim");
        }
        self.gone.push((name.clone(), removal.claim.clone()));
        self.real.pods.retain(|pod| pod["metadata"]["name"] != **name);
        self.real.servers.retain(|server| server["metadata"]["name"] != **name);
    }

    fn answer(&mut self, index: usize, reply: Reply, took: i64) {
        let Some((server, uid)) = self.server(index) else { return };
        let Some(claim) = Claim::of(&server, &uid).filter(|claim| claim.phase == Phase::Claimed) else {
            return;
        };
        let qualities = self.set().spec.service_qualities;
        let name = server.metadata.name.clone().unwrap();
        let idle = matches!(reply.outcome, Outcome::Success { .. });
        match looked(&qualities, "idle", reply, &server, &uid, self.now()) {
            Looked::Same => {
                self.found.insert(claim.id.clone(), idle);
                let patch = looked_patch(&server, &claim, SignedDuration::from_millis(took)).unwrap();
                self.write_server(&name, &patch);
            }
            Looked::Differs(decision) => {
                self.found.insert(claim.id.clone(), idle);
                self.write_server(&name, &decision.patch);
                let (after, _) = self.server(index).unwrap();
                assert_eq!(Claim::of(&after, &uid), None, "another answer gives the claim back");
            }
            Looked::NoAnswer(_) => {}
        }
    }

    /// Writes a GameServer, unless it has changed; notes what became of its claim.
    fn write_server(&mut self, name: &str, patch: &Value) -> bool {
        let Some(server) = find(&mut self.real.servers, name) else { return false };
        let before = claim(server);
        if !write(server, patch) {
            return false;
        }
        let after = claim(server);
        if let Some(claim) = after.as_ref().filter(|claim| claim.phase == Phase::Committed) {
            assert!(!self.given_back.contains(&claim.id), "{name}: committed after it was given back");
            self.committed.insert(claim.id.clone());
        }
        if let Some(before) = before.filter(|before| after.as_ref().is_none_or(|after| after.id != before.id))
        {
            let pod = find(&mut self.real.pods, name).unwrap();
            let withdrawn = pod["metadata"]["annotations"][names::WITHDRAWN] == before.id;
            assert!(
                before.phase != Phase::Committed || withdrawn,
                "{name}: given back although it is committed, and not withdrawn from the pod"
            );
            self.given_back.insert(before.id);
        }
        true
    }

    fn server(&self, index: usize) -> Option<(GameServer, String)> {
        let name = format!("game-{index}");
        let server = self.real.servers.iter().find(|server| server["metadata"]["name"] == *name)?;
        Some((serde_json::from_value(server.clone()).unwrap(), format!("pod-uid-{index}")))
    }

    fn set(&self) -> GameServerSet {
        serde_json::from_value(self.real.set.clone()).unwrap()
    }

    fn now(&self) -> Timestamp {
        self.real.now.parse().unwrap()
    }
}

/// Not reserved, rank of the state, did not answer, priority, ordinal: the lower, the sooner.
type Place = (bool, u8, bool, Reverse<i64>, Reverse<u32>);

/// When the turn of a server comes. Said here once more, as the plan is not to be its own judge. `None`: it is not there.
fn turn(set: &GameServerSet, view: &Cluster, name: &str) -> Option<Place> {
    let uid = name.replace("game-", "pod-uid-");
    let there = view.pods.iter().any(|pod| pod["metadata"]["name"] == *name) && !view.removed.contains(&uid);
    let server = view.servers.iter().find(|server| there && server["metadata"]["name"] == *name)?;
    let ordinal: u32 = name.rsplit('-').next().unwrap().parse().unwrap();
    let listed = serde_json::to_value(&set.spec.reserve_game_server_ids).unwrap();
    let withdrawn = view.pods.iter().find(|pod| pod["metadata"]["name"] == *name).is_some_and(|pod| {
        claim(server).is_some_and(|claim| pod["metadata"]["annotations"][names::WITHDRAWN] == claim.id)
    });
    // What a removal that was withdrawn has reserved does not count.
    let reserved = listed.as_array().is_some_and(|all| all.contains(&json!(ordinal))) && !withdrawn;
    let state = server["spec"]["opsState"].as_str().unwrap();
    let rank = match state {
        "Kill" => 0,
        "WaitToBeDeleted" => 1,
        "Allocated" => 3,
        "Maintaining" => 4,
        _ => 2,
    };
    let now: Timestamp = view.now.parse().unwrap();
    let refused = view.refused.get(&uid).is_some_and(|refusal| now < refusal.until);
    let silent = refused || claim(server).is_some_and(|claim| claim.phase == Phase::Unanswered);
    let priority = server["spec"]["deletionPriority"].as_i64().unwrap_or_default();
    Some((!reserved, rank, silent, Reverse(priority), Reverse(ordinal)))
}

fn claim(server: &Value) -> Option<Claim> {
    serde_json::from_str(server["metadata"]["annotations"][names::REMOVAL].as_str()?).ok()
}

fn names_of_servers(cluster: &Cluster) -> BTreeSet<String> {
    cluster.servers.iter().map(|server| server["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn find<'a>(objects: &'a mut [Value], name: &str) -> Option<&'a mut Value> {
    objects.iter_mut().find(|object| object["metadata"]["name"] == *name)
}

fn replace(objects: &mut [Value], object: Value) {
    if let Some(before) =
        objects.iter_mut().find(|before| before["metadata"]["uid"] == object["metadata"]["uid"])
    {
        *before = object;
    }
}

/// What the API server does with a merge patch: nothing where it is of another version.
fn write(object: &mut Value, patch: &Value) -> bool {
    let version = object["metadata"]["resourceVersion"].clone();
    let wanted = &patch["metadata"]["resourceVersion"];
    if !wanted.is_null() && *wanted != version {
        return false;
    }
    let before = object.clone();
    json_patch::merge(object, patch);
    if *object == before {
        return true;
    }
    let next =
        |number: &Value| number.as_i64().or_else(|| number.as_str()?.parse().ok()).unwrap_or_default() + 1;
    if object["spec"] != before["spec"] {
        object["metadata"]["generation"] = json!(next(&before["metadata"]["generation"]));
    }
    object["metadata"]["resourceVersion"] = json!(next(&version).to_string());
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// I1, I2, I3, I5, I7: every write and every DELETE is judged as it happens. In the end, left alone with a prober that
    /// answers, one controller finishes: nobody has a claim, and there are no more servers than replicas.
    #[test]
    fn nothing_goes_that_must_not(
        replicas in 0..SERVERS as i32 + 1,
        strict in any::<bool>(),
        reserve_ids in any::<bool>(),
        history in prop::collection::vec(happens(), 0..80),
    ) {
        let mut world = World::new(replicas, strict, reserve_ids);
        for what in history {
            world.happens(what);
        }
        world.happens(Happens::Restarts(0));
        world.refuses.clear();
        for _ in 0..4 {
            // Longer than anybody waits.
            world.happens(Happens::Passes(400_000));
            for _ in 0..4 {
                world.happens(Happens::Reads(0));
                world.happens(Happens::Acts(0, 40));
                for server in 0..SERVERS as usize {
                    world.happens(Happens::Answers(server, idle(), 0));
                }
            }
        }
        world.happens(Happens::Reads(0));
        let plan = world.views[0].plan();
        prop_assert!(plan.removals.is_empty(), "{:?}", plan.removals);
        prop_assert!(world.real.servers.iter().all(|server| claim(server).is_none()), "{:?}", world.real.servers);
        if !strict {
            let replicas = usize::try_from(world.set().spec.replicas).unwrap();
            prop_assert!(world.real.pods.len() <= replicas, "{:?} {:?}", world.gone, plan.removals);
        }
    }
}
