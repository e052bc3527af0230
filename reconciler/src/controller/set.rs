//! Reconciles one set: which pods and GameServers there are, and the set's status.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gamewarden_api::{
    GameServerSet,
    event::Involved,
    names,
    removal::is_guarded,
    set::{
        Budget, Plan, Reason, Refused, Removal, plan, status,
        trouble::{Trouble, failed_creates},
    },
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use serde_json::json;

use super::{
    Context, adopt::adopt, claims, create::create, in_place, metrics::Kind, removal, status as shown,
    view::View,
};
use crate::write::WriteError;

/// A set could not be brought in line; it will be tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A write failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The server has changed since the plan was made; it is made again.
    #[error("server {0} has changed since the plan was made")]
    Changed(String),
    /// The watch does not show all servers of the set as they are; the plan is made again when it does.
    #[error("the watch is behind on the set's servers")]
    Behind,
    /// The set has changed while its plan was being carried out; it is made again.
    #[error("the set has changed since the plan was made")]
    Superseded,
}

impl Error {
    /// The plan was made on something that has changed: nothing is wrong, it is made again.
    pub(super) fn is_stale(&self) -> bool {
        match self {
            // Not found: the set, or its namespace, is gone.
            Self::Write(error) => error.is_conflict() || error.is_not_found() || error.is_namespace_gone(),
            Self::Changed(_) | Self::Behind | Self::Superseded => true,
        }
    }
}

/// Brings one set in line with its spec.
pub(super) async fn reconcile(set: Arc<GameServerSet>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let set = context.fresh.newest(set);
    let result = observe_and_apply(&set, &context).await;
    let error = result.as_ref().map_or_else(Some, |done| done.error.as_ref());
    let failed = error.is_some_and(|error| !error.is_stale());
    context.metrics.reconciled(Kind::GameServerSet, started.elapsed(), failed);
    let done = result?;
    if done.error.is_none() {
        context.backoff.forget(set.metadata.uid.as_deref().unwrap_or_default());
    }
    Ok(done.again.map_or_else(Action::await_change, Action::requeue))
}

/// When to try again.
pub(super) fn failed(set: Arc<GameServerSet>, error: &Error, context: Arc<Context>) -> Action {
    let wait = context.backoff.failed(set.metadata.uid.as_deref().unwrap_or_default(), Instant::now());
    let (namespace, name) = (set.namespace().unwrap_or_default(), set.name_any());
    if error.is_stale() {
        tracing::debug!(%namespace, set = %name, %error, ?wait, "planning again");
    } else {
        tracing::warn!(%namespace, set = %name, %error, ?wait, "reconcile failed; trying again");
    }
    Action::requeue(wait)
}

/// How a reconcile ended that is not simply tried again.
struct Done {
    /// When to look again although nothing has changed.
    again: Option<Duration>,
    /// What could not be done, where the status asks for another look before the backoff would.
    error: Option<Error>,
}

async fn observe_and_apply(set: &Arc<GameServerSet>, context: &Context) -> Result<Done, Error> {
    let mut seen = View::of(set, context);
    let (mut plan, status) = seen.ask(context, |snapshot| (plan(snapshot), status(snapshot)));
    let applied = apply(&mut seen, &mut plan, context).await;
    // Those of the last plan: what was refused of the first is known to it.
    let mut troubles: Vec<Trouble> = std::mem::take(&mut plan.troubles);
    let again = applied.as_ref().ok().and_then(|done| *done);
    // What could not be made is known only now. The status is told even where the plan could not be carried out: that
    // is when people look.
    let failures = context.failures.told(set.metadata.uid.as_deref().unwrap_or_default());
    troubles.extend(failed_creates(&set.name_any(), &failures));
    let newest = context.fresh.newest(Arc::clone(set));
    let status_wait = shown::write(&newest, status, &troubles, context).await;
    match (applied, status_wait) {
        // The turn of the status comes sooner than the next try after a failure might.
        (Err(error), Ok(Some(wait))) => {
            if error.is_stale() {
                tracing::debug!(set = %set.name_any(), %error, "planning again");
            } else {
                tracing::warn!(set = %set.name_any(), %error, "reconcile failed; trying again for the status");
            }
            Ok(Done { again: Some(wait), error: Some(error) })
        }
        (applied, status_wait) => {
            applied?;
            Ok(Done { again: [again, status_wait?].into_iter().flatten().min(), error: None })
        }
    }
}

