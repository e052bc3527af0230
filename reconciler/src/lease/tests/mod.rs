//! An API server with one lease in it, and what it can do to those who ask.

mod rule;
mod shell;
mod simulation;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Config, Elector, Fence, LeaseMetrics};

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Carried out after the first time, answered after the second; carried out also if the asker
    /// has gone by then.
    Served(Duration, Duration),
    /// Never arrives.
    Lost,
    /// Carried out, but the answer never arrives.
    AnswerLost,
    /// 503 at once.
    Unavailable,
}

const SERVED: Fate = Fate::Served(Duration::ZERO, Duration::ZERO);

#[derive(Clone, Default)]
struct FakeApi(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: u64,
    /// `METHOD path`, as they were carried out.
    log: Vec<String>,
}

impl FakeApi {
    fn with_lease(spec: Value) -> Self {
        let api = Self::default();
        api.write(spec);
        api
    }

    /// Somebody else writes the lease.
    fn write(&self, spec: Value) {
        let mut state = self.0.lock().unwrap();
        state.version += 1;
        let version = state.version.to_string();
        state.lease = Some(json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "leader", "namespace": "ns", "resourceVersion": version},
            "spec": spec,
        }));
    }

    /// Somebody annotates the lease.
    fn touch(&self) {
        let mut state = self.0.lock().unwrap();
        state.version += 1;
        let version = state.version.to_string();
        let lease = state.lease.as_mut().unwrap();
        lease["metadata"]["resourceVersion"] = version.into();
        lease["metadata"]["annotations"] = json!({"note": "looked at"});
    }

    fn delete(&self) {
        self.0.lock().unwrap().lease = None;
    }

    fn lease(&self) -> Value {
        self.0.lock().unwrap().lease.clone().unwrap()
    }

    fn spec(&self) -> Value {
        self.lease()["spec"].clone()
    }

    fn log(&self) -> Vec<String> {
        self.0.lock().unwrap().log.clone()
    }

    /// A client whose requests meet these fates.
    fn client(&self, fate: impl Fn() -> Fate + Send + Sync + 'static) -> Client {
        let api = self.clone();
        let fate = Arc::new(fate);
        let service = tower::service_fn(move |request: Request<Body>| {
            let (api, fate) = (api.clone(), fate());
            async move { Ok::<_, Infallible>(api.meet(request, fate).await) }
        });
        Client::new(service, "ns")
    }

    /// A candidate with default times.
    fn elector(&self, identity: &str, fate: impl Fn() -> Fate + Send + Sync + 'static) -> Elector {
        let metrics = LeaseMetrics::default();
        let client = self.client(fate);
        Elector::new(client, "ns", "leader", identity.into(), Config::default(), metrics).unwrap()
    }

    async fn meet(self, request: Request<Body>, fate: Fate) -> Response<Body> {
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let bytes = request.into_body().collect_bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let served = |before| async move {
            // Of its own, so that the asker's timeout does not call it back.
            let carried_out = tokio::spawn(async move {
                sleep(before).await;
                self.serve(&method, &path, body)
            });
            carried_out.await.unwrap()
        };
        match fate {
            Fate::Unavailable => status(503, "ServiceUnavailable", "etcd is away"),
            Fate::Lost => std::future::pending().await,
            Fate::AnswerLost => {
                served(Duration::ZERO).await;
                std::future::pending().await
            }
            Fate::Served(before, after) => {
                let response = served(before).await;
                sleep(after).await;
                response
            }
        }
    }

    fn serve(&self, method: &str, path: &str, mut body: Value) -> Response<Body> {
        let mut state = self.0.lock().unwrap();
        state.log.push(format!("{method} {path}"));
        match (method, state.lease.take()) {
            ("GET", Some(lease)) => {
                state.lease = Some(lease.clone());
                return answer(200, &lease);
            }
            ("GET" | "PUT", None) => return status(404, "NotFound", "no lease"),
            ("POST", Some(lease)) => {
                state.lease = Some(lease);
                return status(409, "AlreadyExists", "there is one");
            }
            ("PUT", Some(lease))
                if lease["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"] =>
            {
                state.lease = Some(lease);
                return status(409, "Conflict", "the object has been modified");
            }
            ("PUT", Some(lease)) if lease == body => {
                // As the real one does: what changes nothing is no new version.
                state.lease = Some(lease);
                return answer(200, &body);
            }
            _ => {}
        }
        state.version += 1;
        body["metadata"]["resourceVersion"] = state.version.to_string().into();
        state.lease = Some(body.clone());
        answer(200, &body)
    }
}

fn answer(code: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

fn status(code: u16, reason: &str, message: &str) -> Response<Body> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    answer(code, &body)
}

/// The spec of somebody else's lease.
fn held_by(holder: &str, renewed: Timestamp) -> Value {
    let time = format!("{renewed:.6}");
    json!({
        "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 7,
        "acquireTime": time, "renewTime": time,
    })
}
