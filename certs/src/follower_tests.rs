//! What is taken from the Secret, and what is not.

use jiff::SignedDuration;
use k8s_openapi::ByteString;
use prometheus_client::registry::Registry;

use super::*;
use crate::issue::{self, Issued};
use crate::policy::Settings;
use crate::secrets::{self, AuthoritySecret};

const NAMES: [&str; 2] = ["gw.games.svc", "gw.games"];

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

/// A CA, and a leaf of it for `of`, made at `at` for two days.
fn issued(of: &[&str], at: Timestamp) -> (Issued, Issued) {
    let day = Duration::from_secs(24 * 3600);
    let ca = issue::ca(at, day * 10).unwrap();
    let leaf = issue::leaf((&ca.certificate, &ca.key, ca.not_after), &names(of), at, day * 2).unwrap();
    (ca, leaf)
}

fn secret(data: &[(&str, &str)]) -> Secret {
    let data = data.iter().map(|(key, text)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec())));
    secrets::written(None, ("games", "tls", "kubernetes.io/tls"), data.collect())
}

fn whole(ca: &Issued, leaf: &Issued) -> Secret {
    secret(&[("tls.crt", &leaf.certificate), ("tls.key", &leaf.key), ("ca.crt", &ca.certificate)])
}

#[test]
fn only_what_can_be_served_with_is_taken() {
    let (ca, leaf) = issued(&NAMES, now());
    let (foreign, other) = issued(&NAMES, now());
    let says = |secret: &Secret, at: Timestamp| match servable(secret, &names(&NAMES), at) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(says(&whole(&ca, &leaf), now()), "taken");
    let without = secret(&[("tls.crt", &leaf.certificate), ("tls.key", &leaf.key)]);
    assert_eq!(says(&without, now()), "taken", "some issuers give no CA");
    // While a CA is replaced, some issuers give both.
    let both = format!("{}{}", foreign.certificate, ca.certificate);
    let both = secret(&[("tls.crt", &leaf.certificate), ("tls.key", &leaf.key), ("ca.crt", &both)]);
    assert_eq!(says(&both, now()), "taken");

    let hours = SignedDuration::from_hours;
    let (other_ca, other_names) = issued(&["gw.other.svc"], now());
    let (_, one_name) = issued(&NAMES[..1], now());
    for (secret, at, wanted) in [
        (secret(&[]), now(), "tls.crt is missing"),
        (secret(&[("tls.crt", &leaf.certificate)]), now(), "tls.key is missing"),
        (secret(&[("tls.crt", ""), ("tls.key", &leaf.key)]), now(), "tls.crt holds no certificate"),
        (secret(&[("tls.crt", &leaf.certificate), ("tls.key", "?")]), now(), "the key is not PEM"),
        (
            secret(&[("tls.crt", &leaf.certificate), ("tls.key", &other.key)]),
            now(),
            "the key does not fit tls.crt",
        ),
        (whole(&foreign, &leaf), now(), "clients would not accept it"),
        (whole(&other_ca, &other_names), now(), "not valid for name"),
        (whole(&ca, &leaf), now() + hours(49), "certificate expired"),
        (whole(&ca, &leaf), now() - hours(2), "certificate not valid yet"),
        (
            secret(&[("tls.crt", &one_name.certificate), ("tls.key", &one_name.key)]),
            now(),
            "not valid for name",
        ),
        // Without a CA time is all there is to look at.
        (without.clone(), now() + hours(49), "it is not valid now"),
        (without, now() - hours(2), "it is not valid now"),
    ] {
        let said = says(&secret, at);
        assert!(said.contains(wanted), "{said} instead of {wanted}");
    }
}

#[test]
fn what_is_not_taken_leaves_what_is_served() {
    let follower = Follower {
        served: Served::new(),
        names: names(&NAMES),
        metrics: ServedMetrics::registered(&mut Registry::default()),
    };
    let shown = || follower.served.get().map(|serving| serving.certified.cert[0].clone());
    let (ca, leaf) = issued(&NAMES, now());
    assert_eq!(shown(), None);
    follower.offer(&whole(&ca, &leaf), now()).unwrap();
    let first = shown();
    assert!(first.is_some());
    follower.offer(&secret(&[("tls.crt", "?")]), now()).unwrap_err();
    assert_eq!(shown(), first);
    // From the clock of a machine that is days ahead: its time will come.
    let days = now() + SignedDuration::from_hours(36);
    let (next_ca, next) = issued(&NAMES, days);
    follower.offer(&whole(&next_ca, &next), now()).unwrap_err();
    assert_eq!(shown(), first);
    follower.offer(&whole(&next_ca, &next), days).unwrap();
    assert_ne!(shown(), first);
}

#[test]
fn keys_are_in_no_debug_output() {
    let (ca, leaf) = issued(&NAMES, now());
    let stored = secret(&[("ca.crt", &ca.certificate), ("ca.key", &ca.key)]);
    let read = AuthoritySecret::read(Some(&stored));
    assert!(read.facts().current.is_some());
    let settings = Settings { ca_validity: TICK, serving_validity: TICK, propagation: Duration::ZERO };
    let signed = read.sign(&names(&NAMES), now(), &settings).unwrap();
    let serving = crate::read::serving(leaf.certificate.as_bytes(), leaf.key.as_bytes()).unwrap();
    let shown = format!("{read:?} {signed:?} {ca:?} {leaf:?} {serving:?}");
    for key in [&ca.key, &leaf.key] {
        let line = key.lines().nth(1).unwrap();
        assert!(!shown.contains(line) && !shown.contains("PRIVATE"), "{shown}");
    }
}
