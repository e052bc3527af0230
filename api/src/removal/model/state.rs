//! What the controllers' steps make of a state, and what the API server accepts.

use super::{Book, Choice, Go, Grain, Intent, Look, Next, Object, Removals, Server, State, Without, Wrong};
use crate::{removal::Phase, types::OpsState};

impl State {
    pub(super) fn server(&mut self, ordinal: u8) -> Option<&mut Server> {
        self.servers[usize::from(ordinal)].as_mut()
    }

    /// The names of claims on a server that anybody knows.
    fn names(&mut self, book: &Book, ordinal: u8) -> Vec<&mut u8> {
        let mut names = Vec::new();
        if let Some(server) = &mut self.servers[usize::from(ordinal)] {
            if book.page(server.object).claim.is_some() {
                names.push(&mut server.claim);
            }
            names.extend(server.mark.as_mut());
            names.extend(server.look.as_mut().map(|look| &mut look.claim));
        }
        for controller in &mut self.controllers {
            match &mut controller.intent {
                Intent::Write { server, claim, .. } | Intent::Withdraw { server, claim }
                    if *server == ordinal =>
                {
                    names.push(claim);
                }
                Intent::Delete { go, .. } if go.server == ordinal => names.push(&mut go.claim),
                _ => {}
            }
        }
        names
    }

    /// A name that none of them has.
    fn unused(&mut self, book: &Book, ordinal: u8) -> u8 {
        self.names(book, ordinal).into_iter().map(|name| *name + 1).max().unwrap_or_default()
    }

    /// Names are but names: the same state under others is the same.
    fn rename(&mut self, book: &Book) {
        for ordinal in self.ordinals() {
            let mut known: Vec<u8> = Vec::new();
            for name in self.names(book, ordinal) {
                let at = known.iter().position(|before| before == name).unwrap_or(known.len());
                if at == known.len() {
                    known.push(*name);
                }
                *name = u8::try_from(at).unwrap_or_default();
            }
            if let Some(server) =
                self.server(ordinal).filter(|server| book.page(server.object).claim.is_none())
            {
                server.claim = 0;
            }
        }
    }

    /// When the turn of a server comes: WaitToBeDeleted first, who did not answer after all others of its state, then the
    /// highest ordinal. Said here once more, as the plan is not to be its own judge.
    fn turn(&self, book: &Book, ordinal: u8) -> Option<(u8, bool, u8)> {
        let server = self.servers[usize::from(ordinal)]?;
        let page = book.page(server.object);
        let silent = server.refused || page.claim.is_some_and(|claim| claim.phase == Phase::Unanswered);
        let rank = match page.ops_state {
            OpsState::WaitToBeDeleted => 0,
            OpsState::None => 1,
            _ => 2,
        };
        Some((rank, silent, u8::MAX - ordinal))
    }

    /// Those that are to go before this one, a bit for each. Nobody waits for who did not answer.
    fn before(&self, book: &Book, ordinal: u8) -> u8 {
        let Some(own) = self.turn(book, ordinal) else { return 0 };
        let goes_first = |other: &u8| self.turn(book, *other).is_some_and(|turn| !turn.1 && turn < own);
        self.ordinals().filter(goes_first).fold(0, |all, other| all | 1 << other)
    }

    fn ordinals(&self) -> impl Iterator<Item = u8> + use<> {
        0..u8::try_from(self.servers.len()).unwrap_or_default()
    }

    /// A GameServer is written, unless that changes nothing.
    pub(super) fn put(&mut self, model: &Removals, book: &Book, ordinal: u8, object: Object) {
        if self.server(ordinal).is_some_and(|server| server.object != object) {
            self.write(model, book, ordinal, object);
        }
    }

    /// A GameServer is written: whoever has read it before cannot write it.
    fn write(&mut self, model: &Removals, book: &Book, ordinal: u8, object: Object) {
        let Some(server) = self.server(ordinal) else { return };
        server.object = object;
        let committed = book.page(object).claim.is_some_and(|claim| claim.phase == Phase::Committed);
        for controller in &mut self.controllers {
            if matches!(controller.intent, Intent::Write { server, .. } if server == ordinal)
                && model.without != Without::Version
            {
                controller.intent = Intent::Decide;
            }
            if !committed {
                controller.ours &= !(1 << ordinal);
            }
        }
    }

