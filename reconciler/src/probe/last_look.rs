//! The last look at servers that are to be removed (design §4, I3).
//!
//! ```text
//!   claims on GameServers ─► asks: the claimed qualities, at once, past the schedule
//!                                      │ outcomes
//!                                      ▼
//!                        runner: another answer than the one that was decided on?
//!                          yes │                                  │ no
//!                              ▼                                  ▼
//!          the verdict that it is, whatever the          [`Answers`]: the claim is Looked
//!          thresholds; its write gives the claim back
//! ```
//!
//! Who cannot be asked gives no answer, and the claim runs out.

use std::{collections::HashMap, sync::Arc};

use futures::future::join_all;
use gamewarden_api::{
    GameServer, GameServerSet,
    quality::{Looked, Outcome, Reply, looked},
    removal::{Claim, Phase, looked_patch},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::{
    task::JoinSet,
    time::{Duration, Instant},
};

use super::{
    Metrics, Prober,
    awake::{awake, tolerated},
    metrics::{LookLabels, LookResult},
    targets::{Key, Targets, server_of},
    verdict::speaks_for,
    what::What,
};
use crate::write::{WriteError, Writer};

/// How often an answer that meets a newer version is judged again.
const TRIES: usize = 5;

/// What came of a last look.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) pod: ObjectRef<Pod>,
    pub(super) pod_uid: Arc<str>,
    /// The claim's name.
    pub(super) claim: String,
    /// What came of each quality's probe.
    pub(super) replies: Vec<(Key, Reply)>,
    /// When the look began, and how long it took until all of that was there.
    pub(super) began: Instant,
    pub(super) took: Duration,
}

/// The looks that are under way.
#[derive(Default)]
pub(super) struct Looks {
    /// The claim that each pod was last looked at for.
    asked: HashMap<Arc<str>, String>,
    tasks: JoinSet<Found>,
}

impl Looks {
    /// Looks at all servers that are claimed and have not been looked at for that, all at once.
    pub(super) fn start_all<P: Prober>(
        &mut self,
        targets: &Targets,
        servers: &Store<GameServer>,
        prober: &P,
    ) {
        for server in servers.state() {
            self.start(targets, &server, prober);
        }
    }

    /// Looks at a server, if it is claimed and has not been looked at for that. One that has no turn now (its container
    /// starts, say) cannot be asked.
    pub(super) fn start<P: Prober>(&mut self, targets: &Targets, server: &GameServer, prober: &P) {
        let Some(claim) = Claim::any(server).filter(|claim| claim.phase == Phase::Claimed) else { return };
        if self.asked.get(&*claim.pod) == Some(&claim.id) || !speaks_for(server, &claim.pod) {
            return;
        }
        let pod_uid: Arc<str> = claim.pod.as_str().into();
        let keys = claim
            .look
            .iter()
            .map(|quality| Key { pod_uid: Arc::clone(&pod_uid), quality: quality.as_str().into() });
        let asks: Option<Vec<_>> =
            keys.map(|key| Some((key.clone(), targets.scheduled.get(&key)?))).collect();
        let Some(asks) = asks else { return };
        let Some(pod) = asks.first().map(|(_, scheduled)| scheduled.pod.clone()) else { return };
        // Anybody may write the annotation: it has nobody asked but the server that it is on.
        if server_of(&pod.name, pod.namespace.as_deref()) != ObjectRef::from_obj(server) {
            return;
        }
        let each = asks.into_iter().map(|(key, scheduled)| {
            let (what, timeout, prober) =
                (scheduled.what.clone(), scheduled.settings.timeout, prober.clone());
            async move { (key, ask(&prober, &what, timeout).await) }
        });
        let each: Vec<_> = each.collect();
        self.asked.insert(Arc::clone(&pod_uid), claim.id.clone());
        self.tasks.spawn(async move {
            let began = Instant::now();
            let replies = join_all(each).await;
            Found { pod, pod_uid, claim: claim.id, replies, began, took: began.elapsed() }
        });
    }