/// Carries a plan out, and those that follow from what it did to servers that go: each of their steps is decided on what
/// the last one made of them; `current` is the last plan then. Gives when to look again.
async fn apply(seen: &mut View, current: &mut Plan, context: &Context) -> Result<Option<Duration>, Error> {
    if !current.adopt.is_empty() {
        // Nothing else is decided yet; the watch shows them as ours in a moment.
        adopt(&seen.set, &current.adopt, context).await?;
        return Ok(current.requeue_after);
    }
    if !current.removals.is_empty() {
        seen.read_servers(context).await?;
        *current = seen.ask(context, plan);
    }
    let mut settled = prepare(seen, current, context).await?;
    let mut gone = Ok(());
    for _ in 0..MOST_STEPS {
        if current.removals.is_empty() || settled.is_err() {
            break;
        }
        gone = step(seen, current, context).await;
        if gone.is_err() {
            break;
        }
        *current = seen.ask(context, plan);
        if current.removals.are_last_resort() {
            // The steps before this one have taken a while.
            gone = seen.read_servers(context).await;
            if gone.is_err() {
                break;
            }
            *current = seen.ask(context, plan);
        }
        settled = prepare(seen, current, context).await?;
    }
    // The rest of a plan that was overtaken is not carried out. What somebody refuses keeps nothing else waiting.
    if gone.as_ref().is_err_and(Error::is_stale) {
        return gone.map(|()| None);
    }
    let more = rest(seen, current, settled, context).await;
    gone?;
    let more = more?;
    Ok([current.requeue_after, more, (!current.removals.is_empty()).then_some(Duration::ZERO)]
        .into_iter()
        .flatten()
        .min())
}

/// More steps than that at once keep other sets waiting.
const MOST_STEPS: usize = 64;

/// What comes before anything is removed or made: the write on the set, and what is said of it. Where the set cannot be
/// written nothing else is done: the plan was made on something old. Gives how settling the volume claims ended.
async fn prepare(seen: &mut View, plan: &Plan, context: &Context) -> Result<Result<(), Error>, Error> {
    let (namespace, name) = (seen.set.namespace().unwrap_or_default(), seen.set.name_any());
    if let Some(patch) = &plan.set_patch {
        let written = Arc::new(context.writer.patch_set(&namespace, &name, patch).await?);
        context.fresh.wrote(&seen.set, Arc::clone(&written));
        seen.set = written;
    }
    // Said when it is so. A controller that ends in between says nothing; one that says it before might say what never
    // comes to be, for the patch may be refused and the next plan be another.
    let involved = Involved::of(&*seen.set);
    for event in &plan.events {
        context.say(event, &involved).await;
    }
    mark(&namespace, plan, seen, context).await?;
    // Claims come before pods go: one that is to go with its pod must say so while the pod is there.
    Ok(match &plan.retention {
        Some(retention) => claims::settle(&seen.set, retention, context).await,
        None => Ok(()),
    })
}

/// The next step of the servers that go. Many removals take a while: who scales up again meanwhile keeps what is still
/// there.
async fn step(seen: &mut View, plan: &Plan, context: &Context) -> Result<(), Error> {
    let reference = ObjectRef::from_obj(&*seen.set);
    if is_superseded(&seen.set, context.stores.sets.get(&reference).as_deref()) {
        return Err(Error::Superseded);
    }
    let done = removal::carry_out(&seen.set, &plan.removals, &seen.pods, &mut seen.servers, context).await;
    for pod in &mut seen.pods {
        *pod = context.fresh_pods.newest(Arc::clone(pod));
    }
    done
}

/// All else. Each part is tried, whatever became of the others; the first failure is returned, else when there is more to
/// make.
async fn rest(
    seen: &View,
    plan: &Plan,
    settled: Result<(), Error>,
    context: &Context,
) -> Result<Option<Duration>, Error> {
    let View { set, pods, servers } = seen;
    let namespace = set.namespace().unwrap_or_default();
    let released = match settled {
        Ok(()) => delete_pods(&namespace, &plan.release, pods, context).await,
        Err(error) => Err(error),
    };
    let results = [
        released,
        delete_pods(&namespace, &plan.replace, pods, context).await,
        budget(&namespace, plan, context).await,
        in_place::steps(&namespace, &plan.steps, pods, context).await.map_err(Error::from),
        delete_servers(&namespace, plan, context).await,
    ];
    let more = create(set, &plan.create, servers, context).await;
    results.into_iter().collect::<Result<(), Error>>()?;
    Ok(more)
}