    /// What a controller means to do that has read everything and decided on this.
    pub(super) fn intent(&mut self, model: &Removals, book: &mut Book, choice: Choice) -> Option<Intent> {
        Some(match choice {
            Choice::Write { server, patch, commits } => {
                let claim = self.server(server)?.claim;
                let ahead = if commits { self.before(book, server) } else { 0 };
                let patch = if model.without == Without::Look { book.unseen(patch) } else { patch };
                Intent::Write { server, patch, claim, commits, ahead }
            }
            Choice::Withdraw { server } => Intent::Withdraw { server, claim: self.server(server)?.claim },
            Choice::Delete { server: ordinal } => {
                let server = *self.server(ordinal)?;
                let look = book.page(server.object).claim?.look;
                let go = Go { server: ordinal, claim: server.claim, look, ahead: server.ahead };
                Intent::Delete { go, next: Next::ReadPod }
            }
        })
    }

    /// It does what it has decided. `by`: who, where that matters.
    pub(super) fn carry_out(
        &mut self,
        model: &Removals,
        book: &mut Book,
        intent: Intent,
        by: Option<usize>,
    ) -> Option<()> {
        match intent {
            Intent::Decide => return None,
            Intent::Write { server: ordinal, patch, claim, commits, ahead } => {
                let unused = self.unused(book, ordinal);
                let server = *self.server(ordinal)?;
                let before = book.page(server.object).claim;
                let (object, anew) = book.write(server.object, patch);
                let after = book.page(object).claim;
                let is = |phase| before.is_some_and(|before| before.phase == phase);
                let stood = is(Phase::Committed) && server.mark != Some(server.claim);
                let looked = is(Phase::Looked) && server.claim == claim;
                if stood && object != server.object || commits && !looked {
                    self.wrong = Some(Wrong::BothWon);
                }
                self.write(model, book, ordinal, object);
                let seen = self.server(ordinal)?;
                seen.claim = if anew { unused } else { claim };
                if anew && after.is_some_and(|claim| claim.look) {
                    seen.stayed = seen.player;
                }
                if commits {
                    seen.ahead = ahead;
                    for controller in &mut self.controllers {
                        controller.ours &= !(1 << ordinal);
                    }
                    if let Some(by) = by.filter(|_| model.grain == Grain::Fine) {
                        self.controllers[by].ours |= 1 << ordinal;
                    }
                }
            }
            Intent::Withdraw { server, claim } => {
                self.server(server)?.mark = Some(claim);
                if model.without != Without::Mark {
                    self.pod_was_written(server);
                }
            }
            // All reads at once: what does not stand does not go.
            Intent::Delete { go, next: Next::ReadPod } if model.grain == Grain::Coarse => {
                if self.stands(book, go) && self.server(go.server)?.mark != Some(go.claim) {
                    self.carry_out(model, book, Intent::Delete { go, next: Next::Delete }, by)?;
                }
            }
            Intent::Delete { go, next: Next::ReadPod } => {
                let withdrawn = self.server(go.server)?.mark == Some(go.claim);
                if !withdrawn || model.without == Without::Mark {
                    let next = if model.without == Without::Claim { Next::Delete } else { Next::ReadServer };
                    self.means(by, Intent::Delete { go, next });
                }
            }
            Intent::Delete { go, next: Next::ReadServer } => {
                if self.stands(book, go) {
                    self.means(by, Intent::Delete { go, next: Next::Delete });
                }
            }
            Intent::Delete { go, next: Next::Delete } => {
                let server = *self.server(go.server)?;
                if go.look && server.stayed {
                    self.wrong = Some(Wrong::InUse);
                } else if !self.stands(book, go) {
                    self.wrong = Some(Wrong::LateDelete);
                } else if go.ahead != 0 {
                    self.wrong = Some(Wrong::OutOfTurn);
                }
                self.servers[usize::from(go.server)] = None;
            }
        }
        Some(())
    }

    fn means(&mut self, by: Option<usize>, intent: Intent) {
        if let Some(by) = by {
            self.controllers[by].intent = intent;
        }
    }

