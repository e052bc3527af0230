//! Carries removals out: claims, commits, DELETEs, withdrawals (design §4, I2).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use gamewarden_api::{
    GameServer, GameServerSet,
    removal::{COMMIT_LASTS, Claim, Phase, Step, has_ended, is_guarded, is_withdrawn},
    set::{Refused, Removal, Removals, Turn},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{Context, in_place, metrics::Removal as Counted, set::Error};
use crate::write::WriteError;

/// How many GameServers of a set are claimed at once.
const CONCURRENCY: usize = 16;

/// How often a DELETE is tried on a pod whose status keeps changing under it.
const TRIES: usize = 5;

/// The claims that this process has committed, each until long after it can matter.
#[derive(Debug, Default)]
pub(super) struct Commits(Mutex<HashMap<String, Instant>>);

impl Commits {
    const KEPT: Duration = Duration::from_secs(60);

    /// Notes that the claim was committed here.
    fn insert(&self, claim: &str, now: Instant) {
        let mut commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commits.retain(|_, at| now.duration_since(*at) < Self::KEPT);
        commits.insert(claim.to_owned(), now);
    }

    /// Whether it was.
    pub(super) fn contains(&self, claim: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(claim)
    }
}

/// Does what is to be done next. What the writes make of GameServers takes their place in `servers`, and what they make of
/// pods is remembered, so that the next plan is made on it. What the API server refuses on one server is remembered, too: the
/// next plan leaves that one alone. It keeps no other.
///
/// # Errors
/// Something has come in between, or a write failed. What was done stays done; the rest is for the next plan.
pub(super) async fn carry_out(
    set: &GameServerSet,
    removals: &Removals,
    pods: &[Arc<Pod>],
    servers: &mut [Arc<GameServer>],
    context: &Context,
) -> Result<(), Error> {
    let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
    let mut failed = Failed::default();
    let mut withdrawn = 0;
    for withdrawal in &removals.withdraw {
        match context.writer.patch_pod(namespace, &withdrawal.name, &withdrawal.patch).await {
            Ok(written) => {
                tracing::warn!(namespace, pod = %withdrawal.name, "removal withdrawn: it was decided, and has not been carried out");
                context.metrics.removals.count(Counted::Withdrawn);
                context.went_well(pods, &withdrawal.name, Refused::Withdraw);
                context.note_pod(pods, written);
                withdrawn += 1;
            }
            Err(error) => failed.add(context.heard(pods, &withdrawal.name, Refused::Withdraw, error)),
        }
    }
    failed.stop_at_all()?;
    if withdrawn < removals.withdraw.len() {
        // It may still go. Who goes beside it is for a plan that knows.
        return Ok(());
    }
    let writes = removals.turns.iter().cloned().map(|turn| async move {
        let written = write(namespace, &turn, context).await;
        (turn.name, written)
    });
    let written: Vec<(String, Result<GameServer, WriteError>)> =
        stream::iter(writes).buffer_unordered(CONCURRENCY).collect().await;
    for (name, written) in written {
        match written {
            Ok(server) => context.wrote_server(pods, servers, server),
            Err(error) => failed.add(context.heard(pods, &name, Refused::Write, error)),
        }
    }
    // Who could not be written is not one that the commit waits for: the plan commits nobody then.
    failed.stop_at_stale()?;
    if let Some(commit) = &removals.commit {
        match write(namespace, &commit.turn, context).await {
            Ok(server) => {
                context.commits.insert(&commit.claim, Instant::now());
                context.wrote_server(pods, servers, server);
            }
            Err(error) => failed.add(context.heard(pods, &commit.turn.name, Refused::Write, error)),
        }
    }
    failed.stop_at_stale()?;
    for removal in &removals.delete {
        if context.refusals.stands(&removal.uid, Refused::Write, Instant::now()) {
            continue;
        }
        if let Err(error) = delete(set, removal, pods, context).await {
            failed.add(Err(error));
            // One that is tried again goes before those behind it.
            break;
        }
    }
    failed.stop_at_all()
}

/// What has failed so far. One failure is returned; whatever else there is, is logged.
#[derive(Default)]
struct Failed {
    /// What the plan was made on has changed: no more of it is to be done.
    stale: Option<Error>,
    /// Anything else, which is for the next try.
    other: Option<Error>,
}

impl Failed {
    fn add(&mut self, result: Result<(), Error>) {
        let Err(error) = result else { return };
        let slot = if error.is_stale() { &mut self.stale } else { &mut self.other };
        match slot {
            None => *slot = Some(error),
            Some(first) => tracing::warn!(%error, %first, "failed as well"),
        }
    }

    fn stop_at_stale(&mut self) -> Result<(), Error> {
        let Some(stale) = self.stale.take() else { return Ok(()) };
        if let Some(error) = self.other.take() {
            tracing::warn!(%error, "failed, and the plan is made again");
        }
        Err(stale)
    }

    fn stop_at_all(&mut self) -> Result<(), Error> {
        self.stop_at_stale()?;
        self.other.take().map_or(Ok(()), Err)
    }
}

