//! The keeper, with real certificates, at an API server in memory.

use prometheus_client::registry::Registry;
use serde_json::{Value, json};

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

#[tokio::test]
async fn people_are_told_once_when_it_cannot_do_its_work() {
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
    // One that could not be written is tried again with the next failure.
    keeper.news.works();
    api.forbid(Some("/api/v1"));
    let error = keeper.settle().await.unwrap_err();
    keeper.failed(&error, &mut failures).await;
    assert!(EVENTS.starts_with("/api/v1"));
    api.forbid(Some(SECRETS));
    keeper.failed(&error, &mut failures).await;
    assert_eq!(api.events().len(), 2);
    api.forbid(None);
    keeper.settle().await.unwrap();
    check(&api);
}
