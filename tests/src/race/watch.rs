//! What the API server shows of a race: pods and GameServers, written to the log as it comes; and who may be visited.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt};
use gamewarden_api::{GameServer, names, removal::Claim};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use tokio::task::JoinHandle;

use super::log::{ClaimSeen, Log, What};
use crate::{Namespace, gss::ops_state, wait::Object};

/// The pods that players may go to, by uid.
#[derive(Clone, Debug, Default)]
pub(super) struct Open(Arc<Mutex<BTreeMap<String, Pod>>>);

impl Open {
    /// One of them.
    #[must_use]
    pub(super) fn any(&self, random: &mut fastrand::Rng) -> Option<Pod> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        random.choice(open.values()).cloned()
    }

    fn set(&self, uid: &str, pod: Option<Pod>) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match pod {
            Some(pod) => open.insert(uid.to_owned(), pod),
            None => open.remove(uid),
        };
    }
}

/// Watches a namespace until dropped.
pub(super) struct Watches {
    /// Who may be visited.
    pub(super) open: Open,
    tasks: [JoinHandle<()>; 2],
}

impl Watches {
    /// Begins to watch.
    #[must_use]
    pub(super) fn of(namespace: &Namespace, log: &Log) -> Self {
        let open = Open::default();
        let mut pods = Pods { log: log.clone(), open: open.clone(), here: BTreeMap::new() };
        let mut servers = Servers { log: log.clone(), known: BTreeMap::new() };
        let (of_pods, of_servers) = (events::<Pod>(namespace.api()), events::<GameServer>(namespace.api()));
        let tasks = [
            tokio::spawn(async move {
                let mut events = std::pin::pin!(of_pods);
                let mut listed = None;
                while let Some(event) = events.next().await {
                    pods.take(event, &mut listed);
                }
            }),
            tokio::spawn(async move {
                let mut events = std::pin::pin!(of_servers);
                while let Some(event) = events.next().await {
                    if let Event::Apply(server) | Event::InitApply(server) = event {
                        servers.take(&server);
                    }
                }
            }),
        ];
        Self { open, tasks }
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What is seen of a kind; when the API server is away it is asked again and again.
fn events<K: Object>(api: Api<K>) -> impl Stream<Item = Event<K>> + Send {
    let events = watcher(api, watcher::Config::default()).default_backoff();
    events.filter_map(|event| std::future::ready(event.ok()))
}

struct Pods {
    log: Log,
    open: Open,
    /// Those whose DELETE has not been seen, and the claim whose withdrawal has.
    here: BTreeMap<String, Option<String>>,
}

impl Pods {
    fn take(&mut self, event: Event<Pod>, listed: &mut Option<BTreeSet<String>>) {
        match event {
            Event::Init => *listed = Some(BTreeSet::new()),
            Event::InitApply(pod) => {
                listed.get_or_insert_default().extend(pod.uid());
                self.is(pod);
            }
            Event::Apply(pod) => self.is(pod),
            Event::Delete(pod) => self.goes(&pod.uid().unwrap_or_default(), asked_by(&pod)),
            // What went while nobody could be asked.
            Event::InitDone => {
                let listed = listed.take().unwrap_or_default();
                let gone: Vec<String> =
                    self.here.keys().filter(|uid| !listed.contains(*uid)).cloned().collect();
                for uid in gone {
                    self.goes(&uid, None);
                }
            }
        }
    }

    fn is(&mut self, pod: Pod) {
        let (Some(uid), Some(set)) = (pod.uid(), pod.labels().get(names::OWNER_GSS).cloned()) else {
            return;
        };
        let leaves = pod.metadata.deletion_timestamp.is_some();
        if !leaves && !self.here.contains_key(&uid) {
            self.here.insert(uid.clone(), None);
            self.log.note(What::Made { set, server: pod.name_any(), pod: uid.clone() });
        }
        let withdrawn = pod.annotations().get(names::WITHDRAWN);
        if let (Some(claim), Some(before)) = (withdrawn, self.here.get_mut(&uid))
            && before.as_ref() != Some(claim)
        {
            *before = Some(claim.clone());
            self.log.note(What::Withdrawn { pod: uid.clone() });
        }
        if leaves {
            self.goes(&uid, asked_by(&pod));
        } else {
            let open = is_open(&pod).then_some(pod);
            self.open.set(&uid, open);
        }
    }

    fn goes(&mut self, uid: &str, by: Option<Timestamp>) {
        self.open.set(uid, None);
        if self.here.remove(uid).is_some() {
            self.log.note(What::Deleted { pod: uid.to_owned(), by });
        }
    }
}

/// When its DELETE was asked for, at the latest: the pod says in whole seconds when its grace period ends.
fn asked_by(pod: &Pod) -> Option<Timestamp> {
    let ends = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
    ends.checked_add(SignedDuration::from_secs(1 - grace)).ok()
}

/// Whether its game can be entered.
fn is_open(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let mut conditions = status.conditions.iter().flatten();
    status.pod_ip.is_some() && conditions.any(|c| c.type_ == "Ready" && c.status == "True")
}

struct Servers {
    log: Log,
    /// By uid, what was seen last.
    known: BTreeMap<String, Known>,
}

#[derive(Default)]
struct Known {
    state: Option<String>,
    claim: Option<ClaimSeen>,
}

impl Servers {
    fn take(&mut self, server: &GameServer) {
        // Cascade: a server is its pod's.
        let owner = server.owner_references().iter().find(|owner| owner.kind == "Pod");
        let (Some(owner), Some(uid)) = (owner, server.uid()) else { return };
        let known = self.known.entry(uid).or_default();
        let state = ops_state(server).map(str::to_owned);
        if let Some(state) = state.filter(|state| known.state.as_ref() != Some(state)) {
            known.state = Some(state.clone());
            self.log.note(What::State { pod: owner.uid.clone(), state });
        }
        let claim = Claim::of(server, &owner.uid).map(ClaimSeen::of);
        if claim == known.claim {
            return;
        }
        match (&claim, &known.claim) {
            (Some(claim), _) => self.log.note(What::Claim(claim.clone())),
            (None, Some(before)) => {
                self.log.note(What::Released { pod: owner.uid.clone(), phase: before.phase });
            }
            (None, None) => {}
        }
        known.claim = claim;
    }
}