async fn write(namespace: &str, turn: &Turn, context: &Context) -> Result<GameServer, WriteError> {
    let server = context.writer.patch_server(namespace, &turn.name, &turn.patch).await?;
    match turn.step {
        Step::Claim => context.metrics.removals.count(Counted::Claimed),
        Step::GiveBack => context.metrics.removals.count(Counted::GivenBack),
        Step::Unanswered => {
            context.metrics.removals.count(Counted::Unanswered);
            tracing::warn!(namespace, server = %turn.name, "not removed: its probes gave no answer; trying again later");
        }
        _ => {}
    }
    tracing::debug!(namespace, server = %turn.name, step = ?turn.step, "removal");
    Ok(server)
}

/// Deletes a pod. One that follows a commit is read after it, and deleted only as it was then. What the API server refuses is
/// [heard](Context::heard); that something cannot be read just now is no refusal.
async fn delete(
    set: &GameServerSet,
    removal: &Removal,
    pods: &[Arc<Pod>],
    context: &Context,
) -> Result<(), Error> {
    let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
    let refused = |error| context.heard(pods, &removal.name, Refused::Delete, error);
    let Some(claim) = &removal.claim else {
        return remove(namespace, removal, pods, context).await.or_else(refused);
    };
    for _ in 0..TRIES {
        let is_there = |pod: &Pod| {
            pod.metadata.uid.as_deref() == Some(&removal.uid) && pod.metadata.deletion_timestamp.is_none()
        };
        let Some(pod) = context.writer.get_pod(namespace, &removal.name).await?.filter(is_there) else {
            context.removed.insert(&removal.uid, Instant::now());
            return Ok(());
        };
        // Read after the pod: a withdrawal is written on the pod first, so that this one stands if neither says otherwise.
        let server = context.writer.get_server(namespace, &removal.name).await?;
        if !still_holds(claim, set, &pod, server.as_ref()) {
            return Err(Error::Changed(removal.name.clone()));
        }
        let removal = removal.clone().of_pod(set, &pod);
        context.note_pod(pods, pod);
        match remove(namespace, &removal, pods, context).await {
            Err(error) if error.is_conflict() => {}
            removed => return removed.or_else(refused),
        }
    }
    Err(Error::Changed(removal.name.clone()))
}

/// Deletes a pod as the plan saw it, or marks it for that where its preDelete hook holds it.
pub(super) async fn remove(
    namespace: &str,
    removal: &Removal,
    pods: &[Arc<Pod>],
    context: &Context,
) -> Result<(), WriteError> {
    if removal.hooked {
        return in_place::prepare(namespace, removal, pods, context).await;
    }
    let Removal { name, uid, resource_version, .. } = removal;
    context.writer.delete_pod(namespace, name, uid, resource_version).await?;
    context.removed.insert(uid, Instant::now());
    context.refusals.done(uid, Refused::Delete);
    context.metrics.pods_deleted.inc();
    tracing::info!(namespace, pod = %name, reason = removal.reason.as_str(), "pod deleted");
    Ok(())
}

/// The uid of the pod of this name.
pub(super) fn uid_of(pods: &[Arc<Pod>], name: &str) -> Option<String> {
    pods.iter().find(|pod| pod.name_any() == name)?.uid()
}

/// Whether the DELETE may still follow the commit: nobody has withdrawn it, it is not so old that somebody may be about to (who
/// does so after this has read the pod changes its version, and the DELETE fails), and the server may go as it did.
fn still_holds(claim: &Claim, set: &GameServerSet, pod: &Pod, server: Option<&GameServer>) -> bool {
    let age = Timestamp::now().duration_since(claim.since);
    let standing = server.and_then(|server| Claim::of(server, &claim.pod));
    let stands = standing.is_some_and(|now| now.id == claim.id && now.phase == Phase::Committed);
    // A matchmaker, say, has taken the server since.
    let same = server.is_some_and(|server| server.metadata.generation == claim.generation);
    // An annotation, which no generation counts.
    let allowed = has_ended(pod) || !is_guarded(set, server);
    stands && same && allowed && !is_withdrawn(pod, &claim.id) && age <= COMMIT_LASTS
}

impl Context {
    /// Takes note of a write or a DELETE that failed on the server of this name. What the API server refuses is remembered and
    /// is no failure of the plan.
    ///
    /// # Errors
    /// Anything else.
    pub(super) fn heard(
        &self,
        pods: &[Arc<Pod>],
        name: &str,
        what: Refused,
        error: WriteError,
    ) -> Result<(), Error> {
        let refused =
            uid_of(pods, name).is_some_and(|uid| self.refusals.failed(&uid, what, &error, Instant::now()));
        if !refused {
            return Err(error.into());
        }
        self.metrics.removals.count(Counted::Refused);
        tracing::warn!(%error, "not removed: the API server refuses it; trying again later");
        Ok(())
    }

    /// Takes note that what may have been refused on the server of this name is so no more.
    fn went_well(&self, pods: &[Arc<Pod>], name: &str, what: Refused) {
        if let Some(uid) = uid_of(pods, name) {
            self.refusals.done(&uid, what);
        }
    }

