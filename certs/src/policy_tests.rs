//! The rule, case by case.

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const SETTINGS: Settings = Settings {
    ca_validity: Duration::from_secs(300 * 24 * 3600),
    serving_validity: Duration::from_secs(30 * 24 * 3600),
    propagation: Duration::from_secs(60),
};

fn day(day: i64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    begin.checked_add(SignedDuration::from_hours(24 * day)).unwrap()
}

/// A CA that was made at the beginning of `from`.
fn ca(name: u8, from: i64) -> Ca {
    Ca {
        id: Fingerprint([name; 32]),
        not_before: day(from).checked_sub(BACKDATED).unwrap(),
        not_after: later(day(from), SETTINGS.ca_validity),
    }
}

fn leaf(issuer: Ca, from: i64) -> Leaf {
    Leaf {
        not_before: day(from).checked_sub(BACKDATED).unwrap(),
        not_after: later(day(from), SETTINGS.serving_validity),
        issuer: Some(issuer),
    }
}

fn bundles(cas: &[Ca]) -> Vec<Bundle> {
    vec![Bundle { cas: cas.iter().copied().collect(), garbage: false }; 2]
}

/// CA 1, made on day 0, and its leaf of day 0: everything as it should be.
fn good() -> Snapshot {
    Snapshot {
        stored: Stored { current: Some(ca(1, 0)), ..Stored::default() },
        leaf: Some(leaf(ca(1, 0), 0)),
        rotate_leaf: false,
        garbage_leaf: false,
        bundles: bundles(&[ca(1, 0)]),
        agreed_for: Duration::ZERO,
    }
}

fn store(current: Source, next: Source, earlier: &[(Ca, Timestamp)]) -> Step {
    let earlier = earlier.iter().map(|&(ca, until)| Earlier { ca, until }).collect();
    Step::Store(Authority { current, next, earlier })
}

fn step(seen: &Snapshot, now: Timestamp) -> Step {
    plan(seen, now, &SETTINGS).step
}

#[test]
fn what_is_well_is_left_alone_until_two_thirds_of_its_life() {
    assert_eq!(step(&good(), day(0)), Step::Wait);
    assert_eq!(plan(&good(), day(0), &SETTINGS).again, LOOK);
    let eve = day(20).checked_sub(SignedDuration::from_secs(7)).unwrap();
    let plan = plan(&good(), eve, &SETTINGS);
    assert_eq!((plan.step, plan.again), (Step::Wait, Duration::from_secs(7)));
    assert_eq!(step(&good(), day(20)), Step::Issue);
    // The CA's turn: day 200.
    let seen = Snapshot { leaf: Some(leaf(ca(1, 0), 199)), ..good() };
    assert_eq!(step(&seen, day(199)), Step::Wait);
    assert_eq!(step(&seen, day(200)), store(Source::Current, Source::New, &[]));
}

#[test]
fn a_first_ca_signs_at_once_and_is_published_first() {
    let nothing = Snapshot { stored: Stored::default(), leaf: None, bundles: bundles(&[]), ..good() };
    assert_eq!(step(&nothing, day(0)), store(Source::New, Source::Nowhere, &[]));
    let stored = Stored { current: Some(ca(1, 0)), ..Stored::default() };
    let made = Snapshot { stored, ..nothing };
    assert_eq!(step(&made, day(0)), Step::Publish);
    assert_eq!(step(&Snapshot { bundles: bundles(&[ca(1, 0)]), ..made }, day(0)), Step::Issue);
}

#[test]
fn a_next_ca_signs_only_when_every_api_server_trusts_it() {
    let asked = Snapshot { stored: Stored { rotate: true, ..good().stored }, ..good() };
    assert_eq!(step(&asked, day(1)), store(Source::Current, Source::New, &[]));
    let stored = Stored { next: Some(ca(2, 1)), ..good().stored };
    let staged = Snapshot { stored, ..good() };
    assert_eq!(step(&staged, day(1)), Step::Publish);
    let both = bundles(&[ca(1, 0), ca(2, 1)]);
    let published = Snapshot { bundles: both.clone(), agreed_for: Duration::from_secs(59), ..staged.clone() };
    let waits = plan(&published, day(1), &SETTINGS);
    assert_eq!((waits.step, waits.again), (Step::Wait, Duration::from_secs(1)));
    let one_is_not = vec![both[0].clone(), good().bundles[0].clone()];
    assert_eq!(step(&Snapshot { bundles: one_is_not, ..published.clone() }, day(1)), Step::Publish);
    let garbage = vec![both[0].clone(), Bundle { garbage: true, ..both[0].clone() }];
    assert_eq!(step(&Snapshot { bundles: garbage, ..published.clone() }, day(1)), Step::Publish);

    let trusted = Snapshot { agreed_for: Duration::from_secs(60), ..published };
    let until = later(day(1), SETTINGS.serving_validity);
    assert_eq!(step(&trusted, day(1)), store(Source::Next, Source::Nowhere, &[(ca(1, 0), until)]));
    let earlier = vec![Earlier { ca: ca(1, 0), until }];
    let stored = Stored { current: Some(ca(2, 1)), next: None, earlier, rotate: false, garbage: false };
    let promoted = Snapshot { stored, ..trusted };
    assert_eq!(step(&promoted, day(1)), Step::Issue);
    let issued = Snapshot { leaf: Some(leaf(ca(2, 1), 1)), ..promoted };
    assert_eq!(step(&issued, day(1)), Step::Wait);
    // Renewed meanwhile; the old CA goes when its last leaf has expired, out of the Secret and then the bundles.
    let renewed = Snapshot { leaf: Some(leaf(ca(2, 1), 21)), ..issued };
    assert_eq!(step(&renewed, day(30)), Step::Wait);
    assert_eq!(step(&renewed, day(31)), store(Source::Current, Source::Nowhere, &[]));
    let stored = Stored { earlier: Vec::new(), ..renewed.stored.clone() };
    assert_eq!(step(&Snapshot { stored, ..renewed }, day(31)), Step::Publish);
}

