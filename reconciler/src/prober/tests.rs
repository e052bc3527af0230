use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::probe::{Answer, ProbeTarget};

/// A runtime that is there or not.
#[derive(Clone)]
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn set(&self, answers: bool) {
        self.0.store(answers, Ordering::SeqCst);
    }
}

impl Runtime for Switch {
    async fn answers(&self) -> Result<(), String> {
        if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err("off".to_owned()) }
    }
}

/// There is nothing to ask.
#[derive(Clone)]
struct Nobody;

impl Prober for Nobody {
    async fn probe(&self, _: &ProbeTarget, _: Duration) -> Answer {
        panic!("asked")
    }
}

/// An API server with nothing in it, which shows that once it is there.
fn api(there: Arc<AtomicBool>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let there = there.load(Ordering::SeqCst);
        async move {
            if request.uri().query().unwrap_or_default().contains("watch=") || !there {
                std::future::pending::<()>().await;
            }
            let list = json!({"metadata": {"resourceVersion": "1"}, "items": []});
            Ok::<_, Infallible>(Response::new(Body::from(serde_json::to_vec(&list).unwrap())))
        }
    });
    Client::new(service, "ns")
}

fn config() -> Config {
    Config { node: "node-0".to_owned(), concurrent_probes: 1, probe_hosts: Hosts::PodsOnly }
}

const LONG: Duration = Duration::from_secs(120);

#[tokio::test(start_paused = true)]
async fn who_cannot_probe_does_not_get_as_far_as_the_lease() {
    let process = Process::new();
    let stop = process.shutdown.token();
    let runtime = Switch(Arc::new(AtomicBool::new(true)));
    let unseen = Node::watch("node-0", api(Arc::new(AtomicBool::new(false))), &process);
    assert!(timeout(LONG, unseen.wait_until_able(&runtime, &stop)).await.is_err(), "nothing is listed");
    assert_eq!(process.health.unready(), ["first lists", "container runtime", "lease of the node"]);

    let process = Process::new();
    runtime.set(false);
    let node = Node::watch("node-0", api(Arc::new(AtomicBool::new(true))), &process);
    assert!(timeout(LONG, node.wait_until_able(&runtime, &stop)).await.is_err(), "the runtime is silent");
    assert_eq!(process.health.unready(), ["container runtime", "lease of the node"]);
    runtime.set(true);
    assert!(timeout(LONG, node.wait_until_able(&runtime, &stop)).await.unwrap());
    assert_eq!(process.health.unready(), ["lease of the node"]);
    runtime.set(false);
    process.shutdown.drain();
    assert!(!timeout(LONG, node.wait_until_able(&runtime, &process.shutdown.token())).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_turn_ends_when_the_runtime_is_silent_and_another_may_follow() {
    let process = Process::new();
    let stop = process.shutdown.token();
    let there = Arc::new(AtomicBool::new(true));
    let runtime = Switch(Arc::new(AtomicBool::new(true)));
    let node = Node::watch("node-0", api(Arc::clone(&there)), &process);
    for _ in 0..2 {
        assert!(timeout(LONG, node.wait_until_able(&runtime, &stop)).await.unwrap());
        let config = config();
        let turn = node.probe(api(Arc::clone(&there)), Nobody, &runtime, &config, &stop);
        let mut turn = Box::pin(turn);
        assert!(timeout(LONG, &mut turn).await.is_err());
        assert!(process.health.unready().is_empty(), "it probes");
        runtime.set(false);
        assert_eq!(timeout(LONG, turn).await.unwrap().unwrap(), End::Unable);
        assert_eq!(process.health.unready(), ["container runtime", "lease of the node"]);
        runtime.set(true);
    }
    assert!(node.wait_until_able(&runtime, &stop).await);
    process.shutdown.drain();
    let config = config();
    let turn = node.probe(api(there), Nobody, &runtime, &config, &stop);
    assert_eq!(timeout(LONG, turn).await.unwrap().unwrap(), End::Stopped);
}

#[test]
fn the_times_of_the_lease_are_safe_and_believed() {
    assert_eq!(LEASE.validate(), Ok(()));
    assert!(LEASE.lease_duration <= crate::lease::LONGEST_PROMISE);
    // Or a renewal finds a connection that is just being closed.
    assert!(LEASE.renew_deadline / 2 >= LEASE.retry_period * 2);
}
