//! Which qualities of which pods are probed: keeps the schedule in step with the stores.
//!
//! Only pods whose controller is a set that the store holds are looked at (§6): nobody can have us exec
//! into a pod by labelling it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use gamewarden_api::{
    GameServer, GameServerSet,
    quality::{Counter, ProbeSettings},
    schedule::{Hosts, Schedule, Target, target},
    server::owner_set,
    types::ServiceQuality,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::{Lookup, ObjectRef, Store};

use super::{
    Note, OnNodes,
    verdict::speaks_for,
    what::{Problem, What, what},
};

/// A quality of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) pod_uid: Arc<str>,
    pub(super) quality: Arc<str>,
}

/// What is known of a quality of a pod that is scheduled.
#[derive(Debug)]
pub(super) struct Scheduled {
    pub(super) pod: ObjectRef<Pod>,
    pub(super) set: ObjectRef<GameServerSet>,
    pub(super) settings: ProbeSettings,
    pub(super) what: What,
    pub(super) counter: Counter,
    /// Since when probes have found this run of the container ended.
    pub(super) gone_since: Option<Duration>,
    not_before: Duration,
}

/// What a look at the stores has changed.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Their containers have ended: false at once.
    pub(super) ended: Vec<Key>,
    /// A probe of theirs that runs asks what is no more: it is not to be heard.
    pub(super) obsolete: Vec<Key>,
    /// Uids of pods that are gone.
    pub(super) gone: Vec<Arc<str>>,
    /// Uids of sets whose qualities are others now.
    pub(super) requalified: Vec<String>,
    /// Uids of sets that are gone.
    pub(super) left: Vec<String>,
    /// What people are to be told.
    pub(super) notes: Vec<Note>,
}

/// The two times of a look: scheduling time and wall clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) since_epoch: Duration,
    pub(super) wall: Timestamp,
}

/// All that is probed.
#[derive(Default)]
pub(super) struct Targets {
    pub(super) schedule: Schedule<Key>,
    pub(super) scheduled: HashMap<Key, Scheduled>,
    pods: HashMap<Arc<str>, Seen>,
    /// By uid, as they were at the last look.
    sets: HashMap<String, Arc<GameServerSet>>,
    said: HashMap<String, Said>,
    hosts: Hosts,
    others: OnNodes,
}

/// What a pod and its set were when they were last looked at.
struct Seen {
    pod: Arc<Pod>,
    set: Arc<GameServerSet>,
    keys: Vec<Key>,
    /// Uid of its GameServer.
    server: Option<String>,
}

/// What was said about a set's qualities.
#[derive(Default)]
struct Said {
    generation: Option<i64>,
    words: HashSet<(String, String)>,
}

impl Targets {
    /// Nothing yet; probes may ask these hosts, and leave these nodes to others.
    pub(super) fn new(hosts: Hosts, others: OnNodes) -> Self {
        Self { hosts, others, ..Self::default() }
    }

    /// Brings everything in step with the stores. Pods that are as they were cost next to nothing.
    pub(super) fn sync(&mut self, pods: &Store<Pod>, sets: &Store<GameServerSet>, now: Now) -> Changed {
        let mut changed = Changed::default();
        self.sync_sets(sets, &mut changed);
        let mut alive: HashSet<Arc<str>> = HashSet::with_capacity(self.pods.len());
        for pod in pods.state() {
            if self.others.probe(&pod) {
                continue;
            }
            let Some((uid, set)) = pod.metadata.uid.clone().zip(owner(&pod, &self.sets)) else {
                continue;
            };
            let uid: Arc<str> =
                self.pods.get_key_value(uid.as_str()).map_or_else(|| uid.into(), |(uid, _)| Arc::clone(uid));
            alive.insert(Arc::clone(&uid));
            if let Some(seen) = self.pods.get_mut(&uid)
                && same_qualities(&seen.set, &set)
                && Arc::ptr_eq(&seen.pod, &pod)
            {
                seen.set = set;
                continue;
            }
            self.look(&uid, pod, set, now, &mut changed);
        }
        let gone: Vec<Arc<str>> = self.pods.keys().filter(|uid| !alive.contains(*uid)).cloned().collect();
        for uid in gone {
            for key in self.pods.remove(&uid).into_iter().flat_map(|seen| seen.keys) {
                self.drop_key(&key, &mut changed);
            }
            changed.gone.push(uid);
        }
        changed
    }

