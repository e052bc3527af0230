//! Tests of reading AdmissionReviews.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn review(uid: &str, object: &Value) -> Vec<u8> {
    let review = json!({
        "apiVersion": API_VERSION, "kind": KIND,
        "request": {"uid": uid, "operation": "UPDATE", "object": object, "oldObject": object},
    });
    serde_json::to_vec(&review).unwrap()
}

#[test]
fn what_is_needed_is_read_and_the_rest_is_skipped() {
    let body = json!({
        "apiVersion": API_VERSION, "kind": KIND, "response": 7,
        "request": {
            "uid": "u-1", "operation": "UPDATE", "subResource": "scale", "name": "minecraft", "namespace": "games",
            "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"}, "dryRun": true,
            "resource": {"group": "game.kruise.io", "version": "v1alpha1", "resource": "gameserversets"},
            "object": {"spec": {"replicas": 1}}, "oldObject": null, "userInfo": {"username": "me"},
        },
    });
    let body = serde_json::to_vec(&body).unwrap();
    let request = decode(&body).unwrap();
    assert_eq!(request.uid, "u-1");
    assert_eq!(request.operation, Operation::Update);
    assert_eq!(request.kind, Kind { group: "autoscaling".into(), kind: "Scale".into() });
    assert_eq!(
        request.resource,
        Resource { group: "game.kruise.io".into(), resource: "gameserversets".into() }
    );
    assert_eq!((&*request.sub_resource, &*request.name), ("scale", "minecraft"));
    assert_eq!((&*request.namespace, &*request.user_info.username), ("games", "me"));
    assert_eq!((request.user_info.groups, request.dry_run), (None, Some(true)));
    assert_eq!(request.object.unwrap().get(), r#"{"spec":{"replicas":1}}"#);
    assert!(request.old_object.is_none());
}

#[test]
fn an_operation_that_is_new_is_another_one() {
    let body =
        json!({"apiVersion": API_VERSION, "kind": KIND, "request": {"uid": "u", "operation": "COLLECT"}});
    let body = serde_json::to_vec(&body).unwrap();
    assert_eq!(decode(&body).unwrap().operation, Operation::Other);
}

#[test]
fn malformed_bodies_are_told_why() {
    for (body, message) in [
        ("", "body is not an AdmissionReview: EOF while parsing a value at line 1 column 0"),
        ("{", "body is not an AdmissionReview: EOF while parsing an object at line 1 column 1"),
        ("7", "body is not an AdmissionReview: invalid type: integer `7`, expected an object"),
        ("{}", r#"body is "" of "", want AdmissionReview of admission.k8s.io/v1"#),
        (
            r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"1"}}"#,
            r#"body is "AdmissionReview" of "admission.k8s.io/v1beta1", want AdmissionReview of admission.k8s.io/v1"#,
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
            "AdmissionReview has no request",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}"#,
            "AdmissionReview has no request",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":""}}"#,
            "AdmissionReview's request has no uid",
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":7}}"#,
            "body is not an AdmissionReview: invalid type: integer `7`, expected a string",
        ),
    ] {
        let error = decode(body.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{body}: {error}");
    }
}

#[test]
fn what_a_sender_calls_it_is_cut() {
    let body = json!({"apiVersion": "x".repeat(9_000), "kind": "\n"});
    let error = decode(&serde_json::to_vec(&body).unwrap()).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with(r#"body is "\n" of "xxxx"#), "{error}");
    assert!(error.len() < 200, "{error}");
}

#[test]
fn text_in_the_place_of_something_else_is_cut() {
    let body = json!({"apiVersion": API_VERSION, "kind": KIND, "request": "é".repeat(9_000)});
    let error = decode(&serde_json::to_vec(&body).unwrap()).unwrap_err().to_string();
    assert!(error.ends_with("é… at line 1 column 18073"), "{error}");
    assert!(error.chars().count() < 400, "{error}");
}

#[test]
fn depth_is_no_matter() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let body = format!(
        r#"{{"apiVersion":"{API_VERSION}","kind":"{KIND}","request":{{"object":{deep},"uid":"u"}}}}"#
    );
    assert_eq!(decode(body.as_bytes()).unwrap().uid, "u");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn no_cut_or_changed_review_panics(cut in any::<prop::sample::Index>(), byte: u8, object in "\\PC{0,64}") {
        let mut body = review("u", &json!({"a": object}));
        let at = cut.index(body.len());
        let _ = decode(&body[..at]);
        body[at] = byte;
        let _ = decode(&body);
    }
}