    /// Remembers what became of a GameServer on its way out.
    pub(super) fn wrote_server(
        &self,
        pods: &[Arc<Pod>],
        servers: &mut [Arc<GameServer>],
        written: GameServer,
    ) {
        self.went_well(pods, &written.name_any(), Refused::Write);
        self.note_server(servers, written);
    }

    /// Remembers what became of a pod, one of those that the plan was made on, until the watch shows it.
    pub(super) fn note_pod(&self, pods: &[Arc<Pod>], written: Pod) {
        if let Some(pod) = pods.iter().find(|pod| pod.uid() == written.uid()) {
            // The second write on a pod was on what the first one made of it.
            let before = self.fresh_pods.newest(Arc::clone(pod));
            self.fresh_pods.wrote(&before, Arc::new(written));
        }
    }

    /// Remembers what became of a GameServer until the watch shows it.
    pub(super) fn note_server(&self, servers: &mut [Arc<GameServer>], written: GameServer) {
        let written = Arc::new(written);
        if let Some(server) = servers.iter_mut().find(|server| server.uid() == written.uid()) {
            self.fresh_servers.wrote(server, Arc::clone(&written));
            *server = written;
        }
    }
}

#[cfg(test)]
mod tests {
    use gamewarden_api::{
        names,
        removal::{Look, claimed_patch, turned_patch, withdraw_pod},
    };
    use jiff::SignedDuration;
    use k8s_openapi::api::core::v1::PodStatus;
    use kube::core::ObjectMeta;
    use serde_json::Value;

    use super::*;

    fn server(annotation: Option<&Value>) -> GameServer {
        let mut server = GameServer::new("game-0", Default::default());
        server.metadata.resource_version = Some("7".into());
        let text = annotation.and_then(|patch| patch["metadata"]["annotations"][names::REMOVAL].as_str());
        server.metadata.annotations =
            text.map(|text| [(names::REMOVAL.to_owned(), text.to_owned())].into_iter().collect());
        server
    }

    /// A server whose claim was committed at this time, and the claim.
    fn committed(at: Timestamp) -> (GameServer, Claim) {
        let claimed = claimed_patch(&server(None), "uid", &Look::default(), false, true, at);
        let claimed = server(claimed.as_ref());
        let claim = Claim::of(&claimed, "uid").unwrap();
        let committed = turned_patch(&claimed, &claim, Phase::Committed, at);
        let committed = server(committed.as_ref());
        let claim = Claim::of(&committed, "uid").unwrap();
        (committed, claim)
    }

    #[test]
    fn a_delete_follows_a_commit_that_stands_and_no_other() {
        let now = Timestamp::now();
        let (standing, claim) = committed(now);
        let pod = Pod {
            metadata: ObjectMeta { uid: Some("uid".into()), ..ObjectMeta::default() },
            ..Pod::default()
        };
        let prefer = GameServerSet::new("game", Default::default());
        assert!(still_holds(&claim, &prefer, &pod, Some(&standing)));
        let mut strict = prefer.clone();
        strict.metadata.annotations = Some([(names::PROTECTION.into(), "Strict".into())].into());
        assert!(!still_holds(&claim, &strict, &pod, Some(&standing)), "it may go no more");
        let mut ended = pod.clone();
        ended.status = Some(PodStatus { phase: Some("Failed".into()), ..PodStatus::default() });
        assert!(still_holds(&claim, &strict, &ended, Some(&standing)), "its pod has ended");
        strict.metadata.annotations.as_mut().unwrap().insert(names::ALLOW_REMOVAL.into(), "true".into());
        assert!(still_holds(&claim, &strict, &pod, Some(&standing)), "somebody has let it go");
        assert!(!still_holds(&claim, &prefer, &pod, None), "its GameServer is gone");
        assert!(!still_holds(&claim, &prefer, &pod, Some(&server(None))), "given back");
        let mut other = standing.clone();
        let text = other.metadata.annotations.as_mut().unwrap().get_mut(names::REMOVAL).unwrap();
        *text = text.replace("uid/7", "uid/9");
        assert!(!still_holds(&claim, &prefer, &pod, Some(&other)), "claimed anew");
        let mut taken = standing.clone();
        taken.metadata.generation = Some(2);
        assert!(!still_holds(&claim, &prefer, &pod, Some(&taken)), "its opsState is another");
        let mut withdrawn = pod.clone();
        let mark = withdraw_pod(&pod, &claim)["metadata"]["annotations"][names::WITHDRAWN].clone();
        let mark = (names::WITHDRAWN.to_owned(), mark.as_str().unwrap().to_owned());
        withdrawn.metadata.annotations = Some([mark].into_iter().collect());
        assert!(!still_holds(&claim, &prefer, &withdrawn, Some(&standing)), "withdrawn");
        let (old, claim) = committed(now - SignedDuration::from_secs(3));
        assert!(!still_holds(&claim, &prefer, &pod, Some(&old)), "long ago");
    }
}
