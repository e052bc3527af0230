//! The protocol of a removal, explored in full: every order in which its actors can act (design §4, I1, I2, I3, I7).
//!
//! ```text
//!   two controllers   read everything at once, decide on one write by the product's own plan, and carry it out at any
//!                     time after that; end and start again at any time
//!   a prober          starts a last look, answers it at any time after that, or never; gives any verdict at any time
//!   a person          writes opsState
//!   players           join and leave
//!   the API server    refuses the DELETE of a server that is committed
//! ```
//!
//! Three servers have too many states for that. With them ([`Grain::Coarse`]) a step that touches one server alone is taken as
//! soon as it is decided, and only commits and DELETEs, which depend on the others, come late:
//!
//! - A claim, a give-back, a missing answer or a withdrawal that comes late comes upon the object that it was decided on, or
//!   fails. Nothing that happens to other servers meanwhile would have been otherwise had it come at once: to those behind it,
//!   a server that is to be claimed is as much in the way as one that is.
//! - The reads before a DELETE are one with it. That nothing goes wrong between them is a matter of one server, and is explored
//!   with one and with two.
//! - Any controller may take any commit for its own. So they need not be told apart, and none need be started again but to
//!   forget what it meant to do.
//!
//! There is no time in it: whatever a controller decides, it decides once as if nothing had run out and once as if all had.
//! So what holds here holds however long anybody stands still and however wrong clocks are. A write that has been overtaken
//! fails, so a controller that means to make one is the same as one that means nothing.
//!
//! What the controllers decide, what the prober writes and what becomes of an object is asked of the product
//! ([`objects`]); what is modelled is who does it when, and what the API server accepts.
//!
//! Not in it: several qualities, hooks, Kill and reserved ordinals (nothing is looked at), servers without a GameServer, and
//! new pods.

mod objects;
mod state;
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use objects::{Book, Choice, Late, Object, Patch, Seen};
use stateright::{Model, Property};

use super::Phase;
use crate::types::OpsState;

/// What is left out of the protocol, to see that it is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Without {
    #[default]
    Nothing,
    /// A claim counts as looked at.
    Look,
    /// Controllers write GameServers whatever has come in between.
    Version,
    /// A withdrawal does not write the pod.
    Mark,
    /// A commit does not wait for those that go first.
    Order,
    /// The claim is not read again after the pod.
    Claim,
}

/// Which steps come late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grain {
    /// All of them.
    Fine,
    /// Commits and DELETEs.
    Coarse,
}

/// What must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wrong {
    /// A server went whose player was there from before its last look.
    InUse,
    /// A server went that was not the next, from its commit on.
    OutOfTurn,
    /// A claim that was given back was committed, or one that was committed was given back.
    BothWon,
    /// A server went by a commit that did not stand any more.
    LateDelete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Look {
    claim: u8,
    /// What it has found and not written yet.
    idle: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Server {
    object: Object,
    /// The name of the claim on it.
    claim: u8,
    /// The claim whose commit was withdrawn last, on the pod.
    mark: Option<u8>,
    player: bool,
    /// The player has been there from before the last look began.
    stayed: bool,
    look: Option<Look>,
    /// The API server has refused its DELETE a short while ago.
    refused: bool,
    /// Those that were to go before it when it was committed, and still are: a bit for each.
    ahead: u8,
}

/// What a controller is about to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Intent {
    #[default]
    Decide,
    Write {
        server: u8,
        patch: Patch,
        /// The claim that it was decided on.
        claim: u8,
        commits: bool,
        ahead: u8,
    },
    Withdraw {
        server: u8,
        claim: u8,
    },
    Delete {
        go: Go,
        next: Next,
    },
}

/// A commit that is being followed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Go {
    server: u8,
    claim: u8,
    look: bool,
    ahead: u8,
}

/// The steps from the decision to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Next {
    ReadPod,
    ReadServer,
    Delete,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Controller {
    /// The servers whose standing commit is its own: a bit for each.
    ours: u8,
    intent: Intent,
}

/// How often what could go on for ever may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Left {
    joins: u8,
    verdicts: u8,
    by_hand: u8,
    refusals: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// By ordinal; `None` where the server is gone.
    servers: Vec<Option<Server>>,
    controllers: [Controller; 2],
    left: Left,
    wrong: Option<Wrong>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Action {
    Join(u8),
    Leave(u8),
    Verdict { server: u8, idle: bool },
    ByHand { server: u8, ops_state: OpsState },
    Refuse(u8),
    Forget(u8),
    BeginLook(u8),
    AnswerLook(u8),
    Decide { controller: usize, choice: Choice },
    Do(Choice),
    CarryOut(usize),
    Restart(usize),
}

