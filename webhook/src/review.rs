//! AdmissionReview, the envelope: from bytes to the request, from a verdict to the answer. Pure.
//!
//! Read leniently (fields that nobody here needs are skipped, whatever is in them, however deep) and
//! written by the book.

use serde::{Deserialize, Serialize};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// What is needed of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The API server's name for it, which the answer repeats.
    pub uid: String,
}

/// Why bytes are not a review that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Not JSON, or not of this shape.
    #[error("body is not an AdmissionReview: {0}")]
    Json(#[from] serde_json::Error),
    /// Something else, or of a version that is no longer.
    #[error("body is {kind} of {api_version}, want {KIND} of {API_VERSION}")]
    Version {
        /// As it was sent.
        api_version: String,
        /// As it was sent.
        kind: String,
    },
    /// An answer, or nothing.
    #[error("AdmissionReview has no request")]
    NoRequest,
    /// An answer could not be matched with it.
    #[error("AdmissionReview's request has no uid")]
    NoUid,
}

/// Reads a request.
///
/// # Errors
/// The bytes are not an `admission.k8s.io/v1` AdmissionReview with a request that has a uid.
pub fn decode(body: &[u8]) -> Result<Request, Malformed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Envelope {
        #[serde(default)]
        api_version: String,
        #[serde(default)]
        kind: String,
        request: Option<Inner>,
    }
    #[derive(Deserialize)]
    #[serde(expecting = "an object as request")]
    struct Inner {
        #[serde(default)]
        uid: String,
    }

    let envelope: Envelope = serde_json::from_slice(body)?;
    if envelope.api_version != API_VERSION || envelope.kind != KIND {
        return Err(Malformed::Version {
            api_version: quoted(&envelope.api_version),
            kind: quoted(&envelope.kind),
        });
    }
    let request = envelope.request.ok_or(Malformed::NoRequest)?;
    if request.uid.is_empty() {
        return Err(Malformed::NoUid);
    }
    Ok(Request { uid: request.uid })
}

/// What the sender called it, short enough for an answer and a log line.
fn quoted(text: &str) -> String {
    const MOST: usize = 64;
    let cut: String = text.chars().take(MOST).collect();
    format!("{cut:?}")
}

/// An answer, ready to be written as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Verdict<'a>,
}

#[derive(Debug, Serialize)]
struct Verdict<'a> {
    uid: &'a str,
    allowed: bool,
}

impl Request {
    /// The answer that lets the request pass as it is.
    #[must_use]
    pub fn allow(&self) -> Answer<'_> {
        Answer { api_version: API_VERSION, kind: KIND, response: Verdict { uid: &self.uid, allowed: true } }
    }
}

#[cfg(test)]
mod tests {
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
    fn the_answer_is_by_the_book() {
        let request = decode(&review("u-1", &Value::Null)).unwrap();
        let answer = serde_json::to_value(request.allow()).unwrap();
        let expected = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {"uid": "u-1", "allowed": true},
        });
        assert_eq!(answer, expected);
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
    fn depth_is_no_matter() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let body = format!(
            r#"{{"apiVersion":"{API_VERSION}","kind":"{KIND}","request":{{"object":{deep},"uid":"u"}}}}"#
        );
        assert_eq!(decode(body.as_bytes()).unwrap().uid, "u");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// §5: always an AdmissionReview with the request's uid, whatever else arrives.
        #[test]
        fn the_uid_comes_back(uid in "\\PC{1,64}", object in any_json()) {
            let request = decode(&review(&uid, &object)).unwrap();
            let answer = serde_json::to_value(request.allow()).unwrap();
            prop_assert_eq!(&answer["response"]["uid"], &Value::from(uid));
            prop_assert_eq!(&answer["response"]["allowed"], &Value::from(true));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn no_cut_or_changed_review_panics(cut in any::<prop::sample::Index>(), byte: u8, object in any_json()) {
            let mut body = review("u", &object);
            let at = cut.index(body.len());
            let _ = decode(&body[..at]);
            body[at] = byte;
            let _ = decode(&body);
        }
    }
}
