//! The keeper, with real certificates, at an API server in memory.

use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::time::advance;

use super::*;
use crate::fake_api::{EVENTS, FakeApi, MUTATING, SECRETS, VALIDATING};
use crate::servable;

const HOUR: Duration = Duration::from_secs(3600);

fn keeper(api: &FakeApi) -> Keeper {
    let config = Config {
        namespace: "games".to_owned(),
        ca_secret: "ca".to_owned(),
        serving_secret: "tls".to_owned(),
        configuration: "gamewarden".to_owned(),
        service: "gw".to_owned(),
        settings: Settings {
            ca_validity: HOUR * 1000,
            serving_validity: HOUR * 300,
            propagation: Duration::ZERO,
        },
    };
    Keeper::new(&api.client(), config, KeeperMetrics::registered(&mut Registry::default()))
}

fn secret(api: &FakeApi, name: &str) -> Value {
    api.get(&format!("{SECRETS}/{name}")).unwrap()
}

/// Changes a Secret as somebody else.
fn edit(api: &FakeApi, name: &str, change: impl FnOnce(&mut Value)) {
    let mut object = secret(api, name);
    change(&mut object);
    api.put(&format!("{SECRETS}/{name}"), object);
}

fn bundles(api: &FakeApi) -> Vec<Value> {
    let webhooks = [MUTATING, VALIDATING].map(|path| api.get(path).unwrap()["webhooks"].clone());
    let all = webhooks.iter().flat_map(|webhooks| webhooks.as_array().unwrap());
    all.map(|webhook| webhook["clientConfig"]["caBundle"].clone()).collect()
}

/// What is in the Secret can be served with, and every bundle trusts it.
fn check(api: &FakeApi) {
    let stored: Secret = serde_json::from_value(secret(api, "tls")).unwrap();
    let (names, now) = (dns_names("gw", "games"), Timestamp::now());
    let serving = servable(&stored, &names, now).unwrap();
    for bundle in bundles(api) {
        let pem: ByteString = serde_json::from_value(bundle).unwrap();
        let cas = read::bundle(&pem.0, "caBundle").unwrap();
        assert!(cas.iter().any(|ca| read::accepted(&serving, &ca.der, &names, now).is_ok()), "{cas:?}");
    }
}

#[tokio::test]
async fn makes_what_is_missing_and_then_nothing() {
    let api = FakeApi::new();
    let mut keeper = keeper(&api);
    keeper.settle().await.unwrap();
    check(&api);
    assert_eq!(secret(&api, "tls")["type"], "kubernetes.io/tls");
    assert_eq!(api.events(), ["CertificateRotated"; 2]);
    // Two Secrets, two configurations.
    assert_eq!(api.writes(), 4);
    keeper.settle().await.unwrap();
    assert_eq!(api.writes(), 4);
}

#[tokio::test]
async fn rotates_what_is_asked_for_and_keeps_what_others_have_written() {
    let api = FakeApi::new();
    let mut keeper = keeper(&api);
    keeper.settle().await.unwrap();
    let (ca, tls) = (secret(&api, "ca"), secret(&api, "tls"));
    let ask = |object: &mut Value| {
        object["metadata"]["annotations"] = json!({crate::ROTATE: "now", "theirs": "stays"});
    };
    edit(&api, "tls", ask);
    keeper.settle().await.unwrap();
    check(&api);
    assert_eq!(secret(&api, "ca"), ca);
    let renewed = secret(&api, "tls");
    assert_ne!(renewed["data"]["tls.key"], tls["data"]["tls.key"]);
    assert_eq!(renewed["data"]["ca.crt"], tls["data"]["ca.crt"]);
    assert_eq!(renewed["metadata"]["annotations"], json!({"theirs": "stays"}));

    edit(&api, "ca", ask);
    keeper.settle().await.unwrap();
    check(&api);
    let rotated = secret(&api, "ca");
    assert_ne!(rotated["data"]["ca.key"], ca["data"]["ca.key"]);
    assert_eq!(rotated["metadata"]["annotations"], json!({"theirs": "stays"}));
    assert!(rotated["data"].get("next.key").is_none(), "{rotated}");
    // The old one's certificate is kept, its key is not.
    let earlier: ByteString = serde_json::from_value(rotated["data"]["earlier.json"].clone()).unwrap();
    let earlier = String::from_utf8(earlier.0).unwrap();
    assert_eq!(earlier.matches("BEGIN CERTIFICATE").count(), 1, "{earlier}");
    assert!(!earlier.contains("PRIVATE"), "{earlier}");
    let bundle: ByteString = serde_json::from_value(bundles(&api)[0].clone()).unwrap();
    assert_eq!(read::bundle(&bundle.0, "caBundle").unwrap().len(), 2);
}