/// Labels the GameServers that outlive their pods with whether they are to go. One that cannot be labelled keeps no other:
/// its pod is not deleted before it is.
async fn mark(namespace: &str, plan: &Plan, seen: &mut View, context: &Context) -> Result<(), Error> {
    let mark = plan.gs_mark_deleting.iter().map(|server| (server, json!("true")));
    let unmark = plan.gs_unmark_deleting.iter().map(|server| (server, json!(null)));
    for (server, value) in mark.chain(unmark) {
        let patch = json!({"metadata": {
            "uid": server.uid,
            "resourceVersion": server.resource_version,
            "labels": {names::GS_DELETING: value},
        }});
        let uid = removal::uid_of(&seen.pods, &server.name);
        if uid.is_some_and(|uid| context.refusals.stands(&uid, Refused::Write, Instant::now())) {
            continue;
        }
        match context.writer.patch_server(namespace, &server.name, &patch).await {
            Ok(written) => context.wrote_server(&seen.pods, &mut seen.servers, written),
            Err(error) => context.heard(&seen.pods, &server.name, Refused::Write, error)?,
        }
    }
    Ok(())
}

/// Whether `seen`, the set as the watch shows it now, is newer than the one that was `planned` for, or protects its servers in
/// another way.
fn is_superseded(planned: &GameServerSet, seen: Option<&GameServerSet>) -> bool {
    seen.is_none_or(|seen| {
        seen.metadata.uid != planned.metadata.uid
            || seen.metadata.deletion_timestamp.is_some()
            || seen.metadata.generation > planned.metadata.generation
            // Annotations, which no generation counts.
            || is_guarded(seen, None) != is_guarded(planned, None)
    })
}

/// Deletes pods that are to be made again, or that their preDelete hooks have let go; all are tried.
async fn delete_pods(
    namespace: &str,
    removals: &[Removal],
    pods: &[Arc<Pod>],
    context: &Context,
) -> Result<(), Error> {
    let mut result = Ok(());
    for removal in removals {
        let removed = removal::remove(namespace, removal, pods, context).await;
        if let Err(error) = &removed
            && removal.reason == Reason::PreDelete
        {
            // It has left its set for good. What is remembered, people are told; nothing else tells of it.
            context.refusals.failed(&removal.uid, Refused::Delete, error, Instant::now());
        }
        result = result.and(removed);
    }
    Ok(result?)
}

/// Makes, mends or deletes the set's disruption budget. One that is there already, or gone, is fine: the watch shows it.
async fn budget(namespace: &str, plan: &Plan, context: &Context) -> Result<(), Error> {
    let written = match &plan.budget {
        None => Ok(()),
        Some(Budget::Create(budget)) => context.writer.create_budget(budget).await,
        Some(Budget::Patch(name, patch)) => context.writer.patch_budget(namespace, name, patch).await,
        Some(Budget::Delete(budget)) => context.writer.delete_budget(namespace, budget).await,
    };
    match written {
        // Somebody else's of that name: its selector decides whether it is in the way.
        Err(error) if error.is_namespace_gone() || error.is_conflict() => Ok(()),
        written => Ok(written?),
    }
}

async fn delete_servers(namespace: &str, plan: &Plan, context: &Context) -> Result<(), Error> {
    for server in &plan.gs_delete {
        context.writer.delete_server(namespace, server).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn set(uid: &str, generation: i64) -> GameServerSet {
        let mut set = GameServerSet::new("minecraft", Default::default());
        set.metadata.uid = Some(uid.into());
        set.metadata.generation = Some(generation);
        set
    }

    #[test]
    fn a_plan_is_superseded_by_a_newer_spec_and_not_by_a_watch_that_is_behind() {
        let planned = set("a", 3);
        let mut going = set("a", 3);
        going.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
        let mut strict = set("a", 3);
        strict.metadata.annotations = Some([(names::PROTECTION.into(), "Strict".into())].into());
        for (what, seen, superseded) in [
            ("the same", Some(set("a", 3)), false),
            ("a watch that does not show our own write yet", Some(set("a", 2)), false),
            ("a newer spec", Some(set("a", 4)), true),
            ("one that is Strict now", Some(strict), true),
            ("another set of the name", Some(set("b", 1)), true),
            ("a set that is being deleted", Some(going), true),
            ("none", None, true),
        ] {
            assert_eq!(is_superseded(&planned, seen.as_ref()), superseded, "{what}");
        }
    }
}
