//! The rule over arbitrary histories: two keepers that are interrupted anywhere, people who delete and garble, time
//! that passes and clocks that jump.
//!
//! API servers are the worst there can be: each uses any bundle of the last `propagation`. Webhooks take a leaf when
//! they get round to it, if it is valid by their clock, and keep the one they have otherwise.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const SETTINGS: Settings = Settings {
    ca_validity: Duration::from_secs(300 * 3600),
    serving_validity: Duration::from_secs(60 * 3600),
    propagation: Duration::from_secs(60),
};
/// What people do to CAs in one history: each may leave two that are trusted, and more than [`EARLIER`] are not.
const LOSSES: usize = EARLIER / 2;
/// More CAs than this are never in a bundle: current, next, the earlier ones, the leaf's.
const BOUND: usize = EARLIER + 3;

#[derive(Clone, Debug)]
enum Event {
    /// A keeper looks, and plans.
    Look(usize),
    /// It does what it planned, if nobody was faster.
    Act(usize),
    /// It looks and acts in one go.
    Step(usize),
    /// It is restarted.
    Restart(usize),
    /// A webhook gets round to its Secret.
    Sync(usize),
    /// Time passes.
    Pass(Duration),
    /// People.
    DeleteCa,
    GarbleCa,
    /// All that the Secret has beside the CA that signs.
    GarbleRest,
    DeleteServing,
    GarbleIssuer,
    Blank(usize),
    RotateCa,
    RotateLeaf,
    /// The clock of the keepers' machine jumps; a second time, it is put right.
    Jump(SignedDuration),
}

fn event() -> impl Strategy<Value = Event> {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    prop_oneof![
        4 => (0..2usize).prop_map(Event::Look),
        4 => (0..2usize).prop_map(Event::Act),
        12 => (0..2usize).prop_map(Event::Step),
        1 => (0..2usize).prop_map(Event::Restart),
        4 => (0..2usize).prop_map(Event::Sync),
        4 => (1..90u64).prop_map(|s| Event::Pass(Duration::from_secs(s))),
        3 => (1..30u32).prop_map(|h| Event::Pass(HOUR * h)),
        1 => Just(Event::DeleteCa),
        1 => Just(Event::GarbleCa),
        1 => Just(Event::GarbleRest),
        1 => Just(Event::DeleteServing),
        1 => Just(Event::GarbleIssuer),
        1 => (0..2usize).prop_map(Event::Blank),
        2 => Just(Event::RotateCa),
        1 => Just(Event::RotateLeaf),
        1 => prop_oneof![Just(days(3650)), Just(days(-3650)), Just(days(20)), Just(days(-20))].prop_map(Event::Jump),
    ]
}

/// A bundle of one configuration, from when on.
struct Published {
    from: Timestamp,
    cas: BTreeSet<Ca>,
    /// Somebody's doing.
    broken: bool,
}

#[derive(Default)]
struct KeeperModel {
    agreed: Option<(BTreeSet<Ca>, Timestamp)>,
    planned: Option<(Plan, [u64; 4])>,
}

struct World {
    now: Timestamp,
    skew: SignedDuration,
    jumped: bool,
    losses: usize,
    made: u64,
    stored: Option<Stored>,
    leaf: Option<Leaf>,
    rotate_leaf: bool,
    garbage_leaf: bool,
    published: [Vec<Published>; 2],
    /// Of the CA Secret, the serving Secret and the configurations.
    versions: [u64; 4],
    webhooks: [Option<Leaf>; 2],
    keepers: [KeeperModel; 2],
}

impl World {
    fn new() -> Self {
        let now = "2026-05-01T12:00:00Z".parse().unwrap();
        let empty = || vec![Published { from: now, cas: BTreeSet::new(), broken: true }];
        let mut world = Self {
            now,
            skew: SignedDuration::ZERO,
            jumped: false,
            losses: 0,
            made: 0,
            stored: None,
            leaf: None,
            rotate_leaf: false,
            garbage_leaf: false,
            published: [empty(), empty()],
            versions: [0; 4],
            webhooks: [None, None],
            keepers: Default::default(),
        };
        world.settle();
        world.sync();
        world
    }

    /// What keepers take for now.
    fn clock(&self) -> Timestamp {
        self.now.checked_add(self.skew).unwrap()
    }

    fn ca(&mut self) -> Ca {
        self.made += 1;
        let mut id = [0; 32];
        id[..8].copy_from_slice(&self.made.to_be_bytes());
        let now = self.clock();
        Ca {
            id: Fingerprint(id),
            not_before: now.checked_sub(BACKDATED).unwrap(),
            not_after: now.checked_add(SETTINGS.ca_validity).unwrap(),
        }
    }

