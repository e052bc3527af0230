//! What is to be done next about the removal of one server. Pure: the controller carries it out, the model explores it.

use jiff::{SignedDuration, Timestamp};

use super::{Claim, Phase};

/// How long a commit may stand without its DELETE. After that whoever finds it withdraws it.
pub const COMMIT_LASTS: SignedDuration = SignedDuration::from_secs(2);

/// How long what a look has found is good enough to commit on. Others go first, one after another; who has waited longer
/// is looked at afresh.
pub const LOOK_LASTS: SignedDuration = SignedDuration::from_secs(2);

/// How soon after it was due a missing answer is noted by who waits for it.
const NOTED: SignedDuration = SignedDuration::from_secs(5);

/// How many claims in a row may follow one whose look has come to nothing. After them it is left alone for a while.
const MOST_AGAIN: u32 = 2;

/// How far the clocks of two controllers may be apart. A time that is further ahead is not waited for.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// The wait after the first look without an answer; it doubles with each.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// One server, as it is seen now.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The claim on its pod.
    pub claim: Option<&'a Claim>,
    /// Whether the plan takes it.
    pub wanted: bool,
    /// The generation of its spec.
    pub generation: Option<i64>,
    /// The qualities that made it removable.
    pub look: &'a [String],
    /// Whether nobody is to go before it.
    pub in_turn: bool,
    /// Whether the commit, if there is one, is this process' own.
    pub ours: bool,
    /// Whether the pod says that it was withdrawn.
    pub withdrawn: bool,
    /// The time.
    pub now: Timestamp,
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Nothing before this time, unless something changes.
    Wait(Timestamp),
    /// Claim it, anew where there is a claim.
    Claim,
    /// Take the claim away.
    GiveBack,
    /// Note that nobody answered.
    Unanswered,
    /// Commit, if nobody is to go before it.
    Commit,
    /// Delete its pod.
    Delete,
    /// Withdraw the commit: a write on the pod, after which the claim is given back.
    Withdraw,
}

/// What is to be done next.
#[must_use]
pub fn step(seen: &Seen<'_>) -> Step {
    let Some(claim) = seen.claim else {
        return if seen.wanted { Step::Claim } else { Step::Nothing };
    };
    let since = claim.since;
    match claim.phase {
        Phase::Committed if seen.withdrawn => Step::GiveBack,
        Phase::Committed if !is_within(since, COMMIT_LASTS, seen.now) => Step::Withdraw,
        Phase::Committed if !seen.ours => Step::Wait(after(since, COMMIT_LASTS)),
        Phase::Committed if seen.wanted => Step::Delete,
        Phase::Committed => Step::Withdraw,
        Phase::Unanswered => match (is_skipped(claim, seen.now), seen.wanted) {
            (true, true) => Step::Wait(after(since, wait(claim))),
            (true, false) => Step::Nothing,
            (false, true) => Step::Claim,
            (false, false) => Step::GiveBack,
        },
        _ if !seen.wanted || !is_as_decided(claim, seen) => Step::GiveBack,
        Phase::Claimed => match claim.due {
            Some(due) if seen.now <= due && !is_ahead(since, seen.now) => Step::Wait(due),
            // Nobody was there to ask, or to hear: that says nothing of the server.
            Some(due) if seen.now.duration_since(due) > NOTED && claim.again < MOST_AGAIN => Step::Claim,
            _ => Step::Unanswered,
        },
        // Where nothing was looked at, nothing gets old.
        Phase::Looked if claim.look.is_empty() || is_fresh(claim, seen.now) => Step::Commit,
        Phase::Looked if claim.again < MOST_AGAIN || !seen.in_turn => Step::Claim,
        Phase::Looked => Step::Unanswered,
    }
}

/// Whether the server is left alone for a while, as it did not answer. Others of the same state go before it then.
#[must_use]
pub fn is_skipped(claim: &Claim, now: Timestamp) -> bool {
    claim.phase == Phase::Unanswered && is_within(claim.since, wait(claim), now)
}