    fn sync_sets(&mut self, sets: &Store<GameServerSet>, changed: &mut Changed) {
        let now = sets.state().into_iter().filter_map(|set| Some((set.metadata.uid.clone()?, set)));
        let before = std::mem::replace(&mut self.sets, now.collect());
        for (uid, before) in before {
            match self.sets.get(&uid) {
                Some(after) if same_qualities(&before, after) => {}
                Some(_) => changed.requalified.push(uid),
                None => {
                    self.said.remove(&uid);
                    changed.left.push(uid);
                }
            }
        }
    }

    /// The qualities of the pods whose GameServer is another one than at the last call, or has appeared since:
    /// nothing has been said of it yet.
    pub(super) fn new_servers(&mut self, servers: &Store<GameServer>) -> Vec<Key> {
        let mut keys = Vec::new();
        for (uid, seen) in &mut self.pods {
            let (name, namespace) =
                (seen.pod.metadata.name.as_deref(), seen.pod.metadata.namespace.as_deref());
            let server = servers.get(&server_of(name.unwrap_or_default(), namespace));
            let server = server.filter(|server| speaks_for(server, uid));
            let server = server.as_ref().and_then(|server| server.metadata.uid.as_ref());
            if server == seen.server.as_ref() {
                continue;
            }
            if server.is_some() {
                keys.extend(seen.keys.iter().cloned());
            }
            seen.server = server.cloned();
        }
        keys
    }

    /// Whether what the key asks is still there, by the store as it is now.
    pub(super) fn still_asks(&self, key: &Key, pods: &Store<Pod>) -> bool {
        let (Some(scheduled), Some(seen)) = (self.scheduled.get(key), self.pods.get(&key.pod_uid)) else {
            return false;
        };
        let What::Probe { target: asked } = &scheduled.what else {
            return false;
        };
        let quality = seen.set.spec.service_qualities.iter().find(|q| *q.name == *key.quality);
        let Some((pod, quality)) = pods.get(&scheduled.pod).zip(quality) else {
            return false;
        };
        pod.metadata.uid.as_deref() == Some(&*key.pod_uid)
            && matches!(target(&pod, quality), Target::Probe { container_id: now, .. } if now == asked.container_id)
    }

    /// Looks at one pod anew, and at all qualities of its set.
    fn look(
        &mut self,
        uid: &Arc<str>,
        pod: Arc<Pod>,
        set: Arc<GameServerSet>,
        now: Now,
        changed: &mut Changed,
    ) {
        let mut keys = Vec::new();
        for quality in &set.spec.service_qualities {
            let key = Key { pod_uid: Arc::clone(uid), quality: quality.name.as_str().into() };
            match what(&pod, quality, self.hosts) {
                Ok(Some((what, started_at))) => {
                    let not_before = not_before(started_at, quality, now);
                    let pod = pod.to_object_ref(());
                    self.keep(
                        &key,
                        Scheduled::new(pod, set.to_object_ref(()), quality, what, not_before),
                        changed,
                    );
                    keys.push(key);
                }
                Ok(None) => {}
                Err(problem) => self.say(&set, quality, problem, changed),
            }
        }
        let before = self.pods.remove(uid);
        let (old_keys, server) = before.map_or_else(Default::default, |seen| (seen.keys, seen.server));
        for key in old_keys.iter().filter(|key| !keys.contains(key)) {
            self.drop_key(key, changed);
        }
        self.pods.insert(Arc::clone(uid), Seen { pod, set, keys, server });
    }