    fn snapshot(&mut self, keeper: usize) -> Snapshot {
        let bundles: Vec<Bundle> = self
            .published
            .iter()
            .map(|history| Bundle { cas: history.last().unwrap().cas.clone(), garbage: false })
            .collect();
        let agreed = &mut self.keepers[keeper].agreed;
        let first = bundles[0].cas.clone();
        if bundles.iter().any(|bundle| bundle.cas != first) {
            *agreed = None;
        } else if agreed.as_ref().is_none_or(|(bundle, _)| *bundle != first) {
            *agreed = Some((first, self.now));
        }
        let agreed_for = agreed
            .as_ref()
            .map_or(Duration::ZERO, |(_, since)| self.now.duration_since(*since).unsigned_abs());
        Snapshot {
            stored: self.stored.clone().unwrap_or_default(),
            leaf: self.leaf,
            rotate_leaf: self.rotate_leaf,
            garbage_leaf: self.garbage_leaf,
            bundles,
            agreed_for,
        }
    }

    fn look(&mut self, keeper: usize) {
        let snapshot = self.snapshot(keeper);
        let plan = plan(&snapshot, self.clock(), &SETTINGS);
        assert!(plan.bundle.len() <= BOUND, "{plan:?}");
        self.keepers[keeper].planned = Some((plan, self.versions));
    }

    fn act(&mut self, keeper: usize) {
        let Some((plan, versions)) = self.keepers[keeper].planned.take() else { return };
        let current = |index: usize| versions[index] == self.versions[index];
        match plan.step {
            Step::Wait => {}
            Step::Store(authority) if current(0) => {
                let before = self.stored.clone().unwrap_or_default();
                let mut source = |source| match source {
                    Source::Nowhere => None,
                    Source::Current => before.current,
                    Source::Next => before.next,
                    Source::New => Some(self.ca()),
                };
                let (current, next) = (source(authority.current), source(authority.next));
                let earlier = authority.earlier;
                self.stored = Some(Stored { current, next, earlier, rotate: false, garbage: false });
                self.versions[0] += 1;
            }
            Step::Publish => {
                for (index, history) in self.published.iter_mut().enumerate() {
                    if versions[2 + index] == self.versions[2 + index]
                        && history.last().unwrap().cas != plan.bundle
                    {
                        history.push(Published { from: self.now, cas: plan.bundle.clone(), broken: false });
                        self.versions[2 + index] += 1;
                    }
                }
            }
            // The CA that signs is the one that was read with the Secret.
            Step::Issue if current(1) => {
                let Some(ca) = self.stored.as_ref().and_then(|s| s.current).filter(|_| current(0)) else {
                    return;
                };
                let now = self.clock();
                self.leaf = Some(Leaf {
                    not_before: now.checked_sub(BACKDATED).unwrap(),
                    not_after: now.checked_add(SETTINGS.serving_validity).unwrap().min(ca.not_after),
                    issuer: Some(ca),
                });
                self.rotate_leaf = false;
                self.garbage_leaf = false;
                self.versions[1] += 1;
            }
            Step::Store(_) | Step::Issue => {}
        }
    }

    fn sync(&mut self) {
        for webhook in 0..2 {
            self.sync_one(webhook);
        }
    }

    fn sync_one(&mut self, webhook: usize) {
        if let Some(leaf) = self.leaf.filter(|leaf| leaf.is_good(self.now)) {
            self.webhooks[webhook] = Some(leaf);
        }
    }

    fn is_settled(&mut self) -> bool {
        let snapshot = self.snapshot(0);
        let stored = &snapshot.stored;
        plan(&snapshot, self.clock(), &SETTINGS).step == Step::Wait && stored.next.is_none()
    }

