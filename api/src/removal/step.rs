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
            Some(due) if seen.now <= due && seen.now >= since - SKEW => Step::Wait(due),
            // Nobody was there to ask, or to hear: that says nothing of the server.
            Some(due) if seen.now.duration_since(due) > NOTED => Step::Claim,
            _ => Step::Unanswered,
        },
        Phase::Looked if is_within(since, LOOK_LASTS, seen.now) => Step::Commit,
        Phase::Looked => Step::Claim,
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

fn wait(claim: &Claim) -> SignedDuration {
    // Long past the longest.
    let doubled = claim.tries.min(10);
    FIRST_WAIT.saturating_mul(1 << doubled).min(LONGEST_WAIT)
}

fn is_within(since: Timestamp, lasts: SignedDuration, now: Timestamp) -> bool {
    let age = now.duration_since(since);
    -SKEW <= age && age <= lasts
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

    fn next(claim: Option<&Claim>, wanted: bool, ours: bool, now: i64) -> Step {
        let look = ["idle".to_owned()];
        step(&Seen { claim, wanted, generation: Some(3), look: &look, ours, withdrawn: false, now: at(now) })
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
    fn what_is_no_longer_as_it_was_decided_is_given_back() {
        for phase in [Phase::Claimed, Phase::Looked] {
            let claim = claim(phase);
            let seen = Seen {
                claim: Some(&claim),
                wanted: true,
                generation: Some(4),
                look: &claim.look,
                ours: false,
                withdrawn: false,
                now: at(1),
            };
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
            let seen = Seen {
                claim: Some(&claim),
                wanted: true,
                generation: Some(3),
                look: &[],
                ours,
                withdrawn: true,
                now: at(1),
            };
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