    /// The commit stands on the GameServer.
    fn stands(&self, book: &Book, go: Go) -> bool {
        let server = self.servers[usize::from(go.server)];
        let committed = |server: &Server| {
            book.page(server.object).claim.is_some_and(|claim| claim.phase == Phase::Committed)
        };
        server.is_some_and(|server| committed(&server) && server.claim == go.claim)
    }

    /// Whoever has read the pod before cannot delete it as it was, nor write it.
    fn pod_was_written(&mut self, ordinal: u8) {
        for controller in &mut self.controllers {
            controller.intent = match controller.intent {
                Intent::Withdraw { server, .. } if server == ordinal => Intent::Decide,
                Intent::Delete { go, .. } if go.server == ordinal => {
                    Intent::Delete { go, next: Next::ReadPod }
                }
                other => other,
            };
        }
    }

    /// Forgets what makes no difference any more.
    pub(super) fn settle(&mut self, model: &Removals, book: &Book) {
        let before: Vec<u8> = self.ordinals().map(|ordinal| self.before(book, ordinal)).collect();
        let gone = |ordinal: u8| self.servers[usize::from(ordinal)].is_none();
        for controller in &mut self.controllers {
            match &mut controller.intent {
                Intent::Write { server, .. } | Intent::Withdraw { server, .. } if gone(*server) => {
                    controller.intent = Intent::Decide;
                }
                Intent::Delete { go, .. } if gone(go.server) => controller.intent = Intent::Decide,
                Intent::Write { server, ahead, .. } => *ahead &= before[usize::from(*server)],
                Intent::Delete { go, .. } => go.ahead &= before[usize::from(go.server)],
                Intent::Decide | Intent::Withdraw { .. } => {}
            }
            for (ordinal, _) in self.servers.iter().enumerate().filter(|(_, server)| server.is_none()) {
                controller.ours &= !(1 << ordinal);
            }
        }
        for (server, before) in self.servers.iter_mut().zip(before) {
            let Some(server) = server else { continue };
            let claim = book.page(server.object).claim;
            let committed = claim.is_some_and(|claim| claim.phase == Phase::Committed);
            server.ahead &= if committed { before } else { 0 };
            let asked = claim.is_some_and(|claim| claim.phase == Phase::Claimed);
            let name = server.claim;
            let over = |look: &Look| look.idle.is_none() && !(asked && look.claim == name);
            server.look = server.look.filter(|look| !over(look));
        }
        if model.without == Without::Nothing || model.grain == Grain::Coarse {
            self.settle_more(book);
        }
        // Neither is the first.
        self.controllers.sort();
        self.rename(book);
        self.controllers.sort();
    }

    /// The same of what makes none in a protocol that is whole: what the reads before a DELETE are sure to find out, who was
    /// there when an earlier claim was looked at, and a withdrawal that nobody will ask for.
    fn settle_more(&mut self, book: &Book) {
        for controller in &mut self.controllers {
            let (server, claim) = match controller.intent {
                Intent::Write { server, claim, commits: true, .. } => (server, claim),
                Intent::Delete { go, next: Next::ReadPod | Next::ReadServer } => (go.server, go.claim),
                _ => continue,
            };
            let seen = self.servers[usize::from(server)];
            let current = seen.filter(|seen| book.page(seen.object).claim.is_some() && seen.claim == claim);
            if current.is_none_or(|seen| seen.mark == Some(claim)) {
                controller.intent = Intent::Decide;
            }
        }
        let controllers = self.controllers;
        let is_asked_for = |ordinal: usize, mark: u8| {
            controllers.iter().any(|controller| match controller.intent {
                Intent::Delete { go, .. } => usize::from(go.server) == ordinal && go.claim == mark,
                _ => false,
            })
        };
        for (ordinal, server) in self.servers.iter_mut().enumerate() {
            let Some(server) = server else { continue };
            let claim = book.page(server.object).claim;
            let current = claim.is_some().then_some(server.claim);
            server.mark = server.mark.filter(|mark| Some(*mark) == current || is_asked_for(ordinal, *mark));
            let begun = server.look.is_some_and(|look| look.claim == server.claim);
            server.stayed &= claim.is_some_and(|claim| match claim.phase {
                Phase::Claimed => begun,
                Phase::Looked | Phase::Committed => claim.look,
                Phase::Unanswered => false,
            });
        }
    }
}
