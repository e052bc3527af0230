//! The rule of the election, as a pure function: what to do about a lease that was just read.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Unique to the process.
    pub identity: String,
    /// What it promises when it holds the lease; whole seconds.
    pub lease_duration: Duration,
}

/// What this process has itself seen of the lease: its content, and since when it is the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    seen: Option<(LeaseSpec, Duration)>,
}

impl Observed {
    /// Takes note of a lease that was read (or found missing) at `now_mono`, on this process'
    /// monotonic clock. Only content that differs from the last one counts as a sign of life.
    pub fn see(&mut self, lease: Option<&Lease>, now_mono: Duration) {
        let spec = lease.map(spec_of);
        if self.seen.as_ref().map(|(seen, _)| seen) != spec.as_ref() {
            self.seen = spec.map(|spec| (spec, now_mono));
        }
    }

    /// How long `spec` has been seen unchanged at `now_mono`; zero if it was not what was last seen.
    fn unchanged_for(&self, spec: &LeaseSpec, now_mono: Duration) -> Duration {
        match &self.seen {
            Some((seen, since)) if seen == spec => now_mono.saturating_sub(*since),
            _ => Duration::ZERO,
        }
    }
}

/// What to do about the lease. The writes carry the resourceVersion of the lease that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// There is none: POST one with this spec.
    Create(LeaseSpec),
    /// It is the candidate's own: PUT this spec.
    Renew(LeaseSpec),
    /// It is nobody's, or its holder has shown no sign of life: PUT this spec.
    Acquire(LeaseSpec),
    /// It is another's, who may be alive for this long yet. Look again then at the latest.
    Wait(Duration),
}

/// Decides about a lease that was just read, and that `observed` has [seen](Observed::see).
///
/// `now_mono` is this process' monotonic clock and the only time that decides. `now_wall` is what is
/// written; where the wall clock stands still or jumps back, `renewTime` moves on by a microsecond
/// all the same, because its change is the sign of life.
#[must_use]
pub fn decide(
    lease: Option<&Lease>,
    observed: &Observed,
    me: &Candidate,
    now_mono: Duration,
    now_wall: Timestamp,
) -> Step {
    let Some(lease) = lease else {
        return Step::Create(me.fresh(&LeaseSpec::default(), now_wall, 0));
    };
    let spec = spec_of(lease);
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    if holder == me.identity {
        return Step::Renew(me.renewed(&spec, now_wall));
    }
    if !holder.is_empty() {
        let left = me
            .duration_of(&spec)
            .saturating_sub(observed.unchanged_for(&spec, now_mono));
        if !left.is_zero() {
            return Step::Wait(left);
        }
    }
    let transitions = spec.lease_transitions.unwrap_or(0).saturating_add(1);
    Step::Acquire(me.fresh(&spec, now_wall, transitions))
}

impl Candidate {
    /// The spec with which a holder renews: everything kept but `renewTime`.
    #[must_use]
    pub fn renewed(&self, old: &LeaseSpec, now_wall: Timestamp) -> LeaseSpec {
        LeaseSpec {
            lease_duration_seconds: Some(whole_seconds(self.lease_duration)),
            renew_time: Some(after(old.renew_time.as_ref(), now_wall)),
            ..old.clone()
        }
    }

    /// The spec with which a holder gives the lease back: nobody's, and for one second only, so that
    /// others acquire it at once. client-go's `ReleaseOnCancel`.
    #[must_use]
    pub fn released(old: &LeaseSpec, now_wall: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            acquire_time: Some(after(None, now_wall)),
            renew_time: Some(after(old.renew_time.as_ref(), now_wall)),
            ..old.clone()
        }
    }

    fn fresh(&self, old: &LeaseSpec, now_wall: Timestamp, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_transitions: Some(transitions),
            acquire_time: Some(after(None, now_wall)),
            ..self.renewed(old, now_wall)
        }
    }

    /// What the lease's holder promised; where the lease does not say, what everybody here does.
    fn duration_of(&self, spec: &LeaseSpec) -> Duration {
        let seconds = spec.lease_duration_seconds.unwrap_or(0);
        match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
            _ => self.lease_duration,
        }
    }
}