struct Removals {
    book: Mutex<Book>,
    servers: usize,
    left: Left,
    grain: Grain,
    without: Without,
}

impl Removals {
    fn new(servers: usize, replicas: usize, left: Left, grain: Grain, without: Without) -> Self {
        Self { book: Mutex::new(Book::new(servers, replicas)), servers, left, grain, without }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a controller may decide now, whatever its clock says of each claim.
    fn choices(&self, book: &mut Book, state: &State, controller: &Controller) -> Vec<Choice> {
        let mut seen = vec![Vec::new()];
        for (ordinal, server) in state.servers.iter().enumerate() {
            let ways = self.ways(book, server.as_ref(), controller.ours & 1 << ordinal != 0);
            let with = |before: Vec<Option<Seen>>| {
                ways.iter().map(move |way| before.iter().copied().chain([*way]).collect()).collect::<Vec<_>>()
            };
            seen = seen.into_iter().flat_map(with).collect();
        }
        let mut choices = Vec::new();
        for seen in seen {
            for choice in book.plan(&seen) {
                if !choices.contains(&choice) {
                    choices.push(choice);
                }
            }
        }
        if self.without == Without::Order {
            for (ordinal, server) in state.servers.iter().enumerate() {
                let server =
                    server.filter(|s| book.page(s.object).claim.is_some_and(|c| c.phase == Phase::Looked));
                let Some(server) = server else { continue };
                let patch = book.commit(server.object);
                choices.push(Choice::Write { server: u8::try_from(ordinal).unwrap(), patch, commits: true });
            }
        }
        choices
    }

    /// What controllers may do of which it does not matter who does it, and what either that means to do nothing yet may
    /// come to mean.
    fn coarse_actions(&self, book: &mut Book, state: &State, actions: &mut Vec<Action>) {
        let free = state.controllers.iter().position(|controller| controller.intent == Intent::Decide);
        for choice in self.choices(book, state, &Controller::default()) {
            match choice {
                Choice::Write { commits: false, .. } | Choice::Withdraw { .. } => {
                    actions.push(Action::Do(choice))
                }
                Choice::Write { commits: true, .. } | Choice::Delete { .. } => {
                    actions.extend(free.map(|controller| Action::Decide { controller, choice }));
                }
            }
        }
        for (index, controller) in state.controllers.iter().enumerate() {
            if controller.intent != Intent::Decide {
                actions.extend([Action::CarryOut(index), Action::Restart(index)]);
            }
        }
    }

    /// How a controller may see a server.
    fn ways(&self, book: &Book, server: Option<&Server>, ours: bool) -> Vec<Option<Seen>> {
        let Some(server) = server else { return vec![None] };
        let claim = book.page(server.object).claim;
        let seen = Seen {
            object: server.object,
            ours,
            withdrawn: claim.is_some() && server.mark == Some(server.claim),
            refused: server.refused,
            late: Late::No,
        };
        let Some(claim) = claim else { return vec![Some(seen)] };
        let clocks: &[Late] = match claim.phase {
            Phase::Claimed | Phase::Looked => &[Late::No, Late::Again, Late::TooOften],
            Phase::Committed | Phase::Unanswered => &[Late::No, Late::Again],
        };
        let owners: &[bool] = match (self.grain, claim.phase) {
            (Grain::Coarse, Phase::Committed) => &[true, false],
            _ => &[ours],
        };
        let ways = clocks.iter().flat_map(|late| owners.iter().map(move |ours| (*late, *ours)));
        ways.map(|(late, ours)| Some(Seen { late, ours, ..seen })).collect()
    }
}

impl Model for Removals {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut book = self.book();
        let server = |ordinal| {
            let object = book.idle(ordinal);
            Some(Server {
                object,
                claim: 0,
                mark: None,
                player: false,
                stayed: false,
                look: None,
                refused: false,
                ahead: 0,
            })
        };
        let servers = (0..self.servers).map(server).collect();
        vec![State { servers, controllers: Default::default(), left: self.left, wrong: None }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.wrong.is_some() {
            return;
        }
        let mut book = self.book();
        for (ordinal, server) in (0u8..).zip(&state.servers) {
            let Some(server) = server else { continue };
            if server.player {
                actions.push(Action::Leave(ordinal));
            } else if state.left.joins > 0 {
                actions.push(Action::Join(ordinal));
            }
            if state.left.verdicts > 0 {
                actions.extend([true, false].map(|idle| Action::Verdict { server: ordinal, idle }));
            }
            if state.left.by_hand > 0 {
                let other = match book.page(server.object).ops_state {
                    OpsState::Allocated => OpsState::None,
                    _ => OpsState::Allocated,
                };
                actions.push(Action::ByHand { server: ordinal, ops_state: other });
            }
            let is = |phase| book.page(server.object).claim.is_some_and(|claim| claim.phase == phase);
            if server.refused {
                actions.push(Action::Forget(ordinal));
            } else if state.left.refusals > 0 && is(Phase::Committed) {
                actions.push(Action::Refuse(ordinal));
            }
            if is(Phase::Claimed) && server.look.is_none_or(|look| look.claim != server.claim) {
                actions.push(Action::BeginLook(ordinal));
            }
            if server.look.is_some_and(|look| look.idle.is_some()) {
                actions.push(Action::AnswerLook(ordinal));
            }
        }
        if self.grain == Grain::Coarse {
            self.coarse_actions(&mut book, state, actions);
            return;
        }
        for (index, controller) in state.controllers.iter().enumerate() {
            if controller.intent == Intent::Decide {
                let choices = self.choices(&mut book, state, controller);
                actions
                    .extend(choices.into_iter().map(|choice| Action::Decide { controller: index, choice }));
            } else {
                actions.push(Action::CarryOut(index));
            }
            if *controller != Controller::default() {
                actions.push(Action::Restart(index));
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let (mut state, mut book) = (before.clone(), self.book());
        let book = &mut *book;
        match action {
            Action::Join(server) => {
                state.left.joins = used(state.left.joins);
                state.server(server)?.player = true;
            }
            Action::Leave(server) => {
                let server = state.server(server)?;
                (server.player, server.stayed) = (false, false);
            }
            Action::Verdict { server, idle } => {
                let object = book.judge(state.server(server)?.object, idle);
                state.left.verdicts = used(state.left.verdicts);
                state.put(self, book, server, object);
            }
            Action::ByHand { server, ops_state } => {
                let object = book.set_by_hand(state.server(server)?.object, &ops_state);
                state.left.by_hand = used(state.left.by_hand);
                state.put(self, book, server, object);
            }
            Action::Refuse(server) => {
                state.left.refusals = used(state.left.refusals);
                state.server(server)?.refused = true;
            }
            Action::Forget(server) => state.server(server)?.refused = false,
            Action::BeginLook(server) => {
                let server = state.server(server)?;
                server.look = Some(Look { claim: server.claim, idle: Some(!server.player) });
                server.stayed = server.player;
            }
            Action::AnswerLook(server) => {
                let seen = state.server(server)?;
                let look = seen.look?;
                let object = book.answer(seen.object, look.claim == seen.claim, look.idle?);
                seen.look = Some(Look { idle: None, ..look });
                state.put(self, book, server, object);
            }
            Action::Decide { controller, choice } => {
                state.controllers[controller].intent = state.intent(self, book, choice)?;
            }
            Action::Do(choice) => {
                let intent = state.intent(self, book, choice)?;
                state.carry_out(self, book, intent, None)?;
            }
            Action::CarryOut(controller) => {
                let intent = std::mem::take(&mut state.controllers[controller].intent);
                state.carry_out(self, book, intent, Some(controller))?;
            }
            Action::Restart(controller) => state.controllers[controller] = Controller::default(),
        }
        state.settle(self, book);
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(IN_USE, |_, state: &State| state.wrong != Some(Wrong::InUse)),
            Property::always(IN_TURN, |_, state: &State| state.wrong != Some(Wrong::OutOfTurn)),
            Property::always(ONE_WINS, |_, state: &State| state.wrong != Some(Wrong::BothWon)),
            Property::always(WITHDRAWN, |_, state: &State| state.wrong != Some(Wrong::LateDelete)),
            Property::sometimes(GOES, |_, state: &State| state.servers.contains(&None)),
            Property::sometimes(IS_WITHDRAWN, |_, state: &State| {
                state.servers.iter().flatten().any(|server| server.mark.is_some())
            }),
        ]
    }
}

const IN_USE: &str = "no server goes whose player was there from before its last look began";
const IN_TURN: &str = "I1: no server goes while one stays that goes before it";
const ONE_WINS: &str = "I2: of commit and give-back one wins";
const WITHDRAWN: &str = "I2: no server goes by a commit that was given back";
const GOES: &str = "an idle server goes";
const IS_WITHDRAWN: &str = "a commit is withdrawn";

/// One less; 255 is any number.
fn used(left: u8) -> u8 {
    if left == u8::MAX { left } else { left - 1 }
}
