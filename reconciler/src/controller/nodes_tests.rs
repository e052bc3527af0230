use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use http::{Request, Response, StatusCode};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Client,
    client::Body,
    runtime::reflector::{self, ObjectRef},
};
use serde_json::{Value, json};
use tokio::time::advance;

use super::*;
use crate::controller::{stores::Indexes, watch::Queues};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_first_list_that_is_refused_is_not_waited_for_longer_than_it_has_to_be() {
    let mut first = FirstList::default();
    assert_eq!(first.left(at(100)), None, "it may come yet");
    first.failed(false, at(100));
    assert_eq!(first.left(at(500)), None, "no answer is none");
    first.failed(true, at(500));
    first.failed(true, at(510));
    assert_eq!(first.left(at(510)), Some(at(20)));
    assert_eq!(first.left(at(600)), Some(at(0)));
    first.failed(false, at(520));
    assert_eq!(first.left(at(520)), None);
    let mut done = FirstList::Done;
    done.failed(true, at(1));
    assert_eq!((done.left(at(100)), done), (None, FirstList::Done));
}

/// An API server that has a Lease, which nobody renews, and answers with this status.
struct Api {
    code: Arc<AtomicU16>,
    on_nodes: OnNodes,
    metrics: Metrics,
    queues: Queues,
    stop: CancellationToken,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lease() -> Value {
    json!({
        "metadata": {"name": "node-0", "namespace": "probers", "resourceVersion": "1"},
        "spec": {"holderIdentity": "prober", "leaseDurationSeconds": 10, "renewTime": "2026-01-01T00:00:00.000000Z"},
    })
}

async fn answer(request: Request<Body>, code: u16) -> Result<Response<Body>, Infallible> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = match code {
        200 if query.contains("watch=") => return std::future::pending().await,
        200 if request.uri().path().ends_with("/node-0") => lease(),
        200 => json!({"metadata": {"resourceVersion": "1"}, "items": [lease()]}),
        code => {
            let reason = if code == 404 { "NotFound" } else { "Forbidden" };
            json!({"kind": "Status", "status": "Failure", "message": "no", "reason": reason, "code": code})
        }
    };
    let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    Ok(response)
}

fn pod() -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "game-0", "namespace": "ns"}, "spec": {"nodeName": "node-0"},
    }))
    .unwrap()
}

impl Api {
    fn new(code: u16) -> Self {
        let code = Arc::new(AtomicU16::new(code));
        let now = Arc::clone(&code);
        let service = tower::service_fn(move |request| answer(request, now.load(Ordering::SeqCst)));
        let client = Client::new(service, "ns");
        let clients = Clients { watch: client.clone(), write: client.clone(), probe: client };
        let (changes, queues) = Changes::new();
        let (pods, mut writer) = reflector::store();
        writer.apply_watcher_event(&Event::Apply(pod()));
        let stores = Stores {
            sets: reflector::store().0,
            pods,
            servers: reflector::store().0,
            nodes: reflector::store().0,
            claims: reflector::store().0,
            volumes: reflector::store().0,
            budgets: reflector::store().0,
            by: Arc::new(Indexes::new()),
        };
        let metrics = Metrics::new(&mut Default::default());
        let (on_nodes, stop) = (OnNodes::unknown(), CancellationToken::new());
        follow("probers", &clients, on_nodes.clone(), &changes, &stores, &metrics, &stop);
        Self { code, on_nodes, metrics, queues, stop }
    }

    fn answers(&self, code: u16) {
        self.code.store(code, Ordering::SeqCst);
    }

    /// Whether the node is left to its prober after so many seconds more, as far as is known.
    async fn is_left(&self, seconds: u64) -> bool {
        for _ in 0..seconds * 10 {
            advance(Duration::from_millis(100)).await;
            tokio::task::yield_now().await;
        }
        self.on_nodes.probe(&pod())
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_leases_are_refused_every_node_is_probed_after_a_while() {
    for code in [401, 403, 404] {
        let mut api = Api::new(code);
        assert!(api.is_left(20).await, "{code}: nobody may probe yet");
        assert!(api.queues.pods.try_recv().is_err());
        assert!(!api.is_left(15).await, "{code}: nobody else does");
        assert_eq!(api.metrics.leases_refused.get(), 1);
        assert_eq!(api.queues.pods.try_recv().unwrap(), ObjectRef::from_obj(&pod()), "all are looked at");
        // The Role is there again.
        api.answers(200);
        let mut left = false;
        for _ in 0..90 {
            left = left || api.is_left(1).await;
        }
        assert!(left, "{code}: as soon as that is seen");
        assert_eq!(api.metrics.leases_refused.get(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_api_server_does_not_answer_nothing_is_probed_twice() {
    let api = Api::new(503);
    assert!(api.is_left(300).await);
    assert_eq!(api.metrics.leases_refused.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_prober_whose_lease_is_refused_is_given_up_after_the_promised_time() {
    for (code, left) in [(403, false), (401, false), (404, false), (503, true)] {
        let api = Api::new(200);
        assert!(api.is_left(5).await);
        api.answers(code);
        assert!(api.is_left(4).await, "{code}: it has its time");
        assert_eq!(api.is_left(5).await, left, "{code}");
        assert_eq!(api.metrics.leases_refused.get(), i64::from([401, 403].contains(&code)), "{code}");
    }
}
