//! What to do about a set now.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Adoption, Budget, Retention, Snapshot, adopt,
    budget::budget,
    events::{self, Observed},
    gs::{marked, outlives_its_pod, server_plan},
    in_place::{PodStep, steps},
    lowered::Lowered,
    patch::set_patch,
    removal::{Reason, Removal, Removals, removals},
    roster::{Member, Roster},
    trouble::{self, Trouble},
    update::update_plan,
};
use crate::{
    event::Event,
    lifecycle::{Template, hooked},
    names,
    scale::{self, Ordinals, ReserveIds},
    server::ServerRef,
    types::IntOrString,
};

/// A pod that ended within this time of being made is not made again before it has passed, so that one
/// that ends at once (a node that refuses it) does not spin.
const LOST_POD_PAUSE: Duration = Duration::from_secs(10);

/// What to do, in this order: `adopt`, `set_patch`, `events`, then the rest. Where `set_patch` is refused, nothing
/// more may be done: the plan is to be made again. Whatever else fails may be left to the next plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Pods and GameServers of the set's names that nobody controls: to become the set's. While there are any, the
    /// plan holds nothing else that changes anything: who goes and who is made is decided when all are known.
    pub adopt: Vec<Adoption>,
    /// JSON merge patch of the set: its ordinals, reserve ids and lowered replicas, with the
    /// resourceVersion the plan was made from.
    pub set_patch: Option<Value>,
    /// Ordinals to make a pod for.
    pub create: Vec<u32>,
    /// What to do next about the servers that scale-down takes.
    pub removals: Removals,
    /// Pods to delete so that they are made again.
    pub replace: Vec<Removal>,
    /// Pods to delete because the preDelete hook that held them has let go.
    pub release: Vec<Removal>,
    /// Writes on pods that hooks hold or that are updated in place.
    pub steps: Vec<PodStep>,
    /// GameServers to label [`names::GS_DELETING`] `"true"`, before their pods go.
    pub gs_mark_deleting: Vec<ServerRef>,
    /// GameServers to take that label off: they are wanted again.
    pub gs_unmark_deleting: Vec<ServerRef>,
    /// GameServers to delete.
    pub gs_delete: Vec<ServerRef>,
    /// What to do about the set's PodDisruptionBudget.
    pub budget: Option<Budget>,
    /// Whose the servers' volume claims are to be, before pods go; `None` where the template has none.
    pub retention: Option<Retention>,
    /// What to say about the set. The same event comes with every plan while its cause lasts; its name is
    /// the same too, so that writing it twice is a conflict and not a second alert.
    pub events: Vec<Event>,
    /// What is wrong, as far as the snapshot shows it: [`trouble::conditions`] shows it to people.
    pub troubles: Vec<Trouble>,
    /// When to look again although nothing has changed.
    pub requeue_after: Option<Duration>,
}

/// A field of the spec that could not be used as written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub(super) struct Problem {
    /// The field.
    pub(super) path: String,
    /// The value, what is wrong with it, and what to write instead.
    pub(super) message: String,
}