/// The lease's spec; one without is nobody's.
pub(super) fn spec_of(lease: &Lease) -> LeaseSpec {
    lease.spec.clone().unwrap_or_default()
}

/// `now`, or a microsecond after `old` if that is later. The API keeps microseconds.
fn after(old: Option<&MicroTime>, now: Timestamp) -> MicroTime {
    let micros = |time: Timestamp| {
        let floor = TimestampRound::new()
            .smallest(Unit::Microsecond)
            .mode(jiff::RoundMode::Trunc);
        time.round(floor).unwrap_or(time)
    };
    let now = micros(now);
    let next = old.and_then(|old| {
        let step = SignedDuration::from_micros(1);
        micros(old.0).checked_add(step).ok()
    });
    MicroTime(next.map_or(now, |next| next.max(now)))
}

fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ME: &str = "pod-a_1";

    fn me() -> Candidate {
        Candidate {
            identity: ME.into(),
            lease_duration: Duration::from_secs(15),
        }
    }

    fn wall(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn lease(holder: Option<&str>, duration: Option<i32>, renewed: i64) -> Lease {
        Lease {
            spec: Some(LeaseSpec {
                holder_identity: holder.map(Into::into),
                lease_duration_seconds: duration,
                acquire_time: Some(MicroTime(wall(100))),
                renew_time: Some(MicroTime(wall(renewed))),
                lease_transitions: Some(4),
                ..LeaseSpec::default()
            }),
            ..Lease::default()
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What is decided about `lease` at `now`, when it was first seen like this at `since`.
    fn decided(lease: &Lease, since: u64, now: u64, now_wall: i64) -> Step {
        let mut observed = Observed::default();
        observed.see(Some(lease), seconds(since));
        observed.see(Some(lease), seconds(now));
        decide(Some(lease), &observed, &me(), seconds(now), wall(now_wall))
    }

    #[test]
    fn none_is_created() {
        let step = decide(None, &Observed::default(), &me(), seconds(5), wall(500));
        let now = Some(MicroTime(wall(500)));
        let spec = LeaseSpec {
            holder_identity: Some(ME.into()),
            lease_duration_seconds: Some(15),
            lease_transitions: Some(0),
            acquire_time: now.clone(),
            renew_time: now,
            ..LeaseSpec::default()
        };
        assert_eq!(step, Step::Create(spec));
    }

    #[test]
    fn ones_own_is_renewed_with_its_acquire_time_and_transitions() {
        let Step::Renew(spec) = decided(&lease(Some(ME), Some(15), 110), 0, 1, 500) else {
            panic!("not renewed");
        };
        assert_eq!(spec.acquire_time, Some(MicroTime(wall(100))));
        assert_eq!(spec.renew_time, Some(MicroTime(wall(500))));
        assert_eq!(spec.lease_transitions, Some(4));
        assert_eq!(spec.holder_identity.as_deref(), Some(ME));
    }

    #[test]
    fn anothers_is_waited_for_until_it_was_seen_unchanged_for_its_duration() {
        for (duration, since, now, expected) in [
            (Some(15), 100, 100, Some(15)),
            (Some(15), 100, 114, Some(1)),
            (Some(15), 100, 115, None),
            (Some(60), 100, 115, Some(45)),
            (Some(60), 100, 160, None),
            // What does not say how long it holds, or says nonsense, holds as long as ours.
            (None, 100, 114, Some(1)),
            (Some(0), 100, 114, Some(1)),
            (Some(-5), 100, 115, None),
        ] {
            // Renewed long ago, or in the future, by its holder's clock: no matter.
            for renewed in [0, 1_000_000_000] {
                let lease = lease(Some("pod-b_2"), duration, renewed);
                let step = decided(&lease, since, now, 500);
                match expected {
                    Some(left) => assert_eq!(step, Step::Wait(seconds(left)), "{lease:?}"),
                    None => assert!(matches!(step, Step::Acquire(_)), "{step:?} {lease:?}"),
                }
            }
        }
    }

    #[test]
    fn take_over_counts_a_transition_and_starts_an_acquire_time() {
        let Step::Acquire(spec) = decided(&lease(Some("pod-b_2"), Some(15), 110), 0, 15, 500)
        else {
            panic!("not acquired");
        };
        assert_eq!(spec.lease_transitions, Some(5));
        assert_eq!(spec.acquire_time, Some(MicroTime(wall(500))));
        assert_eq!(spec.holder_identity.as_deref(), Some(ME));
        assert_eq!(spec.lease_duration_seconds, Some(15));
    }

    #[test]
    fn nobodys_is_acquired_at_once() {
        for holder in [None, Some("")] {
            let step = decided(&lease(holder, Some(15), 110), 0, 0, 500);
            assert!(matches!(step, Step::Acquire(_)), "{step:?}");
        }
        let bare = Lease::default();
        let step = decided(&bare, 0, 0, 500);
        assert!(matches!(step, Step::Acquire(_)), "{step:?}");
    }

    #[test]
    fn any_change_is_a_sign_of_life() {
        let mut observed = Observed::default();
        observed.see(Some(&lease(Some("b"), Some(15), 110)), seconds(0));
        // The holder's clock went back; it is alive all the same.
        let renewed = lease(Some("b"), Some(15), 90);
        observed.see(Some(&renewed), seconds(14));
        let step = decide(Some(&renewed), &observed, &me(), seconds(20), wall(500));
        assert_eq!(step, Step::Wait(seconds(9)));
    }

    #[test]
    fn a_lease_that_was_not_seen_before_is_never_expired() {
        let lease = lease(Some("b"), Some(15), 0);
        let step = decide(
            Some(&lease),
            &Observed::default(),
            &me(),
            seconds(9999),
            wall(9999),
        );
        assert_eq!(step, Step::Wait(seconds(15)));
    }

    #[test]
    fn release_is_nobodys_for_a_second_and_keeps_the_count() {
        let released = Candidate::released(&spec_of(&lease(Some(ME), Some(15), 110)), wall(500));
        assert_eq!(released.holder_identity.as_deref(), Some(""));
        assert_eq!(released.lease_duration_seconds, Some(1));
        assert_eq!(released.lease_transitions, Some(4));
    }

    prop_compose! {
        fn any_lease()(
            holder in prop_oneof![Just(None), Just(Some("")), Just(Some("b")), Just(Some(ME))],
            duration in proptest::option::of(-1..90i32),
            renewed in -9_999_999_999i64..99_999_999_999,
        ) -> Lease {
            lease(holder, duration, renewed)
        }
    }

    proptest! {
        /// The wall clock is written, never read: no jump of it changes what is decided.
        #[test]
        fn the_wall_clock_decides_nothing(
            lease in any_lease(), since in 0..100u64, waited in 0..100u64,
            one in -9_999_999_999i64..99_999_999_999, two in -9_999_999_999i64..99_999_999_999,
        ) {
            let one = decided(&lease, since, since + waited, one);
            let two = decided(&lease, since, since + waited, two);
            prop_assert_eq!(std::mem::discriminant(&one), std::mem::discriminant(&two));
            if let Step::Wait(_) = one {
                prop_assert_eq!(one, two);
            }
        }

        /// Every renewal is a change, whatever the wall clock says.
        #[test]
        fn renew_time_always_moves_on(lease in any_lease(), now in -9_999_999_999i64..99_999_999_999) {
            let old = spec_of(&lease);
            for new in [me().renewed(&old, wall(now)), Candidate::released(&old, wall(now))] {
                prop_assert!(new.renew_time > old.renew_time, "{:?}", new.renew_time);
            }
        }

        /// A living holder's lease is left alone for all of its duration.
        #[test]
        fn nothing_is_taken_early(duration in 1..90i32, since in 0..100u64, waited in 0..200u64) {
            let lease = lease(Some("b"), Some(duration), 0);
            let step = decided(&lease, since, since + waited, 0);
            let left = u64::try_from(duration).unwrap().saturating_sub(waited);
            match step {
                Step::Wait(wait) => prop_assert_eq!(wait, seconds(left)),
                Step::Acquire(_) => prop_assert_eq!(left, 0),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
