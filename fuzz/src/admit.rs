//! The whole way of a request through the webhook, in both phases.

use base64::{Engine, engine::general_purpose::STANDARD};
use gamewarden_api::admission::{Mode, Settings, set_defaults};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use webhook::{
    app,
    judge::Phase,
    review::{Operation, Request, decode},
};

/// No answer is larger, the uid aside, which is the API server's and stands in it as it came.
const LARGEST: usize = 256 * 1024;
/// As Kubernetes asks for it.
const LONGEST_WARNING: usize = 120;

/// Any bytes as a body. Where they are a request, both answers are by the book, and what `/mutate` has made of the
/// object is left alone by it, and let through by `/validate`.
pub(crate) fn run(body: &[u8]) {
    let Ok(request) = decode(body) else { return };
    for settings in [Settings::default(), Settings { mode: Mode::External, node_prober: true }] {
        let mutated = response(body, &request, Phase::Mutate, settings);
        let mut validated = response(body, &request, Phase::Validate, settings);
        if mutated["status"] != validated["status"] {
            // What is filled in makes a difference: the qualities of a container that has another name go along.
            let body = stored(&request, &filled(&request));
            let request = decode(&body).expect("a request that was written is one");
            validated = response(&body, &request, Phase::Validate, settings);
        }
        assert_eq!(mutated["allowed"], validated["allowed"], "the phases differ");
        assert_eq!(mutated["status"], validated["status"], "the phases differ");
        assert!(validated["patch"].is_null(), "a patch by /validate");
        if mutated["allowed"] == true && mutated["patch"].is_string() {
            let body = stored(&request, &patched(&request, &mutated));
            let request = decode(&body).expect("a request that was written is one");
            let again = response(&body, &request, Phase::Mutate, settings);
            assert_eq!(again["allowed"], true, "refused after the patch: {again:#}");
            assert!(again["patch"].is_null(), "patched once more: {again:#}");
            let validated = response(&body, &request, Phase::Validate, settings);
            assert_eq!(validated["allowed"], true, "refused after the patch: {validated:#}");
        }
    }
}

/// The answer to a body, which is checked as far as an answer can be by itself.
fn response(body: &[u8], request: &Request<'_>, phase: Phase, settings: Settings) -> Value {
    let answer = app::rules(settings)(body, phase).expect("a body that could be read is judged");
    let json = serde_json::to_vec(&answer).expect("an answer is JSON");
    // A character of the uid takes at most six.
    let size = json.len().saturating_sub(6 * request.uid.len());
    assert!(size < LARGEST, "an answer of {size} bytes");
    let mut answer: Value = serde_json::from_slice(&json).expect("an answer is JSON");
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = answer["response"].take();
    assert_eq!(response["uid"], *request.uid);
    let allowed = response["allowed"].as_bool().expect("allowed or not");
    let status = &response["status"];
    assert_eq!(allowed, status.is_null(), "who is refused is told why, and nobody else: {response:#}");
    if !allowed {
        assert!(matches!(status["code"].as_u64(), Some(400 | 422)), "{status:#}");
        assert!(status["message"].as_str().is_some_and(|message| !message.is_empty()), "{status:#}");
        assert!(response["patch"].is_null(), "a patch of what is refused");
    }
    assert_eq!(response["patch"].is_string(), response["patchType"] == "JSONPatch");
    for warning in response["warnings"].as_array().into_iter().flatten() {
        let warning = warning.as_str().expect("a warning is text");
        assert!(warning.chars().count() <= LONGEST_WARNING, "long: {warning}");
        assert!(!warning.contains(char::is_control), "several lines: {warning:?}");
    }
    response
}

/// The object as the defaults leave it, which a refusal has no patch for.
fn filled(request: &Request<'_>) -> Value {
    let read = |object: &RawValue| serde_json::from_str(object.get()).ok();
    let mut object: Value = request.object.and_then(read).expect("what is judged can be read");
    let old: Option<Value> = request.old_object.and_then(read);
    let _ = set_defaults(&mut object, old.as_ref());
    object
}

/// The object with the patch applied, as the API server does it.
fn patched(request: &Request<'_>, response: &Value) -> Value {
    let object = request.object.map(RawValue::get).expect("what is patched is there");
    let mut object: Value = serde_json::from_str(object).expect("what is patched can be read");
    let patch = STANDARD.decode(response["patch"].as_str().unwrap_or_default()).expect("a patch is Base64");
    let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a patch is a JSON Patch");
    json_patch::patch(&mut object, &patch).expect("a patch fits the object that it is for");
    object
}

/// The same request with the object as it has become.
fn stored(request: &Request<'_>, object: &Value) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Rest<'a> {
        api_version: &'a str,
        kind: &'a str,
        request: Inner<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner<'a> {
        uid: &'a str,
        name: &'a str,
        operation: &'a str,
        kind: Value,
        resource: Value,
        object: &'a Value,
        // As it was sent: it may be nested deeper than a value can be.
        old_object: Option<&'a RawValue>,
    }
    let operation = match request.operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Other => "CONNECT",
    };
    let review = Rest {
        api_version: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        request: Inner {
            uid: &request.uid,
            name: &request.name,
            operation,
            kind: json!({"group": request.kind.group, "kind": request.kind.kind}),
            resource: json!({"group": request.resource.group, "resource": request.resource.resource}),
            object,
            old_object: request.old_object,
        },
    };
    serde_json::to_vec(&review).expect("a request is JSON")
}