#[tokio::test]
async fn heals_whatever_is_broken() {
    let garbage =
        || json!(ByteString(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec()));
    for (name, key) in [
        ("tls", "tls.crt"),
        ("tls", "tls.key"),
        ("tls", "ca.crt"),
        ("ca", "ca.crt"),
        ("ca", "ca.key"),
        ("ca", "earlier.json"),
    ] {
        for gone in [true, false] {
            let api = FakeApi::new();
            let mut keeper = keeper(&api);
            keeper.settle().await.unwrap();
            edit(&api, name, |object| match gone {
                true => drop(object["data"].as_object_mut().unwrap().remove(key)),
                false => object["data"][key] = garbage(),
            });
            keeper.settle().await.unwrap_or_else(|error| panic!("{name} {key} {gone}: {}", error.told()));
            check(&api);
            let data = secret(&api, name)["data"].clone();
            assert_ne!(data[key], garbage(), "{name} {key}");
            assert!(key == "earlier.json" || data[key].is_string(), "{name} {key}: {data}");
        }
    }
    for gone in [&["tls"][..], &["ca"], &["tls", "ca"]] {
        let api = FakeApi::new();
        let mut keeper = keeper(&api);
        keeper.settle().await.unwrap();
        for name in gone {
            api.delete(&format!("{SECRETS}/{name}"));
        }
        keeper.settle().await.unwrap();
        check(&api);
    }
    // An upgrade, an edit, somebody else's tool: one webhook, and one too many.
    let api = FakeApi::new();
    let mut keeper = keeper(&api);
    keeper.settle().await.unwrap();
    let mut configuration = api.get(VALIDATING).unwrap();
    configuration["webhooks"][1]["clientConfig"]["caBundle"] = garbage();
    let third = configuration["webhooks"][0].clone();
    configuration["webhooks"].as_array_mut().unwrap().push(third);
    api.put(VALIDATING, configuration);
    keeper.settle().await.unwrap();
    check(&api);
}

#[tokio::test]
async fn two_at_once_do_no_harm() {
    for _ in 0..20 {
        let api = FakeApi::new();
        let (mut one, mut two) = (keeper(&api), keeper(&api));
        let (a, b) = tokio::join!(one.settle(), two.settle());
        a.unwrap();
        b.unwrap();
        check(&api);
        assert_eq!(api.writes(), 4);
        edit(&api, "ca", |object| object["metadata"]["annotations"] = json!({crate::ROTATE: ""}));
        let (a, b) = tokio::join!(one.settle(), two.settle());
        a.unwrap();
        b.unwrap();
        check(&api);
        // Stage, publish twice, promote, issue.
        assert_eq!(api.writes(), 9);
    }
}

#[tokio::test(start_paused = true)]
async fn people_are_told_when_it_cannot_do_its_work_and_again_while_it_lasts() {
    let api = FakeApi::new();
    let mut keeper = keeper(&api);
    api.forbid(Some(SECRETS));
    let mut failures = 0;
    for round in 1..=6 {
        let error = keeper.settle().await.unwrap_err();
        assert!(error.told().starts_with("cannot write Secret ca: "), "{}", error.told());
        let wait = keeper.failed(&error, &mut failures).await;
        assert!(wait <= LONGEST);
        assert_eq!(api.events().len(), usize::from(round >= TOLD_FROM), "after {round}");
    }
    assert_eq!(api.events(), ["CertificateRenewalFailed"]);
    assert_eq!(keeper.metrics.failures.get(), 6);
    // Events are gone after an hour.
    for (minutes, events) in [(29, 1), (1, 2), (29, 2), (1, 3)] {
        advance(Duration::from_secs(minutes * 60)).await;
        let error = keeper.settle().await.unwrap_err();
        keeper.failed(&error, &mut failures).await;
        assert_eq!(api.events().len(), events);
    }
    // One that could not be written is tried again with the next failure.
    keeper.news.works();
    api.forbid(Some("/api/v1"));
    let error = keeper.settle().await.unwrap_err();
    keeper.failed(&error, &mut failures).await;
    assert!(EVENTS.starts_with("/api/v1"));
    api.forbid(Some(SECRETS));
    keeper.failed(&error, &mut failures).await;
    assert_eq!(api.events().len(), 4);
    api.forbid(None);
    keeper.settle().await.unwrap();
    check(&api);
}

