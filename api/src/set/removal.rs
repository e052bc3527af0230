//! Which servers scale-down takes next, and how far each of them is on its way out (design §4, I1 to I3).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::{
    Refused, Snapshot,
    roster::{Member, Roster},
    snapshot::pre_delete,
};
use crate::{
    lifecycle::hooked,
    quality::made_removable_by,
    removal::{
        self, Claim, Look, Phase, Seen, Step, claimed_patch, given_back, is_free, turned_patch, withdraw_pod,
    },
    scale::{ScalePlan, Why},
    types::{GameServerSet, ScaleDownStrategyType},
};

/// Servers that are looked at once more at the same time. More wait: what was found of them would be old by the time it
/// is their turn.
const MOST_CLAIMED: usize = 64;

/// Where the DELETEs of so many are refused, somebody may forbid all of them: the next one is asked when a while has passed,
/// not all the set at once.
const MANY_REFUSED: usize = 8;
/// That while.
const PACE: SignedDuration = SignedDuration::from_secs(10);

/// A pod to delete. The DELETE carries uid and resourceVersion as preconditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Name of the pod and of its server.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// The pod's resourceVersion. Where there is a claim, the one that is read after the commit counts.
    pub resource_version: String,
    /// The commit that it follows; `None` where it is no scale-down, or nobody has a say as there is no GameServer.
    pub claim: Option<Claim>,
    /// Why it goes.
    pub reason: Reason,
    /// Its preDelete hook holds it: it is not to be deleted but to be marked for it
    /// ([`crate::lifecycle::prepare_delete`]).
    pub hooked: bool,
}

/// Why a pod goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its ordinal is reserved.
    Reserved,
    /// Its server's opsState is Kill.
    Kill,
    /// There are more servers than replicas.
    ScaleDown,
    /// It has ended (evicted, refused by its node); it is made again.
    Lost,
    /// It has an old template; it is made again.
    Update,
    /// It was to go for one of the other reasons, and its preDelete hook has let go of it.
    PreDelete,
}

impl Reason {
    /// One word, for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "Reserved",
            Self::Kill => "Kill",
            Self::ScaleDown => "ScaleDown",
            Self::Lost => "Lost",
            Self::Update => "Update",
            Self::PreDelete => "PreDelete",
        }
    }
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        match why {
            Why::Reserved => Self::Reserved,
            Why::Kill => Self::Kill,
            Why::Excess => Self::ScaleDown,
        }
    }
}

impl Removal {
    /// The same removal where the pod has been read again since it was planned: by now a hook may hold it.
    #[must_use]
    pub fn of_pod(self, set: &GameServerSet, pod: &Pod) -> Self {
        Self {
            resource_version: pod.metadata.resource_version.clone().unwrap_or_default(),
            hooked: hooked(pre_delete(set), &pod.metadata),
            ..self
        }
    }

    pub(super) fn of(snapshot: &Snapshot<'_>, member: &Member<'_>, reason: Reason) -> Self {
        let metadata = &member.pod.metadata;
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            claim: None,
            reason,
            hooked: hooked(snapshot.pre_delete(), metadata),
        }
    }
}

/// A write on a GameServer: a merge patch with uid and resourceVersion.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Name of the server.
    pub name: String,
    /// What becomes of its removal, for logs.
    pub step: Step,
    /// The patch.
    pub patch: Value,
}

/// A write that commits a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The write.
    pub turn: Turn,
    /// The claim's name.
    pub claim: String,
    /// It may be in use, and goes because no idle one is there.
    pub last_resort: bool,
}

/// A commit to withdraw.
#[derive(Clone, Debug, PartialEq)]
pub struct Withdrawal {
    /// Name of the server and its pod.
    pub name: String,
    /// Strategic merge patch of the pod. Once it is written, the plan gives the claim back.
    pub patch: Value,
}

/// What to do next about servers that go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Removals {
    /// Commits that nobody has followed up.
    pub withdraw: Vec<Withdrawal>,
    /// Claims, and what becomes of them.
    pub turns: Vec<Turn>,
    /// The claim to commit when all of that is written, so that whatever was decided on older grounds is out of the way. One
    /// at a time.
    pub commit: Option<Commit>,
    /// Pods to delete: what is committed.
    pub delete: Vec<Removal>,
    /// When something is to be done although nothing has changed.
    pub look_again: Option<Timestamp>,
}