/// Makes the plan. A set that is being deleted plans nothing: garbage collection does the rest. Nor does
/// one whose pods belong to a workload of OpenKruise.
#[must_use]
pub fn plan(snapshot: &Snapshot<'_>) -> Plan {
    if snapshot.set.metadata.deletion_timestamp.is_some() {
        return Plan::default();
    }
    let roster = Roster::of(snapshot);
    if let Some(workload) = roster.kruise_workload() {
        return Plan { events: vec![events::managed_elsewhere(workload)], ..Plan::default() };
    }

    let mut problems = Vec::new();
    let reserved = reserved(snapshot, &roster, &mut problems);
    let remembered = snapshot.annotation(names::ORDINALS).and_then(|text| text.parse::<Ordinals>().ok());
    let (scaled, lowered) = scale_plan(snapshot, &roster, &reserved, remembered.as_ref(), &mut problems);
    let seats = usize::try_from(scaled.seats.count()).unwrap_or(usize::MAX);
    let replicas = usize::try_from(scaled.replicas).unwrap_or(0);
    if seats < replicas {
        problems.push(Problem {
            path: "spec.reserveGameServerIds".into(),
            message: format!("leaves no ordinals for {replicas} servers; reserve fewer"),
        });
    }
    let removals = removals(snapshot, &roster, &scaled);
    let leaving: BTreeSet<u32> = scaled.remove.iter().map(|l| l.ordinal).collect();
    let stay: Vec<&Member<'_>> =
        roster.members.values().filter(|m| !m.leaving() && !leaving.contains(&m.ordinal)).collect();
    let (dead, alive): (Vec<&Member<'_>>, Vec<&Member<'_>>) = stay.into_iter().partition(|m| m.dead);

    let template = Template::of(snapshot.set);
    let updated = update_plan(snapshot, &alive, replicas, update_bound(snapshot, &mut problems), &template);
    let (lost, waiting): (Vec<&Member<'_>>, Vec<&Member<'_>>) =
        dead.into_iter().partition(|m| pause_left(snapshot, m).is_none());

    let removal =
        |ordinal: u32, reason| roster.members.get(&ordinal).map(|m| Removal::of(snapshot, m, reason));
    let replace = (lost.iter().map(|m| (m.ordinal, Reason::Lost)))
        .chain(updated.recreate.iter().map(|o| (*o, Reason::Update)))
        .filter_map(|(ordinal, reason)| removal(ordinal, reason))
        .collect();
    let (held, release): (Vec<&Member<'_>>, Vec<&Member<'_>>) = roster
        .members
        .values()
        .filter(|m| m.pre_delete && !m.terminating)
        .partition(|m| !m.marked_for_deletion() || hooked(snapshot.pre_delete(), &m.pod.metadata));
    let kept = alive.iter().filter(|m| !updated.recreate.contains(&m.ordinal));
    // Who is to go and is being updated is brought to the end of that: until then nobody can ask it whether it may.
    let under_way = scaled.remove.iter().filter_map(|leave| roster.members.get(&leave.ordinal));
    let under_way: Vec<&Member<'_>> = under_way.filter(|m| m.flight().is_some()).collect();
    let (steps, next_step) =
        steps(snapshot, kept.chain(&held).chain(&under_way).copied(), &updated, &template);

    let decided: BTreeSet<u32> =
        removals.delete.iter().filter_map(|removal| ordinal(snapshot, removal)).collect();
    let servers = server_plan(snapshot, &roster, &scaled.seats, &decided);
    let (mut troubles, look_again) = trouble::pods(snapshot, &roster);
    troubles.extend(trouble::conflicts(&roster));
    troubles.extend(trouble::invalid(&problems));
    troubles.extend(trouble::held_back(&updated.held_back));
    troubles.extend(trouble::network(snapshot));
    let (budget, other_budget) = budget(snapshot, &roster);
    troubles.extend(other_budget);
    troubles.extend(trouble::scale_down(snapshot, &roster, &scaled));
    let next_removal = removals.look_again.map(|time| wait_until(time, snapshot.now));
    let requeue_after = requeue_after(snapshot, &alive, &waiting)
        .into_iter()
        .chain(look_again)
        .chain(next_step)
        .chain(next_removal)
        .min();
    let adopt = adopt::adoptions(snapshot, &roster);
    if !adopt.is_empty() {
        return Plan { adopt, troubles, requeue_after, ..Plan::default() };
    }
    Plan {
        adopt,
        budget,
        retention: Retention::of(snapshot, &roster, &scaled.seats),
        set_patch: set_patch(snapshot, &roster, &scaled, &reserved, &lowered),
        create: scaled.create,
        removals,
        replace,
        release: release.into_iter().map(|m| Removal::of(snapshot, m, Reason::PreDelete)).collect(),
        steps,
        gs_mark_deleting: servers.mark,
        gs_unmark_deleting: servers.unmark,
        gs_delete: servers.delete,
        events: events::events(
            snapshot,
            &Observed { before: remembered.as_ref().map(Ordinals::count), after: scaled.seats.count() },
        ),
        troubles,
        requeue_after,
    }
}

fn ordinal(snapshot: &Snapshot<'_>, removal: &Removal) -> Option<u32> {
    names::ordinal_of(snapshot.name(), &removal.name)
}

/// A moment later than it: at the time itself it is not yet over.
fn wait_until(time: Timestamp, now: Timestamp) -> Duration {
    const MOMENT: Duration = Duration::from_millis(20);
    Duration::try_from(time.duration_since(now)).unwrap_or_default() + MOMENT
}