/// Empties the bundles, as a tool does that knows a configuration without one.
fn blank(api: &FakeApi) {
    for path in [MUTATING, VALIDATING] {
        let mut configuration = api.get(path).unwrap();
        for webhook in configuration["webhooks"].as_array_mut().unwrap() {
            webhook["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        }
        api.put(path, configuration);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_keeps_writing_the_bundles_is_told_and_slows_it_down() {
    let api = FakeApi::new();
    let mut keeper = keeper(&api);
    keeper.settle().await.unwrap();
    assert_eq!(api.events(), ["CertificateRotated"; 2]);
    for _ in 0..10 {
        blank(&api);
        keeper.settle().await.unwrap();
        check(&api);
    }
    assert_eq!((api.events().len(), keeper.metrics.contests.get()), (2, 0));
    // Each time it waits for longer, whatever changes meanwhile.
    let mut waits = Vec::new();
    for round in 1..=40 {
        blank(&api);
        if round > 1 {
            let wait = keeper.settle().await.unwrap();
            let writes = api.writes();
            advance(wait / 2).await;
            assert_eq!(keeper.settle().await.unwrap(), wait - wait / 2);
            assert_eq!(api.writes(), writes);
            advance(wait - wait / 2).await;
            waits.push(wait.as_secs());
        }
        keeper.settle().await.unwrap();
        check(&api);
        assert_eq!(keeper.metrics.contests.get(), round);
    }
    assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
    // 40 rounds take more than half an hour: told twice.
    assert_eq!(api.events()[2..], ["CertificateBundleContested"; 2]);
    // A rotation does not wait for the end of it: another bundle is nobody's answer to ours.
    edit(&api, "ca", |object| object["metadata"]["annotations"] = json!({crate::ROTATE: ""}));
    keeper.settle().await.unwrap();
    check(&api);
    let writes = keeper.metrics.bundle_writes.get();
    assert_eq!(writes, 2 * (1 + 10 + 40 + 1));
    advance(Duration::from_secs(600)).await;
    blank(&api);
    keeper.settle().await.unwrap();
    check(&api);
    assert_eq!(keeper.metrics.contests.get(), 40);
}

#[tokio::test(start_paused = true)]
async fn changes_do_not_hurry_what_fails() {
    let api = FakeApi::new();
    let mut keeper = keeper(&api);
    let metrics = keeper.metrics.clone();
    api.forbid(Some(SECRETS));
    let changed = Notify::new();
    let changes = async {
        for _ in 0..600 {
            changed.notify_one();
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = keeper.work(&changed) => {}
        () = changes => {}
    }
    // After 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 seconds.
    assert_eq!(metrics.failures.get(), 7);
}

#[tokio::test]
async fn what_to_do_about_an_immutable_secret_is_said() {
    for (name, broken) in [("tls", "tls.crt"), ("ca", "ca.crt")] {
        let api = FakeApi::new();
        let mut keeper = keeper(&api);
        keeper.settle().await.unwrap();
        edit(&api, name, |object| object["immutable"] = json!(true));
        keeper.settle().await.unwrap();
        edit(&api, name, |object| drop(object["data"].as_object_mut().unwrap().remove(broken)));
        let error = keeper.settle().await.unwrap_err();
        let todo = format!(
            "Secret {name} is immutable, so nobody can change it: delete it (kubectl -n games delete secret {name}), and it \
             is made anew"
        );
        assert_eq!(error.told(), todo);
        api.delete(&format!("{SECRETS}/{name}"));
        keeper.settle().await.unwrap();
        check(&api);
    }
}
