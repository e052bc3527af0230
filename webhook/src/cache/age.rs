//! Whether what the cache shows is so now. Pure: times are arguments.

use std::time::Duration;

use gamewarden_api::guard::Sight;
use tokio::time::Instant;

/// A sign of life that is older proves nothing of now.
const SIGN_LASTS: Duration = Duration::from_secs(10);

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sets,
    Servers,
}

/// How a watch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Feed {
    /// Nothing was listed yet.
    #[default]
    Never,
    /// It shows all changes, since then.
    Open(Instant),
    /// It shows the past.
    Broken,
}

/// How old the cache is.
#[derive(Clone, Debug, Default)]
pub(super) struct Age {
    sets: Feed,
    servers: Feed,
    /// The API server answered, and was asked then.
    sign: Option<Instant>,
    /// It was asked after that, and did not answer.
    silent: bool,
    /// When the cache was last known to show what is.
    current: Option<Instant>,
}

impl Age {
    fn feed(&mut self, kind: Kind) -> &mut Feed {
        match kind {
            Kind::Sets => &mut self.sets,
            Kind::Servers => &mut self.servers,
        }
    }

    /// A watch shows all changes from now on; one that did so before goes on.
    pub(super) fn opened(&mut self, kind: Kind, now: Instant) {
        let feed = self.feed(kind);
        if !matches!(feed, Feed::Open(_)) {
            *feed = Feed::Open(now);
        }
    }

    /// A watch has failed.
    pub(super) fn broke(&mut self, kind: Kind) {
        let feed = self.feed(kind);
        if *feed != Feed::Never {
            *feed = Feed::Broken;
        }
    }

    /// The API server answered what it was asked at this time.
    pub(super) fn answered(&mut self, asked: Instant) {
        self.sign = Some(asked);
        self.silent = false;
        if self.is_proven() {
            self.current = Some(asked);
        }
    }

    /// It did not answer.
    pub(super) fn unanswered(&mut self) {
        self.silent = true;
    }

    /// The watches are open, and there was a sign of life after that: a watch that has just opened still tells what
    /// happened while it was broken.
    fn is_proven(&self) -> bool {
        let is_open =
            |feed: Feed| matches!((feed, self.sign), (Feed::Open(since), Some(sign)) if since <= sign);
        !self.silent && is_open(self.sets) && is_open(self.servers)
    }

    /// Whether both kinds were listed.
    pub(super) fn is_filled(&self) -> bool {
        self.current.is_some()
    }

    /// How long ago the cache was known to show what is; `None` if it never was.
    pub(super) fn of(&self, now: Instant) -> Option<Duration> {
        self.current.map(|current| now.duration_since(current))
    }

    /// How well the cluster is seen.
    pub(super) fn sight(&self, now: Instant) -> Sight {
        match self.of(now) {
            None => Sight::Never,
            Some(age) if self.is_proven() && age <= SIGN_LASTS => Sight::Clear,
            Some(age) => Sight::Lost(age),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Both watches have opened at the begin, and there was a sign a second later.
    fn seen(begin: Instant) -> Age {
        let mut age = Age::default();
        age.opened(Kind::Sets, begin);
        age.opened(Kind::Servers, begin);
        age.answered(begin + SECOND);
        age
    }

    #[test]
    fn the_cluster_is_seen_when_both_kinds_are_and_the_api_server_has_answered_since() {
        let begin = Instant::now();
        let mut age = Age::default();
        age.answered(begin);
        age.opened(Kind::Sets, begin + SECOND);
        assert_eq!(age.sight(begin + SECOND), Sight::Never);
        age.answered(begin + SECOND);
        age.opened(Kind::Servers, begin + 2 * SECOND);
        assert_eq!(
            (age.sight(begin + 2 * SECOND), age.is_filled()),
            (Sight::Never, false),
            "asked before it opened"
        );
        age.answered(begin + 2 * SECOND);
        assert_eq!((age.sight(begin + 3 * SECOND), age.is_filled()), (Sight::Clear, true));
    }

    #[test]
    fn a_sign_of_life_lasts_ten_seconds() {
        let begin = Instant::now();
        let mut age = seen(begin);
        assert_eq!(age.sight(begin + 11 * SECOND), Sight::Clear);
        assert_eq!(age.sight(begin + 12 * SECOND), Sight::Lost(11 * SECOND));
        age.answered(begin + 20 * SECOND);
        assert_eq!(age.sight(begin + 20 * SECOND), Sight::Clear);
        assert_eq!(age.of(begin + 23 * SECOND), Some(3 * SECOND));
    }

    #[test]
    fn no_answer_is_lost_sight_at_once() {
        let begin = Instant::now();
        let mut age = seen(begin);
        age.unanswered();
        assert_eq!(age.sight(begin + 2 * SECOND), Sight::Lost(SECOND));
        age.answered(begin + 3 * SECOND);
        assert_eq!(age.sight(begin + 3 * SECOND), Sight::Clear);
    }

    #[test]
    fn a_broken_watch_is_lost_sight_until_it_has_opened_and_a_sign_came_after() {
        for kind in [Kind::Sets, Kind::Servers] {
            let begin = Instant::now();
            let mut age = seen(begin);
            age.broke(kind);
            assert_eq!(age.sight(begin + 2 * SECOND), Sight::Lost(SECOND), "{kind:?}");
            age.answered(begin + 3 * SECOND);
            assert_eq!(age.sight(begin + 3 * SECOND), Sight::Lost(2 * SECOND), "the watch is still broken");
            age.opened(kind, begin + 4 * SECOND);
            assert_eq!(age.sight(begin + 4 * SECOND), Sight::Lost(3 * SECOND), "it tells what it has missed");
            age.answered(begin + 5 * SECOND);
            assert_eq!(age.sight(begin + 5 * SECOND), Sight::Clear);
        }
    }

    #[test]
    fn a_watch_that_opens_again_in_time_was_never_broken() {
        let begin = Instant::now();
        let mut age = seen(begin);
        age.opened(Kind::Servers, begin + 9 * SECOND);
        assert_eq!(age.sight(begin + 9 * SECOND), Sight::Clear);
        let mut never = Age::default();
        never.broke(Kind::Sets);
        never.answered(begin);
        assert_eq!((never.sight(begin), never.of(begin)), (Sight::Never, None));
    }
}