impl Removals {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.withdraw.is_empty() && self.turns.is_empty() && self.commit.is_none() && self.delete.is_empty()
    }

    /// Whether somebody goes who may be in use, because no idle one is there. That has to be so when it is decided for good
    /// (I1): what the caller has seen of the others a moment ago is not enough, and no other removal is written in between.
    #[must_use]
    pub fn are_last_resort(&self) -> bool {
        // Without a GameServer there is no commit.
        let unasked = |removal: &Removal| removal.claim.is_none() && removal.reason == Reason::ScaleDown;
        self.commit.as_ref().is_some_and(|commit| commit.last_resort) || self.delete.iter().any(unasked)
    }
}

/// What is to be done next about each server of the set.
pub(super) fn removals(snapshot: &Snapshot<'_>, roster: &Roster<'_>, scaled: &ScalePlan) -> Removals {
    let reserves = snapshot.set.spec.scale_strategy.as_ref().and_then(|s| s.scale_down_strategy_type)
        == Some(ScaleDownStrategyType::ReserveIds);
    let goes: BTreeMap<u32, Why> = scaled.remove.iter().map(|leave| (leave.ordinal, leave.why)).collect();
    let in_order = scaled.remove.iter().filter_map(|leave| roster.members.get(&leave.ordinal));
    let others = roster.members.values().filter(|m| !m.leaving() && !goes.contains_key(&m.ordinal));
    // Another controller may be about to delete what it committed: nobody goes in its place, or beside it.
    let foreign = |claim: &Claim| claim.phase == Phase::Committed && !(snapshot.committed)(&claim.id);
    let blocked = roster
        .members
        .values()
        .filter(|m| !m.leaving() && !is_settled(m, snapshot.now))
        .any(|m| m.claim.as_ref().is_some_and(foreign));
    let paused = paused(roster).filter(|until| snapshot.now < *until);
    let mut queue = Queue { snapshot, out: Removals::default(), blocked, claimed: 0, paused };
    for member in in_order.chain(others) {
        let why = goes.get(&member.ordinal).copied();
        queue.take(member, why, reserves && why.is_some_and(|why| why != Why::Reserved));
    }
    if queue.out.are_last_resort() && !(queue.out.withdraw.is_empty() && queue.out.turns.is_empty()) {
        // Those writes take their time, in which others may become idle: the next plan decides. What is committed goes on.
        queue.out.commit = None;
        queue.out.delete.retain(|removal| removal.claim.is_some());
    }
    queue.out
}

/// Until when nobody new is asked, if ever.
fn paused(roster: &Roster<'_>) -> Option<Timestamp> {
    let refused = roster.members.values().filter(|m| !m.leaving() && m.refused == Some(Refused::Delete));
    let since: Vec<Timestamp> = refused.filter_map(|m| Some(m.refusal.as_ref()?.since)).collect();
    let last = since.iter().max().filter(|_| since.len() >= MANY_REFUSED)?;
    last.checked_add(PACE).ok()
}

/// Whether a commit that stands keeps nobody waiting: its time is over and it cannot be withdrawn, so that it is left alone for
/// a while; or it has been withdrawn, and the GameServer that still says so cannot be written.
fn is_settled(member: &Member<'_>, now: Timestamp) -> bool {
    let is_over = |claim: &Claim| now.duration_since(claim.since) > removal::COMMIT_LASTS;
    match member.refused {
        Some(Refused::Withdraw) => member.claim.as_ref().is_some_and(is_over),
        Some(Refused::Write) => member.is_withdrawn(),
        Some(Refused::Delete) | None => false,
    }
}

struct Queue<'s, 'a> {
    snapshot: &'s Snapshot<'a>,
    out: Removals,
    /// Somebody goes first (I1).
    blocked: bool,
    claimed: usize,
    /// Until when nobody is claimed.
    paused: Option<Timestamp>,
}