    /// Takes up `new`, and keeps of what was known under its key what still holds.
    fn keep(&mut self, key: &Key, mut new: Scheduled, changed: &mut Changed) {
        let ended = matches!(new.what, What::NotRunning { .. });
        match self.scheduled.remove(key) {
            Some(old) if old.what == new.what => {
                new.counter = old.counter;
                new.gone_since = old.gone_since;
                // Said by the clock of this look; the same start must not move with every look.
                if old.settings.initial_delay == new.settings.initial_delay {
                    new.not_before = old.not_before;
                }
            }
            Some(old) => {
                changed.obsolete.push(key.clone());
                // Another container or command is another question; a restart only begins the count again.
                if old.what.asks_like(&new.what) {
                    new.counter = old.counter;
                    new.counter.restarted();
                }
                changed.ended.extend(ended.then(|| key.clone()));
            }
            None => changed.ended.extend(ended.then(|| key.clone())),
        }
        self.schedule.upsert(key.clone(), new.settings.period, new.not_before);
        self.scheduled.insert(key.clone(), new);
    }

    fn drop_key(&mut self, key: &Key, changed: &mut Changed) {
        self.schedule.remove(key);
        if self.scheduled.remove(key).is_some() {
            changed.obsolete.push(key.clone());
        }
    }

    /// Says once for each generation of the set what is wrong with a quality of it.
    fn say(
        &mut self,
        set: &GameServerSet,
        quality: &ServiceQuality,
        problem: Problem,
        changed: &mut Changed,
    ) {
        let uid = set.metadata.uid.clone().unwrap_or_default();
        let generation = set.metadata.generation;
        let said = self.said.entry(uid).or_default();
        if said.generation != generation {
            *said = Said { generation, words: HashSet::new() };
        }
        if said.words.insert((quality.name.clone(), problem.message.clone())) {
            changed.notes.push(Note::about_quality(set, problem.reason, &quality.name, &problem.message));
        }
    }
}

impl Scheduled {
    fn new(
        pod: ObjectRef<Pod>,
        set: ObjectRef<GameServerSet>,
        quality: &ServiceQuality,
        what: What,
        not_before: Duration,
    ) -> Self {
        let settings = ProbeSettings::of(quality);
        Self { pod, set, settings, what, counter: Counter::new(), gone_since: None, not_before }
    }
}

/// When the first probe of a container may start. The node's clock may go wrong against ours, so the
/// initial delay is the longest wait, and what has passed of it counts as far as it is plausible.
fn not_before(started_at: Option<Timestamp>, quality: &ServiceQuality, now: Now) -> Duration {
    let Some(started_at) = started_at else {
        return now.since_epoch;
    };
    let delay = ProbeSettings::of(quality).initial_delay;
    let since: SignedDuration = now.wall.duration_since(started_at);
    let since = Duration::try_from(since).unwrap_or(Duration::ZERO);
    now.since_epoch + delay.saturating_sub(since)
}

/// The GameServer of the pod: it has the pod's name.
pub(super) fn server_of(pod_name: &str, namespace: Option<&str>) -> ObjectRef<GameServer> {
    ObjectRef::new(pod_name).within(namespace.unwrap_or_default())
}

/// The set that controls the pod, if it is one of these, which are found by their uid.
fn owner(pod: &Pod, sets: &HashMap<String, Arc<GameServerSet>>) -> Option<Arc<GameServerSet>> {
    let owner = owner_set(pod)?;
    let set = sets.get(&owner.uid)?;
    let named =
        set.metadata.namespace == pod.metadata.namespace && set.metadata.name.as_ref() == Some(&owner.name);
    named.then(|| Arc::clone(set))
}

fn same_qualities(before: &Arc<GameServerSet>, after: &Arc<GameServerSet>) -> bool {
    Arc::ptr_eq(before, after) || before.spec.service_qualities == after.spec.service_qualities
}

#[cfg(test)]
#[path = "targets_tests.rs"]
mod tests;