    fn apply(&mut self, event: &Event) {
        if matches!(
            event,
            Event::DeleteCa | Event::GarbleCa | Event::GarbleRest | Event::RotateCa | Event::Jump(_)
        ) {
            self.losses += 1;
            if self.losses > LOSSES {
                return;
            }
        }
        // People are slow, and webhooks are not.
        match event {
            Event::Look(_)
            | Event::Act(_)
            | Event::Step(_)
            | Event::Restart(_)
            | Event::Pass(_)
            | Event::Sync(_) => {}
            _ => self.sync(),
        }
        match *event {
            Event::Look(keeper) => self.look(keeper),
            Event::Act(keeper) => self.act(keeper),
            Event::Step(keeper) => {
                self.look(keeper);
                self.act(keeper);
            }
            Event::Restart(keeper) => self.keepers[keeper] = KeeperModel::default(),
            Event::Sync(webhook) => self.sync_one(webhook),
            Event::Pass(time) => self.now = self.now.checked_add(time).unwrap(),
            Event::DeleteCa => {
                self.stored = None;
                self.versions[0] += 1;
            }
            Event::GarbleCa => {
                if let Some(stored) = &mut self.stored {
                    (stored.current, stored.garbage) = (None, true);
                }
                self.versions[0] += 1;
            }
            Event::GarbleRest => {
                if let Some(stored) = &mut self.stored {
                    (stored.next, stored.earlier, stored.garbage) = (None, Vec::new(), true);
                }
                self.versions[0] += 1;
            }
            Event::GarbleIssuer => {
                self.garbage_leaf = self.leaf.is_some();
                self.versions[1] += 1;
            }
            Event::DeleteServing => {
                self.leaf = None;
                self.versions[1] += 1;
            }
            Event::Blank(index) => {
                // One of the two tells what was in the other.
                if !self.published[1 - index].last().unwrap().broken {
                    let blank = Published { from: self.now, cas: BTreeSet::new(), broken: true };
                    self.published[index].push(blank);
                    self.versions[2 + index] += 1;
                }
            }
            Event::RotateCa => {
                if let Some(stored) = &mut self.stored {
                    stored.rotate = true;
                    self.versions[0] += 1;
                }
            }
            Event::RotateLeaf => {
                self.rotate_leaf = self.leaf.is_some();
                self.versions[1] += 1;
            }
            Event::Jump(by) => {
                if !self.skew.is_zero() {
                    self.skew = SignedDuration::ZERO;
                } else if !self.jumped && self.is_settled() {
                    (self.skew, self.jumped) = (by, true);
                }
            }
        }
    }

    /// Bundles that no API server uses any more.
    fn forget(&mut self) {
        for history in &mut self.published {
            let replaced =
                |next: &Published| next.from.checked_add(SETTINGS.propagation).unwrap() <= self.now;
            let first = history.iter().rposition(replaced).unwrap_or(0);
            history.drain(..first);
        }
    }

    /// Every leaf that is or may be served is trusted by every bundle that may be in use.
    fn check(&mut self) {
        self.forget();
        let may_be_served =
            self.webhooks.iter().flatten().chain(&self.leaf).filter(|leaf| leaf.is_good(self.now));
        let served: Vec<&Leaf> = may_be_served.collect();
        for history in &self.published {
            for published in history.iter().filter(|published| !published.broken) {
                for leaf in &served {
                    assert!(
                        leaf.issuer.is_some_and(|ca| published.cas.contains(&ca)),
                        "not trusted: {leaf:?}\nby {:?} since {}\nnow {} {:?}",
                        published.cas,
                        published.from,
                        self.now,
                        self.stored,
                    );
                }
            }
        }
    }

    /// One keeper, left in peace, comes to rest: says how many writes it took.
    fn settle(&mut self) -> usize {
        let mut writes = 0;
        for _ in 0..100 {
            self.look(0);
            let (plan, _) = self.keepers[0].planned.clone().unwrap();
            if plan.step != Step::Wait {
                writes += 1;
                self.act(0);
            } else if self.stored.as_ref().is_some_and(|stored| stored.next.is_some()) {
                assert!(!plan.again.is_zero(), "waits for nothing: {plan:?}");
                self.now = self.now.checked_add(plan.again).unwrap();
            } else {
                return writes;
            }
            self.check();
        }
        panic!("does not come to rest: {:?} {:?}", self.stored, self.leaf);
    }
}

proptest! {
    #[test]
    fn every_leaf_that_is_served_is_trusted_and_all_comes_to_rest(events in prop::collection::vec(event(), 0..120)) {
        let mut world = World::new();
        for event in &events {
            world.apply(event);
            world.check();
        }
        world.skew = SignedDuration::ZERO;
        world.check();
        let writes = world.settle();
        prop_assert!(writes <= 12, "{writes} writes");
        let (stored, leaf) = (world.stored.clone().unwrap(), world.leaf.unwrap());
        prop_assert_eq!(leaf.issuer, stored.current);
        prop_assert!(leaf.is_good(world.now));
        for history in &world.published {
            let published = history.last().unwrap();
            prop_assert!(!published.broken && published.cas.contains(&leaf.issuer.unwrap()));
        }
        prop_assert!(!stored.rotate && !stored.garbage && !world.rotate_leaf && !world.garbage_leaf);
        prop_assert_eq!(world.settle(), 0, "at rest nothing is written");
        // Many CAs' lives of peace: renewed in time, and bounded.
        for _ in 0..250 {
            world.apply(&Event::Pass(HOUR * 6));
            world.settle();
            world.sync();
            world.check();
            let leaf = world.webhooks[0].unwrap();
            prop_assert!(leaf.is_good(world.now));
        }
        // (A clock that was years ahead leaves a CA that is trusted until then; it has expired, and counts.)
        let bound = if world.jumped { EARLIER } else { 1 };
        prop_assert!(world.stored.unwrap().earlier.len() <= bound);
    }
}