impl Queue<'_, '_> {
    fn take(&mut self, member: &Member<'_>, why: Option<Why>, reserves: bool) {
        let (snapshot, now) = (self.snapshot, self.snapshot.now);
        // It keeps nobody waiting, as it comes after all others of its state.
        let is_due = member.refused.is_some() && (why.is_some() || member.claim.is_some());
        if let Some(refusal) = member.refusal.as_ref().filter(|_| is_due) {
            self.wait(refusal.until);
        }
        let why = why.filter(|_| member.refused.is_none());
        match member.refused {
            Some(Refused::Withdraw) => return,
            // A commit is withdrawn on the pod, which is another write.
            Some(Refused::Write) if !member.is_committed() => return,
            _ => {}
        }
        let Some(server) = member.server else {
            // Nobody has ever said anything of it.
            if let Some(why) = why.filter(|_| !self.blocked) {
                self.out.delete.push(Removal::of(snapshot, member, why.into()));
                self.blocked = true;
            }
            return;
        };
        let uid = member.pod.metadata.uid.as_deref().unwrap_or_default();
        let look = look(snapshot, member, why);
        let claim = member.claim.as_ref();
        let step = removal::step(&Seen {
            claim,
            wanted: why.is_some(),
            generation: server.metadata.generation,
            look: &look.qualities,
            in_turn: !self.blocked,
            ours: claim.is_some_and(|claim| (snapshot.committed)(&claim.id)),
            withdrawn: member.is_withdrawn(),
            now,
        });
        let name = member.pod.metadata.name.clone().unwrap_or_default();
        let turn = |patch: Option<Value>| patch.map(|patch| Turn { name: name.clone(), step, patch });
        match (step, claim) {
            (Step::Nothing, _) => {}
            (Step::Wait(until), claim) => {
                self.wait(until);
                // Who does not answer keeps nobody waiting.
                self.blocked |= claim.is_none_or(|claim| claim.phase != Phase::Unanswered);
                self.claimed += 1;
            }
            (Step::Claim, _) if let Some(until) = self.paused => {
                self.wait(until);
                self.blocked = true;
            }
            (Step::Claim, _) => {
                let in_turn = !self.blocked;
                let free =
                    if look.qualities.is_empty() { !self.blocked } else { self.claimed < MOST_CLAIMED };
                if free {
                    self.claimed += 1;
                    self.out.turns.extend(turn(claimed_patch(server, uid, &look, reserves, in_turn, now)));
                }
                self.blocked = true;
            }
            (Step::Commit, Some(claim)) => {
                if !self.blocked {
                    let turn = turn(turned_patch(server, claim, Phase::Committed, now));
                    let free = server.spec.ops_state.as_ref().is_some_and(is_free);
                    let last_resort = why == Some(Why::Excess) && !free && !member.dead;
                    self.out.commit = turn.map(|turn| Commit { turn, claim: claim.id.clone(), last_resort });
                } else if !claim.look.is_empty() {
                    self.wait(claim.looked_until());
                }
                self.claimed += 1;
                self.blocked = true;
            }
            (Step::Delete, Some(claim)) => {
                // What this commit has reserved was not, when it was decided.
                let reason = match why {
                    Some(Why::Reserved) if claim.reserves => Reason::ScaleDown,
                    why => why.map_or(Reason::ScaleDown, Reason::from),
                };
                let removal = Removal::of(snapshot, member, reason);
                self.out.delete.push(Removal { claim: Some(claim.clone()), ..removal });
                self.blocked = true;
            }
            (Step::Withdraw, Some(claim)) => {
                self.out.withdraw.push(Withdrawal { name, patch: withdraw_pod(member.pod, claim) });
                self.blocked = true;
            }
            (Step::Unanswered, Some(claim)) => {
                self.out.turns.extend(turn(turned_patch(server, claim, Phase::Unanswered, now)));
                // From when that is written it keeps nobody waiting.
                self.blocked = true;
            }
            (Step::GiveBack, _) => {
                self.out.turns.extend(turn(Some(given_back(server))));
                self.blocked |= why.is_some();
            }
            // What there is no claim of cannot be turned.
            (Step::Commit | Step::Delete | Step::Withdraw | Step::Unanswered, None) => {}
        }
    }

    fn wait(&mut self, until: Timestamp) {
        self.out.look_again = Some(self.out.look_again.map_or(until, |before| before.min(until)));
    }
}

/// What is to be looked at before the server goes: what made it removable. Who is to be killed, or has an ordinal that a
/// person has reserved, goes whatever is found, unless the set's servers are protected.
fn look(snapshot: &Snapshot<'_>, member: &Member<'_>, why: Option<Why>) -> Look {
    let asked = match why {
        Some(Why::Excess) => true,
        Some(Why::Reserved) => snapshot.is_strict(),
        Some(Why::Kill) | None => false,
    };
    let uid = member.pod.metadata.uid.as_deref().unwrap_or_default();
    match member.server.filter(|_| asked && !member.dead) {
        Some(server) => made_removable_by(&snapshot.set.spec.service_qualities, server, uid),
        None => Look::default(),
    }
}