#[test]
fn a_lost_serving_certificate_is_made_again_at_once() {
    for broken in [
        None,
        Some(Leaf { issuer: None, ..leaf(ca(1, 0), 0) }),
        Some(leaf(ca(1, 0), -40)),
        Some(leaf(ca(1, 0), 5)),
    ] {
        assert_eq!(step(&Snapshot { leaf: broken, ..good() }, day(1)), Step::Issue, "{broken:?}");
    }
    // One that was signed by another CA that is trusted goes on until it is replaced.
    let foreign = Snapshot { leaf: Some(leaf(ca(9, 0), 0)), ..good() };
    assert_eq!(step(&foreign, day(1)), Step::Publish);
    let trusted = Snapshot { bundles: bundles(&[ca(1, 0), ca(9, 0)]), ..foreign };
    assert_eq!(step(&trusted, day(1)), Step::Issue);
    assert_eq!(step(&Snapshot { rotate_leaf: true, ..good() }, day(1)), Step::Issue);
}

#[test]
fn a_lost_ca_goes_on_being_trusted_for_the_leaf_that_is_served() {
    let until = later(day(1), SETTINGS.serving_validity);
    let lost = Snapshot { stored: Stored::default(), ..good() };
    assert_eq!(step(&lost, day(1)), store(Source::Nowhere, Source::New, &[(ca(1, 0), until)]));
    // Also where the serving Secret is gone with it, and webhooks have it in memory.
    let both = Snapshot { leaf: None, ..lost.clone() };
    assert_eq!(step(&both, day(1)), store(Source::Nowhere, Source::New, &[(ca(1, 0), until)]));

    let earlier = vec![Earlier { ca: ca(1, 0), until }];
    let stored = Stored { current: None, next: Some(ca(2, 1)), earlier, rotate: false, garbage: false };
    let staged = Snapshot { stored, ..lost };
    assert_eq!(step(&staged, day(1)), Step::Publish);
    let published = Snapshot { bundles: bundles(&[ca(1, 0), ca(2, 1)]), ..staged };
    assert_eq!(step(&published, day(1)), Step::Wait, "a good leaf is served, there is no hurry");
    let no_leaf = Snapshot { leaf: None, ..published.clone() };
    assert_eq!(step(&no_leaf, day(1)), Step::Wait, "webhooks may have one in memory");
    let trusted = Snapshot { agreed_for: SETTINGS.propagation, ..published };
    assert_eq!(step(&trusted, day(1)), store(Source::Next, Source::Nowhere, &[(ca(1, 0), until)]));
}

#[test]
fn clocks_that_jump_take_nobodys_trust_away() {
    // Ten years ahead: all has expired, or so it seems.
    let until = later(day(3650), SETTINGS.serving_validity);
    assert_eq!(step(&good(), day(3650)), store(Source::Nowhere, Source::New, &[(ca(1, 0), until)]));
    // Ten years back: nothing is valid yet.
    let until = ca(1, 0).not_after;
    assert_eq!(step(&good(), day(-3650)), store(Source::Nowhere, Source::New, &[(ca(1, 0), until)]));
}

#[test]
fn what_is_near_its_end_is_not_renewed_for_nothing() {
    // A CA at its end, with a leaf that ends with it: another would last no longer.
    let last = Leaf { not_after: ca(1, 0).not_after, ..leaf(ca(1, 0), 280) };
    let stored = Stored { next: Some(ca(2, 299)), ..good().stored };
    let seen = Snapshot { stored, leaf: Some(last), bundles: bundles(&[ca(1, 0), ca(2, 299)]), ..good() };
    assert_eq!(step(&seen, later(day(299), DAY / 2)), Step::Wait);
}

#[test]
fn a_request_during_a_rotation_is_that_rotation() {
    let stored = Stored { next: Some(ca(2, 1)), rotate: true, ..good().stored };
    assert_eq!(step(&Snapshot { stored, ..good() }, day(1)), store(Source::Current, Source::Next, &[]));
}

#[test]
fn many_lost_cas_are_bounded_and_the_one_in_use_is_kept() {
    let many: Vec<Ca> = (10..20).map(|name| ca(name, i64::from(name))).collect();
    let seen = Snapshot {
        stored: Stored::default(),
        leaf: Some(leaf(ca(10, 10), 20)),
        bundles: bundles(&many),
        ..good()
    };
    let Step::Store(authority) = step(&seen, day(21)) else { panic!("no store") };
    assert_eq!(authority.earlier.len(), EARLIER);
    assert!(authority.earlier.iter().any(|earlier| earlier.ca == ca(10, 10)));
}