/// The reserved ordinals. One that was reserved for a removal which has not come to be does not count: its server is
/// there, and may be needed.
fn reserved(snapshot: &Snapshot<'_>, roster: &Roster<'_>, problems: &mut Vec<Problem>) -> Ordinals {
    let read = ReserveIds::parse(&snapshot.set.spec.reserve_game_server_ids);
    problems.extend(
        read.problems
            .iter()
            .map(|p| Problem { path: p.path(), message: format!("{}: {}", p.value, p.fault) }),
    );
    let in_vain = roster.members.values().filter(|m| m.reserved_in_vain()).map(|m| m.ordinal).collect();
    read.ids.without(&in_vain)
}

fn scale_plan(
    snapshot: &Snapshot<'_>,
    roster: &Roster<'_>,
    reserved: &Ordinals,
    remembered: Option<&Ordinals>,
    problems: &mut Vec<Problem>,
) -> (scale::ScalePlan, Ordinals) {
    // Nobody remembers: the ordinals are those of what is there, GameServers that have lost their pod included.
    let found = || {
        let pods = roster.members.values().filter(|m| !m.leaving()).map(|m| m.ordinal);
        let servers = roster.servers.iter().filter(|(_, s)| outlives_its_pod(snapshot, s) && !marked(s));
        pods.chain(servers.map(|(ordinal, _)| *ordinal)).collect()
    };
    let mut seats: Ordinals = remembered.cloned().unwrap_or_else(found);
    let lowered = Lowered::of(snapshot, roster, &seats);
    let replicas = lowered.replicas(snapshot);
    seats.insert_all(&lowered.taken_back);
    let servers: Vec<scale::Server> = roster.members.values().map(|m| m.scale_server(snapshot)).collect();
    let strategy = snapshot.set.spec.scale_strategy.clone().unwrap_or_default();
    let max_unavailable =
        bound(snapshot, "spec.scaleStrategy.maxUnavailable", strategy.max_unavailable.as_ref(), problems);
    let scaled = scale::plan(&scale::Input {
        replicas,
        reserved,
        seats: &seats,
        strategy: strategy.scale_down_strategy_type.unwrap_or_default(),
        max_unavailable,
        servers: &servers,
        blocked: &roster.blocked(),
    });
    let lowered = lowered.after(&scaled);
    (scaled, lowered)
}

fn update_bound(snapshot: &Snapshot<'_>, problems: &mut Vec<Problem>) -> usize {
    let rolling = snapshot.set.spec.update_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
    let written = rolling.and_then(|r| r.max_unavailable.as_ref());
    bound(snapshot, "spec.updateStrategy.rollingUpdate.maxUnavailable", written, problems).unwrap_or(1)
}

fn bound(
    snapshot: &Snapshot<'_>,
    path: &str,
    written: Option<&IntOrString>,
    problems: &mut Vec<Problem>,
) -> Option<usize> {
    match scale::max_unavailable(written?, snapshot.set.spec.replicas) {
        Ok(bound) => Some(bound),
        Err(error) => {
            problems.push(Problem { path: path.to_owned(), message: error.to_string() });
            None
        }
    }
}

/// How long a lost pod must still wait before it is made again.
fn pause_left(snapshot: &Snapshot<'_>, member: &Member<'_>) -> Option<Duration> {
    let made = member.pod.metadata.creation_timestamp.as_ref()?;
    let age = snapshot.now.duration_since(made.0);
    // A pod from the future (clocks differ) is no younger than one made now.
    let age = Duration::try_from(age).unwrap_or_default();
    LOST_POD_PAUSE.checked_sub(age).filter(|left| !left.is_zero())
}

fn requeue_after(
    snapshot: &Snapshot<'_>,
    alive: &[&Member<'_>],
    waiting: &[&Member<'_>],
) -> Option<Duration> {
    let min_ready = Duration::from_secs(u64::try_from(snapshot.min_ready_seconds()).unwrap_or(0));
    let available = alive.iter().filter_map(|m| {
        let ready_for = Duration::try_from(m.ready_for?).unwrap_or_default();
        min_ready.checked_sub(ready_for).filter(|left| !left.is_zero())
    });
    available.chain(waiting.iter().filter_map(|m| pause_left(snapshot, m))).min()
}