/// Whether what was decided on still holds: what a person or a quality has written since is another decision.
fn is_as_decided(claim: &Claim, seen: &Seen<'_>) -> bool {
    claim.generation == seen.generation && claim.look == seen.look
}

/// Whether what the look has found is good enough to commit on.
fn is_fresh(claim: &Claim, now: Timestamp) -> bool {
    !is_ahead(claim.since, now) && now <= claim.looked_until()
}

fn wait(claim: &Claim) -> SignedDuration {
    backoff(claim.tries)
}

/// How long a server is left alone that was left alone so many times before: ten seconds, doubled each time, five minutes
/// at most.
#[must_use]
pub fn backoff(tries: u32) -> SignedDuration {
    // Long past the longest.
    FIRST_WAIT.saturating_mul(1 << tries.min(10)).min(LONGEST_WAIT)
}

fn is_within(since: Timestamp, lasts: SignedDuration, now: Timestamp) -> bool {
    !is_ahead(since, now) && now.duration_since(since) <= lasts
}

/// Whether a time is further ahead than clocks may differ.
fn is_ahead(since: Timestamp, now: Timestamp) -> bool {
    since.duration_since(now) > SKEW
}

/// A time after another; the last there is where that is out of reach.
fn after(since: Timestamp, lasts: SignedDuration) -> Timestamp {
    since.checked_add(lasts).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: i64) -> Timestamp {
        T + SignedDuration::from_secs(seconds)
    }

    fn claim(phase: Phase) -> Claim {
        let mut server = crate::GameServer::new("game-0", Default::default());
        server.metadata.resource_version = Some("7".into());
        server.metadata.generation = Some(3);
        let claim = Claim::on(&server, "pod", at(0)).unwrap();
        Claim { phase, look: vec!["idle".into()], due: Some(at(7)), ..claim }
    }

    /// A server that is to go now, of which nothing else has changed.
    fn seen(claim: &Claim, now: i64) -> Seen<'_> {
        Seen {
            claim: Some(claim),
            wanted: true,
            generation: Some(3),
            look: &claim.look,
            in_turn: true,
            ours: false,
            withdrawn: false,
            now: at(now),
        }
    }

    fn next(claim: Option<&Claim>, wanted: bool, ours: bool, now: i64) -> Step {
        let look = ["idle".to_owned()];
        let (generation, now) = (Some(3), at(now));
        step(&Seen { claim, wanted, generation, look: &look, in_turn: true, ours, withdrawn: false, now })
    }

    #[test]
    fn one_arrow_after_another() {
        use Phase::{Claimed, Committed, Looked, Unanswered};
        for (phase, wanted, ours, now, expected) in [
            (None, true, false, 0, Step::Claim),
            (None, false, false, 0, Step::Nothing),
            (Some(Claimed), true, false, 7, Step::Wait(at(7))),
            (Some(Claimed), true, false, 8, Step::Unanswered),
            (Some(Claimed), true, false, 12, Step::Unanswered),
            (Some(Claimed), true, false, 13, Step::Claim),
            (Some(Claimed), true, false, -3, Step::Unanswered),
            (Some(Claimed), false, false, 1, Step::GiveBack),
            (Some(Looked), true, false, 2, Step::Commit),
            (Some(Looked), true, false, 3, Step::Claim),
            (Some(Looked), true, false, -3, Step::Claim),
            (Some(Looked), false, false, 1, Step::GiveBack),
            (Some(Committed), true, true, 2, Step::Delete),
            (Some(Committed), true, true, 3, Step::Withdraw),
            (Some(Committed), false, true, 1, Step::Withdraw),
            (Some(Committed), true, false, 1, Step::Wait(at(2))),
            (Some(Committed), false, false, 1, Step::Wait(at(2))),
            (Some(Committed), true, false, 3, Step::Withdraw),
            (Some(Committed), true, false, -3, Step::Withdraw),
            (Some(Unanswered), true, false, 10, Step::Wait(at(10))),
            (Some(Unanswered), true, false, 11, Step::Claim),
            (Some(Unanswered), false, false, 10, Step::Nothing),
            (Some(Unanswered), false, false, 11, Step::GiveBack),
        ] {
            let claim = phase.map(claim);
            assert_eq!(next(claim.as_ref(), wanted, ours, now), expected, "{phase:?} {wanted} {ours} {now}");
        }
    }

    #[test]
    fn a_look_that_comes_to_nothing_three_times_in_a_row_is_no_answer() {
        for (phase, again, in_turn, now, expected) in [
            (Phase::Claimed, 1, true, 13, Step::Claim),
            (Phase::Claimed, 2, true, 13, Step::Unanswered),
            (Phase::Claimed, 2, false, 13, Step::Unanswered),
            (Phase::Looked, 2, true, 2, Step::Commit),
            (Phase::Looked, 1, true, 3, Step::Claim),
            (Phase::Looked, 2, true, 3, Step::Unanswered),
            // It has answered, and others keep it waiting.
            (Phase::Looked, 9, false, 3, Step::Claim),
        ] {
            let claim = Claim { again, ..claim(phase) };
            let seen = Seen { in_turn, ..seen(&claim, now) };
            assert_eq!(step(&seen), expected, "{phase:?} {again} {in_turn} {now}");
        }
    }

    #[test]
    fn a_look_is_as_old_as_it_may_be_by_the_clock_of_who_asked_for_it() {
        for (took, now, expected) in [
            (0, 2, Step::Commit),
            (0, 3, Step::Claim),
            (4000, 6, Step::Commit),
            (4000, 7, Step::Claim),
            // More than was given.
            (60_000, 9, Step::Commit),
            (60_000, 10, Step::Claim),
            (u32::MAX, 10, Step::Claim),
            // Asked for by a controller whose clock is ahead.
            (0, -2, Step::Commit),
            (4000, -3, Step::Claim),
        ] {
            let claim = Claim { took, ..claim(Phase::Looked) };
            assert_eq!(next(Some(&claim), true, false, now), expected, "{took} {now}");
        }
    }

    #[test]
    fn times_at_the_end_of_time_are_times() {
        for phase in [Phase::Claimed, Phase::Looked, Phase::Committed, Phase::Unanswered] {
            for (since, due) in [
                (Timestamp::MIN, Timestamp::MAX),
                (Timestamp::MAX, Timestamp::MIN),
                (Timestamp::MAX, Timestamp::MAX),
            ] {
                let claim = Claim { since, due: Some(due), took: u32::MAX, ..claim(phase) };
                assert_ne!(next(Some(&claim), true, true, 0), Step::Delete, "{phase:?} {since}");
            }
        }
    }

    #[test]
    fn what_was_not_looked_at_does_not_get_old() {
        let claim = Claim { look: Vec::new(), due: None, ..claim(Phase::Looked) };
        let seen = seen(&claim, 3600);
        assert_eq!(step(&seen), Step::Commit);
        assert_eq!(step(&Seen { generation: Some(4), ..seen }), Step::GiveBack, "decided on something else");
    }

    #[test]
    fn what_is_no_longer_as_it_was_decided_is_given_back() {
        for phase in [Phase::Claimed, Phase::Looked] {
            let claim = claim(phase);
            let seen = Seen { generation: Some(4), ..seen(&claim, 1) };
            assert_eq!(step(&seen), Step::GiveBack, "{phase:?}: another spec");
            assert_eq!(
                step(&Seen { generation: Some(3), look: &[], ..seen }),
                Step::GiveBack,
                "{phase:?}: other qualities"
            );
        }
    }

    #[test]
    fn a_commit_that_was_withdrawn_is_given_back_whoever_made_it() {
        let claim = claim(Phase::Committed);
        for ours in [true, false] {
            let seen = Seen { look: &[], ours, withdrawn: true, ..seen(&claim, 1) };
            assert_eq!(step(&seen), Step::GiveBack);
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        for (tries, seconds) in [(0, 10), (1, 20), (4, 160), (5, 300), (31, 300), (40, 300)] {
            let claim = Claim { tries, ..claim(Phase::Unanswered) };
            assert_eq!(next(Some(&claim), true, false, 1), Step::Wait(at(seconds)), "{tries}");
        }
    }
}