    /// Resolves when a look has ended; never while there is none. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Found {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(found)) => return found,
                Some(Err(error)) => tracing::error!(%error, "a last look ended before its time"),
                None => std::future::pending::<()>().await,
            }
        }
    }

    /// Forgets a pod that is gone.
    pub(super) fn forget(&mut self, pod_uid: &str) {
        self.asked.remove(pod_uid);
    }
}

async fn ask<P: Prober>(prober: &P, what: &What, timeout: Duration) -> Reply {
    let answered = |outcome| Reply { outcome, timed_out: false };
    let target = match what {
        What::Probe { target } => target,
        What::NotRunning { container } => {
            let result = format!("Container {container} is not running");
            return answered(Outcome::Failure { result });
        }
    };
    let (answer, awake) = awake(prober.probe(target, timeout), tolerated(timeout)).await;
    let unknown = |reason: &str| answered(Outcome::Unknown { reason: reason.to_owned() });
    match awake {
        false => unknown("this process stood still"),
        // The pod's status knows whether we are the cause.
        true if answer.gone => unknown("its container has ended"),
        true => Reply { outcome: answer.outcome, timed_out: answer.timed_out },
    }
}

/// An answer that is the one that was decided on.
pub(super) struct Answers {
    pub(super) set: Arc<GameServerSet>,
    pub(super) found: Found,
}

impl Answers {
    /// Writes beside the claim that it was looked, if that is still what is asked.
    pub(super) async fn write(self, seen: Arc<GameServer>, writer: Writer, metrics: Metrics) {
        let result = match self.try_write(seen, &writer).await {
            Ok(result) => result,
            Err(error) => {
                tracing::warn!(%error, "answer to a claim not written");
                LookResult::Error
            }
        };
        metrics.looks.get_or_create(&LookLabels { result }).inc();
    }

    async fn try_write(&self, seen: Arc<GameServer>, writer: &Writer) -> Result<LookResult, WriteError> {
        let mut server = seen;
        let (namespace, name) = (server.namespace().unwrap_or_default(), server.name_any());
        for _ in 0..TRIES {
            let Some(claim) = self.asked(&server) else { return Ok(LookResult::Late) };
            let took = SignedDuration::try_from(self.found.took).unwrap_or(SignedDuration::MAX);
            let Some(patch) = looked_patch(&server, &claim, took) else { return Ok(LookResult::Error) };
            match writer.patch_server(&namespace, &name, &patch).await {
                Ok(_) => return Ok(LookResult::Same),
                Err(error) if error.is_not_found() => return Ok(LookResult::Late),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
            match writer.get_server(&namespace, &name).await? {
                Some(fresh) => server = Arc::new(fresh),
                None => return Ok(LookResult::Late),
            }
        }
        Ok(LookResult::Error)
    }

    /// The claim, while it waits for this answer, and the answer is what the server's record says. Its times are by another
    /// clock: how long it waits is what counts.
    fn asked(&self, server: &GameServer) -> Option<Claim> {
        let claim = Claim::of(server, &self.found.pod_uid)?;
        let asked_for = SignedDuration::try_from(self.found.began.elapsed()).unwrap_or(SignedDuration::MAX);
        let waits = claim.id == self.found.claim
            && claim.phase == Phase::Claimed
            && claim.due.is_none_or(|due| asked_for <= due.duration_since(claim.since));
        let qualities = &self.set.spec.service_qualities;
        let same = self.found.replies.iter().all(|(key, reply)| {
            let looked =
                looked(qualities, &key.quality, reply.clone(), server, &key.pod_uid, Timestamp::now());
            looked == Looked::Same
        });
        (waits && same).then_some(claim)
    }
}

/// The GameServer of a pod that was looked at.
pub(super) fn server_of_found(found: &Found, servers: &Store<GameServer>) -> Option<Arc<GameServer>> {
    servers.get(&server_of(&found.pod.name, found.pod.namespace.as_deref()))
}

#[cfg(test)]
#[path = "last_look_tests.rs"]
mod tests;
