use gamewarden_api::types::crds;
use serde_json::{Value, json};

use super::judge::{Answer, Refusal, Seen, judge};

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn no<T>(code: u16, why: &str) -> Answer<T> {
    Err(Refusal { code: Some(code), why: why.to_owned() })
}

fn deployment(wanted: i32, updated: i32, available: i32) -> Value {
    json!({
        "metadata": {"generation": 2},
        "spec": {"replicas": wanted, "selector": {}, "template": {}},
        "status": {"observedGeneration": 2, "updatedReplicas": updated, "availableReplicas": available},
    })
}

/// A configuration with a webhook for each caBundle.
fn webhooks(bundles: &[&str]) -> Value {
    let webhook = |(i, bundle): (usize, &&str)| json!({"name": format!("{i}.gw"), "clientConfig": {"caBundle": bundle}});
    json!({"metadata": {}, "webhooks": bundles.iter().enumerate().map(webhook).collect::<Vec<_>>()})
}

fn lease(version: &str, holder: &str) -> Value {
    json!({"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder}})
}

/// An installation with which all is well, changed.
fn seen(change: impl FnOnce(&mut Seen)) -> Vec<String> {
    let definitions = crds().unwrap().map(|(_, expected)| {
        let mut served = expected.clone();
        served.status = read(json!({
            "conditions": [{"type": "Established", "status": "True"}],
            "acceptedNames": {"kind": "K", "plural": "ks"},
            "storedVersions": ["v1alpha1"],
        }));
        (expected, Ok(served))
    });
    let mut seen = Seen {
        deployments: ["gamewarden-controller", "gamewarden-webhook"]
            .map(|name| (name.to_owned(), Ok(read(deployment(2, 2, 2)))))
            .into(),
        webhooks: ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
            .map(|kind| (kind.to_owned(), Ok(read(webhooks(&["QQ==", "QQ=="])))))
            .into(),
        lease_before: Some(read(lease("7", "a_1"))),
        lease: Ok(read(lease("8", "a_1"))),
        definitions: definitions.into(),
        own_definitions: true,
        good_set: Ok(()),
        bad_set: no(422, "spec.replicas: Invalid value: -1"),
    };
    change(&mut seen);
    judge(&seen).iter().map(ToString::to_string).collect()
}

fn failed(change: impl FnOnce(&mut Seen)) -> Vec<String> {
    seen(change).into_iter().filter(|line| line.starts_with("FAILED")).collect()
}

#[test]
fn a_sound_installation_passes_every_check() {
    assert_eq!(
        seen(|_| {}),
        [
            "ok      definition gameservers.game.kruise.io is served",
            "ok      definition gameserversets.game.kruise.io is served",
            "ok      deployment gamewarden-controller is rolled out and available",
            "ok      deployment gamewarden-webhook is rolled out and available",
            "ok      MutatingWebhookConfiguration gamewarden trusts the webhook",
            "ok      ValidatingWebhookConfiguration gamewarden trusts the webhook",
            "ok      a controller holds the lease and renews it",
            "ok      a good set is accepted (dry run)",
            "ok      a set with -1 replicas is refused (dry run)",
        ]
    );
}

#[test]
fn deployments_that_are_not_what_was_asked_for_are_named() {
    for (found, message) in [
        (Ok(read(deployment(2, 1, 2))), "it is being rolled out, 1 of 2 replicas are new"),
        (Ok(read(deployment(2, 2, 1))), "1 of 2 replicas are available"),
        (Ok(read(deployment(0, 0, 0))), "it has no replicas"),
        (
            no(404, "deployments.apps \"gamewarden-webhook\" not found"),
            "deployments.apps \"gamewarden-webhook\" not found",
        ),
    ] {
        let what = "FAILED  deployment gamewarden-webhook is rolled out and available: ";
        assert_eq!(failed(|seen| seen.deployments[1].1 = found), [format!("{what}{message}")]);
    }
    let old = json!({"metadata": {"generation": 3}, "spec": {"replicas": 1, "selector": {}, "template": {}},
        "status": {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 1}});
    let lines = failed(|seen| seen.deployments[0].1 = Ok(read(old)));
    assert!(lines[0].ends_with("it is being rolled out, 1 of 1 replicas are new"), "{lines:?}");
}

#[test]
fn a_webhook_that_nobody_trusts_is_named() {
    for (found, message) in [
        (Ok(read(webhooks(&[]))), "it has no webhooks"),
        (
            Ok(read(webhooks(&["QQ==", ""]))),
            "1.gw has no caBundle yet; the controller, or cert-manager, fills it in",
        ),
        (no(404, "not found"), "not found"),
    ] {
        let what = "FAILED  ValidatingWebhookConfiguration gamewarden trusts the webhook: ";
        assert_eq!(failed(|seen| seen.webhooks[1].1 = found), [format!("{what}{message}")]);
    }
}

#[test]
fn a_lease_counts_only_while_somebody_renews_it() {
    for (before, now, message) in [
        (Some("7"), lease("7", "a_1"), "a_1 holds it and has not renewed it while this was looking"),
        (None, lease("7", "a_1"), "a_1 holds it and has not renewed it while this was looking"),
        (Some("7"), lease("8", ""), "nobody holds it"),
    ] {
        let lines = failed(|seen| {
            seen.lease_before = before.map(|version| read(lease(version, "a_1")));
            seen.lease = Ok(read(now));
        });
        assert_eq!(lines, [format!("FAILED  a controller holds the lease and renews it: {message}")]);
    }
}

#[test]
fn definitions_of_another_release_are_told_from_ones_own() {
    let older = |seen: &mut Seen| {
        let served = seen.definitions[1].1.as_mut().unwrap();
        let schema = served.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
        schema.properties.as_mut().unwrap().remove("status");
    };
    assert_eq!(
        failed(older),
        [
            "FAILED  definition gameserversets.game.kruise.io is served: version v1alpha1 is not the one of this \
          release, at .schema.openAPIV3Schema.properties.status; upgrade the definitions as well (helm upgrade with \
          crds.enabled=true)"
        ]
    );
    let by_others = failed(|seen| {
        older(seen);
        seen.own_definitions = false;
    });
    assert!(by_others.is_empty(), "{by_others:?}");

    let lines = failed(|seen| seen.definitions[0].1.as_mut().unwrap().status = None);
    assert_eq!(lines, ["FAILED  definition gameservers.game.kruise.io is served: it is not established yet"]);
    let lines = failed(|seen| seen.definitions[0].1.as_mut().unwrap().spec.versions[0].served = false);
    assert_eq!(
        lines,
        ["FAILED  definition gameservers.game.kruise.io is served: version v1alpha1 is not served"]
    );
}

#[test]
fn a_refusal_counts_only_for_the_right_reason() {
    let lines = failed(|seen| {
        seen.good_set = no(403, "gameserversets is forbidden");
        seen.bad_set = no(403, "gameserversets is forbidden");
    });
    assert_eq!(
        lines,
        [
            "FAILED  a good set is accepted (dry run): gameserversets is forbidden",
            "FAILED  a set with -1 replicas is refused (dry run): it was refused for another reason: gameserversets is \
             forbidden",
        ]
    );
    let lines = failed(|seen| seen.bad_set = Ok(()));
    assert_eq!(lines, ["FAILED  a set with -1 replicas is refused (dry run): it was accepted"]);
}
