//! The rule, by table and by property.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::super::decide::spec_of;
use super::super::{Candidate, Observed, Step, decide};
use super::*;
use proptest::prelude::*;

const ME: &str = "pod-a_1";

fn me() -> Candidate {
    Candidate { identity: ME.into(), lease_duration: Duration::from_secs(15) }
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
    let Step::Acquire(spec) = decided(&lease(Some("pod-b_2"), Some(15), 110), 0, 15, 500) else {
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
    let step = decide(Some(&lease), &Observed::default(), &me(), seconds(9999), wall(9999));
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
