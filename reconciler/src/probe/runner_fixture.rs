//! The loop with a prober that answers as told and an API server that holds one GameServer, for its tests.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use gamewarden_api::{GameServer, quality::Outcome, schedule::Hosts};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::ObjectRef;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Answer, Context, Error, Metrics, Note, OnNodes, ProbeTarget, Prober, Results,
    fixtures::{Filled, Server, Stores, pod, running, server, set},
    run, until,
};

/// What the prober does: how long it takes, what it says, how long it hangs after its timeout.
#[derive(Clone)]
pub(super) enum Does {
    Says(Outcome),
    SaysAfter(Duration, Outcome),
    Hangs(Duration),
    /// Finds that the container has ended.
    FindsItGone,
}

#[derive(Clone)]
pub(super) struct Fake(pub(super) Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) does: Does,
    pub(super) starts: Vec<Instant>,
    pub(super) at_once: usize,
    pub(super) most_at_once: usize,
}

/// Counts one probe while it lives.
struct Alive(Fake);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().at_once -= 1;
    }
}

impl Prober for Fake {
    async fn probe(&self, target: &ProbeTarget, timeout: Duration) -> Answer {
        assert_eq!((&*target.namespace, &*target.pod, &*target.container), ("ns", "game-0", "main"));
        let does = {
            let mut state = self.0.lock().unwrap();
            state.starts.push(Instant::now());
            state.at_once += 1;
            state.most_at_once = state.most_at_once.max(state.at_once);
            state.does.clone()
        };
        let alive = Alive(self.clone());
        match does {
            Does::Says(outcome) => Answer::of(outcome),
            Does::FindsItGone => Answer { gone: true, ..Answer::of(unknown()) },
            Does::SaysAfter(time, outcome) => {
                sleep(time).await;
                Answer::of(outcome)
            }
            Does::Hangs(time) => {
                sleep(timeout).await;
                let hanging = async move {
                    let _alive = alive;
                    sleep(time).await;
                };
                Answer { hanging: Some(until(hanging)), ..Answer::none_within(timeout) }
            }
        }
    }
}

pub(super) fn success(result: &str) -> Outcome {
    Outcome::Success { result: result.to_owned() }
}

pub(super) fn failure(result: &str) -> Outcome {
    Outcome::Failure { result: result.to_owned() }
}

pub(super) fn unknown() -> Outcome {
    Outcome::Unknown { reason: "connection refused".to_owned() }
}

pub(super) struct Fixture {
    pub(super) prober: Fake,
    pub(super) stores: Stores,
    pub(super) server: Server,
    pub(super) changed: Arc<Notify>,
    pub(super) claims: futures::channel::mpsc::UnboundedSender<Arc<GameServer>>,
    pub(super) results: Results,
    pub(super) others: OnNodes,
    pub(super) notes: mpsc::Receiver<Note>,
    pub(super) news: futures::channel::mpsc::UnboundedReceiver<ObjectRef<Pod>>,
    pub(super) shutdown: CancellationToken,
    pub(super) run: tokio::task::JoinHandle<Result<(), Error>>,
}

impl Fixture {
    pub(super) fn start(does: Does, qualities: Value) -> Self {
        Self::begin(does, qualities, false)
    }

    /// As the prober of the node.
    pub(super) fn on_node(does: Does, qualities: Value) -> Self {
        Self::begin(does, qualities, true)
    }

    fn begin(does: Does, qualities: Value, tells_pods: bool) -> Self {
        let state = State { does, starts: vec![], at_once: 0, most_at_once: 0 };
        let prober = Fake(Arc::new(Mutex::new(state)));
        let stores = Stores {
            sets: Filled::with([set(1, qualities)]),
            pods: Filled::with([pod("c://1", running())]),
            servers: Filled::with([server(1)]),
        };
        let server = Server::with(server(1));
        let (changed, results, shutdown) =
            (Arc::new(Notify::new()), Results::default(), CancellationToken::new());
        let (sender, notes) = mpsc::channel(16);
        let (queue, news) = futures::channel::mpsc::unbounded();
        let (claims, claimed) = futures::channel::mpsc::unbounded();
        let others = OnNodes::default();
        let context = Context {
            writer: crate::write::Writer::new(server.client()),
            prober: prober.clone(),
            sets: stores.sets.store.clone(),
            pods: stores.pods.store.clone(),
            servers: stores.servers.store.clone(),
            nodes: kube::runtime::reflector::store().0,
            others: others.clone(),
            tells_pods,
            changed: Arc::clone(&changed),
            claims: claimed,
            news: queue,
            notes: sender,
            results: results.clone(),
            metrics: Metrics::register(&mut Registry::default()),
            hosts: Hosts::PodsOnly,
            max_in_flight: 2,
        };
        let run = tokio::spawn(run(context, shutdown.clone()));
        Self { prober, stores, server, changed, claims, results, others, notes, news, shutdown, run }
    }

    pub(super) fn does(&self, does: Does) {
        self.prober.0.lock().unwrap().does = does;
    }

    pub(super) fn starts(&self) -> usize {
        self.prober.0.lock().unwrap().starts.len()
    }

    /// Shows the stores what the API server holds, as a watch does.
    pub(super) fn watch(&mut self) {
        let object = self.server.0.lock().unwrap().object.clone();
        self.stores.servers.apply(object.unwrap());
        self.changed.notify_waiters();
    }

    pub(super) fn pod(&mut self, pod: Value) {
        self.stores.pods.apply(pod);
        self.changed.notify_waiters();
    }
}

/// Time passes in the test only while everybody waits.
pub(super) async fn seconds(n: u64) {
    sleep(Duration::from_secs(n)).await;
}
