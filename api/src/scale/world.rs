//! A set and its pods, as a cluster would hold them: what the tests of the scale plan run against.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::types::{OpsState, ScaleDownStrategyType};

/// The set, its record of ordinals, and its pods.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) replicas: i32,
    pub(super) reserved: Ordinals,
    /// The annotation.
    pub(super) seats: Option<Ordinals>,
    pub(super) strategy: ScaleDownStrategyType,
    pub(super) max_unavailable: Option<usize>,
    pub(super) servers: BTreeMap<u32, Server>,
    pub(super) blocked: BTreeSet<u32>,
}

impl World {
    pub(super) fn plan(&self) -> ScalePlan {
        let existing = || self.existing().map(|s| s.ordinal).collect();
        let seats = self.seats.clone().unwrap_or_else(existing);
        let servers: Vec<Server> = self.servers.values().cloned().collect();
        plan(&Input {
            replicas: self.replicas,
            reserved: &self.reserved,
            seats: &seats,
            strategy: self.strategy,
            max_unavailable: self.max_unavailable,
            servers: &servers,
            blocked: &self.blocked,
        })
    }

    pub(super) fn existing(&self) -> impl Iterator<Item = &Server> {
        self.servers.values().filter(|s| !s.leaving)
    }

    /// The write on the set.
    pub(super) fn patch(&mut self, plan: &ScalePlan) {
        self.seats = Some(plan.seats.clone());
        self.replicas = plan.replicas;
        for ordinal in &plan.add_reserve_ids {
            assert!(!self.reserved.contains(*ordinal), "{ordinal} was reserved already");
            self.reserved.insert(*ordinal);
        }
    }

    pub(super) fn needs_patch(&self, plan: &ScalePlan) -> bool {
        self.seats.as_ref() != Some(&plan.seats)
            || plan.replicas != self.replicas
            || !plan.add_reserve_ids.is_empty()
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Remove(ordinal) => {
                self.servers.get_mut(&ordinal).unwrap().committed = true;
                let plan = self.plan();
                self.patch(&plan);
                self.servers.get_mut(&ordinal).unwrap().leaving = true;
            }
            Step::Create(ordinal) => {
                let before = self.servers.insert(ordinal, server(ordinal, OpsState::None));
                assert_eq!(before, None, "a second pod of the name {ordinal}");
            }
        }
    }

    /// What the cluster does by itself, given time.
    pub(super) fn settle(&mut self) {
        self.servers.retain(|_, s| !s.leaving && !s.dead);
        self.servers.values_mut().for_each(|s| s.ready = true);
    }

    /// Plans and carries out, until there is nothing left to do.
    pub(super) fn run(&mut self) {
        for _ in 0..60 {
            let plan = self.plan();
            if steps(&plan).is_empty()
                && !self.needs_patch(&plan)
                && self.servers.values().all(|s| s.ready && !s.leaving)
            {
                return;
            }
            self.patch(&plan);
            steps(&plan).into_iter().for_each(|step| self.step(step));
            self.settle();
        }
        panic!("no end: {self:?}");
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Remove(u32),
    Create(u32),
}

pub(super) fn steps(plan: &ScalePlan) -> Vec<Step> {
    let remove = plan.remove.iter().map(|l| Step::Remove(l.ordinal));
    remove.chain(plan.create.iter().map(|o| Step::Create(*o))).collect()
}

pub(super) fn server(ordinal: u32, ops_state: OpsState) -> Server {
    Server {
        ordinal,
        ops_state,
        deletion_priority: 0,
        leaving: false,
        dead: false,
        ready: false,
        protected: false,
        unanswered: false,
        committed: false,
    }
}
