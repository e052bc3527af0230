use gamewarden_api::{GameServerSet, types::crds};
use serde_json::{Value, json};

use super::judge::{Answer, BAD, Refusal, Seen, judge};

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

fn set(period_seconds: Option<i32>) -> GameServerSet {
    let quality = json!({"name": "idle", "exec": {"command": ["/idle"]}, "periodSeconds": period_seconds});
    read(json!({
        "apiVersion": "game.kruise.io/v1alpha1",
        "kind": "GameServerSet",
        "metadata": {"name": "gamewarden-check-install"},
        "spec": {"replicas": 0, "gameServerTemplate": {}, "serviceQualities": [quality]},
    }))
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
        namespace: "games".to_owned(),
        tried_in: "default".to_owned(),
        has_webhook: true,
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
        good_set: Ok(set(Some(3))),
        bad_set: no(422, &BAD.join("\n")),
    };
    change(&mut seen);
    judge(&seen).iter().map(ToString::to_string).collect()
}

fn failed(change: impl FnOnce(&mut Seen)) -> Vec<String> {
    let all = seen(change).into_iter().filter(|text| text.starts_with("FAILED"));
    all.map(|text| text.split_once("\n        what to do: ").expect("says what to do").0.to_owned()).collect()
}

/// What is said to do about the one thing that is wrong.
fn todo(change: impl FnOnce(&mut Seen)) -> String {
    let all: Vec<String> = seen(change).into_iter().filter(|text| text.starts_with("FAILED")).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].split_once("what to do: ").unwrap().1.to_owned()
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
            "ok      MutatingWebhookConfiguration gamewarden has a caBundle for each of its webhooks",
            "ok      ValidatingWebhookConfiguration gamewarden has a caBundle for each of its webhooks",
            "ok      a controller holds the lease and renews it",
            "ok      a good set is accepted and gets its defaults from the webhook (dry run in default)",
            "ok      the webhook says both mistakes of a bad set (dry run in default)",
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
        (Ok(read(webhooks(&["QQ==", ""]))), "1.gw has no caBundle yet"),
        (no(404, "not found"), "not found"),
    ] {
        let what =
            "FAILED  ValidatingWebhookConfiguration gamewarden has a caBundle for each of its webhooks: ";
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
          release, at .schema.openAPIV3Schema.properties.status"
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

/// The definitions alone refuse -1 replicas, too; only the webhook says both, and only it fills in defaults.
#[test]
fn only_the_webhooks_own_words_count() {
    let bad = "FAILED  the webhook says both mistakes of a bad set (dry run in default): ";
    let good = "FAILED  a good set is accepted and gets its defaults from the webhook (dry run in default): ";
    let schema = "GameServerSet.game.kruise.io \"gamewarden-check-install\" is invalid: spec.replicas: Invalid value: -1";
    for (found, message) in [
        (Ok(set(Some(3))), "it was accepted".to_owned()),
        (no(422, schema), format!("it was refused, but not with \"{}\": {schema}", BAD[1])),
        (no(403, "forbidden"), format!("it was refused, but not with \"{}\": forbidden", BAD[0])),
        (
            no(422, &BAD[..2].join("\n")),
            format!("it was refused, but not with \"{}\": {}", BAD[2].replace('\n', ""), BAD[..2].join("\n")),
        ),
    ] {
        let lines = failed(|seen| seen.bad_set = found);
        assert_eq!(lines, [format!("{bad}{message}")]);
    }
    for (found, message) in [
        (
            Ok(set(None)),
            "it was accepted, but its periodSeconds is none and not 3: the webhook was not asked",
        ),
        (
            Ok(set(Some(5))),
            "it was accepted, but its periodSeconds is 5 and not 3: the webhook was not asked",
        ),
        (no(500, "failed calling webhook"), "failed calling webhook"),
    ] {
        assert_eq!(failed(|seen| seen.good_set = found), [format!("{good}{message}")]);
    }
}

#[test]
fn what_to_do_is_said() {
    let selector = todo(|seen| seen.good_set = Ok(set(None)));
    assert!(selector.contains("did not ask the webhook about default"), "{selector}");
    let down = todo(|seen| {
        seen.bad_set = no(500, "failed calling webhook \"default.gameserversets.gamewarden.dev\"")
    });
    assert!(down.contains("does not reach the webhook: kubectl -n games get pods"), "{down}");
    let rights = todo(|seen| seen.good_set = no(403, "User \"a\" cannot create resource \"gameserversets\""));
    assert!(rights.contains("needs to create gameserversets in default"), "{rights}");
    let controller = todo(|seen| seen.lease_before = None);
    assert_eq!(controller, "kubectl -n games logs deployment/gamewarden-controller");
}

#[test]
fn an_installation_without_a_webhook() {
    let without = |seen: &mut Seen| {
        seen.has_webhook = false;
        seen.deployments.truncate(1);
        for (_, found) in &mut seen.webhooks {
            *found = no(404, "not found");
        }
        seen.good_set = Ok(set(None));
        seen.bad_set = no(422, "spec.replicas: Invalid value: -1");
    };
    assert_eq!(
        seen(without)[2..],
        [
            "ok      deployment gamewarden-controller is rolled out and available",
            "ok      MutatingWebhookConfiguration gamewarden is not there (webhook.replicas=0)",
            "ok      ValidatingWebhookConfiguration gamewarden is not there (webhook.replicas=0)",
            "ok      a controller holds the lease and renews it",
            "ok      a good set is accepted, without a webhook (dry run in default)",
            "ok      the definitions refuse a set with -1 replicas (dry run in default)",
        ]
    );
    let left = failed(|seen| {
        without(seen);
        seen.webhooks[0].1 = Ok(read(webhooks(&["QQ=="])));
    });
    assert_eq!(
        left,
        [
            "FAILED  MutatingWebhookConfiguration gamewarden is not there (webhook.replicas=0): it is there, and nobody \
          answers what it asks"
        ]
    );
}
