//! An API server in memory: objects by path, each with a resourceVersion that writes have to name.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

pub(crate) const SECRETS: &str = "/api/v1/namespaces/games/secrets";
pub(crate) const EVENTS: &str = "/api/v1/namespaces/games/events";
const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1";
pub(crate) const MUTATING: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/gamewarden";
pub(crate) const VALIDATING: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/gamewarden";

/// Clones are one and the same.
#[derive(Clone, Default)]
pub(crate) struct FakeApi(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    events: Vec<Value>,
    writes: usize,
    /// Writes to paths that begin like this are forbidden.
    forbidden: Option<String>,
}

impl FakeApi {
    /// One with both configurations, whose caBundles are empty.
    pub(crate) fn new() -> Self {
        let api = Self::default();
        for (path, kind) in
            [(MUTATING, "MutatingWebhookConfiguration"), (VALIDATING, "ValidatingWebhookConfiguration")]
        {
            let webhook = |name: &str| json!({"name": name, "clientConfig": {"service": {"name": "gw"}}});
            api.put(
                path,
                json!({
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": kind,
                    "metadata": {"name": "gamewarden"},
                    "webhooks": [webhook("a.b.c"), webhook("d.e.f")],
                }),
            );
        }
        api
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Client::new(service, "games")
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.lock().objects.get(path).cloned()
    }

    /// Writes as somebody else.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.lock().store(path, object);
    }

    pub(crate) fn delete(&self, path: &str) {
        self.lock().objects.remove(path);
    }

    pub(crate) fn forbid(&self, path: Option<&str>) {
        self.lock().forbidden = path.map(str::to_owned);
    }

    /// The reasons of the events.
    pub(crate) fn events(&self) -> Vec<String> {
        let reason = |event: &Value| event["reason"].as_str().unwrap().to_owned();
        self.lock().events.iter().map(reason).collect()
    }

    /// How many writes there were, events not counted.
    pub(crate) fn writes(&self) -> usize {
        self.lock().writes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        // Another keeper's turn.
        tokio::task::yield_now().await;
        let (code, answer) = self.lock().handle(&head.method, head.uri.path(), &body);
        Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap()
    }
}

impl State {
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn handle(&mut self, method: &Method, path: &str, body: &[u8]) -> (StatusCode, Value) {
        if method == Method::GET {
            let found = self.objects.get(path).cloned();
            return found.map_or_else(|| refusal(404, "NotFound"), |object| (StatusCode::OK, object));
        }
        if self.forbidden.as_ref().is_some_and(|forbidden| path.starts_with(forbidden.as_str())) {
            return refusal(403, "Forbidden");
        }
        let sent: Value = serde_json::from_slice(body).unwrap();
        if path == EVENTS {
            self.events.push(sent.clone());
            return (StatusCode::CREATED, sent);
        }
        assert!(path.starts_with(SECRETS) || path.starts_with(CONFIGURATIONS), "{method} {path}");
        if method == Method::POST {
            let path = format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap());
            if self.objects.contains_key(&path) {
                return refusal(409, "AlreadyExists");
            }
            self.writes += 1;
            return (StatusCode::CREATED, self.store(&path, sent));
        }
        let Some(before) = self.objects.get(path) else { return refusal(404, "NotFound") };
        let mut after = before.clone();
        if method == Method::PATCH {
            let patch: json_patch::Patch = serde_json::from_value(sent).unwrap();
            json_patch::patch(&mut after, &patch).unwrap();
        } else {
            after = sent;
        }
        if after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"] {
            return refusal(409, "Conflict");
        }
        self.writes += 1;
        (StatusCode::OK, self.store(path, after))
    }
}

fn refusal(code: u16, reason: &str) -> (StatusCode, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "reason": reason, "message": reason,
    });
    (StatusCode::from_u16(code).unwrap(), status)
}
