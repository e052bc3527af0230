//! Starts watches, reconcilers and prober, and keeps them going until the shutdown.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, TryFuture, channel::mpsc::UnboundedReceiver};
use gamewarden_api::schedule::Hosts;
use gamewarden_runtime::Process;
use kube::{
    Client, Resource,
    runtime::{
        controller::{self, Action, applier},
        reflector::{ObjectRef, Store, store::WriterDropped},
    },
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Context, Metrics, Stores, nodes, okg, server, set, watch};
use crate::{
    probe::{self, OnNodes},
    write::Writer,
};

/// How many objects of a kind are reconciled at once.
const CONCURRENCY: u16 = 16;

/// How many events may wait to be written before the prober drops some: minutes of bad news.
const NOTES: usize = 1024;

/// How long the first lists may take before it is said that something is wrong.
const FIRST_LIST: Duration = Duration::from_secs(30);

/// The controller could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A watch ended before its first list.
    #[error("a watch ended before it had listed anything")]
    WatchEnded(#[from] WriterDropped),
    /// The prober could not start.
    #[error(transparent)]
    Probe(#[from] probe::Error),
    /// The prober could not be set up.
    #[error("TLS cannot be used for probes")]
    Tls(#[from] rustls::Error),
    /// A reconciler ended although nothing asked it to.
    #[error("the {0} ended without a reason")]
    Ended(&'static str),
}

/// Clients, each with timeouts that suit its work; none repeats a request by itself.
pub struct Clients {
    /// For watches: long silence is normal.
    pub watch: Client,
    /// For writes.
    pub write: Client,
    /// For probes.
    pub probe: Client,
}

/// Settings of the controller.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many probes may run at once.
    pub concurrent_probes: usize,
    /// Whom probes may ask.
    pub probe_hosts: Hosts,
    /// Namespace of the Leases of node probers, where there may be some.
    pub prober_namespace: Option<String>,
}

/// Runs until `stop` is cancelled; then finishes what it has begun.
///
/// # Errors
/// When a part of it ends by itself. The process should end then: its state is in the cluster.
pub async fn run(
    clients: Clients,
    config: &Config,
    process: &Process,
    stop: CancellationToken,
) -> Result<(), Error> {
    let metrics = process.metrics.register(Metrics::new);
    let probe_metrics = process.metrics.register(probe::Metrics::register);
    let (changes, queues) = watch::Changes::new();
    let stores = watch::start(&clients.watch, &changes, &metrics, &stop);
    // A leader that cannot see the cluster is no use, and `kubectl rollout status` should say so.
    let listed = process.health.readiness("first lists");
    // Before it is known who probes what, nothing is probed; everything else goes on.
    let on_nodes = match config.prober_namespace.as_deref() {
        Some(namespace) => {
            let on_nodes = OnNodes::unknown();
            nodes::follow(namespace, &clients, on_nodes.clone(), &changes, &stores, &metrics, &stop);
            on_nodes
        }
        None => OnNodes::default(),
    };
    if !wait_until_listed(&stores, &stop).await? {
        return Ok(());
    }
    listed.set(true);
    process.metrics.register(|registry| okg::register(registry, &stores));
    let writer = Writer::new(clients.write);
    let results = probe::Results::default();
    let (notes, to_publish) = mpsc::channel(NOTES);
    let prober = probe::run(
        probe::Context {
            writer: writer.clone(),
            prober: probe::Probers::new(clients.probe)?,
            sets: stores.sets.clone(),
            pods: stores.pods.clone(),
            servers: stores.servers.clone(),
            nodes: stores.nodes.clone(),
            others: on_nodes.clone(),
            tells_pods: false,
            changed: changes.any(),
            claims: queues.claims,
            news: changes.servers(),
            notes,
            results: results.clone(),
            metrics: probe_metrics,
            hosts: config.probe_hosts,
            max_in_flight: config.concurrent_probes,
        },
        stop.clone(),
    );
    let context = Arc::new(Context::new(stores.clone(), writer, results, on_nodes, metrics));
    let sets = drive(queues.sets, stores.sets, &context, &stop, set::reconcile, set::failed);
    let servers = drive(queues.pods, stores.pods, &context, &stop, server::reconcile, server::failed);
    tracing::info!("reconciling");
    // Each of them ends when `stop` is cancelled; one that ends before that takes the process along.
    let ended = |what| if stop.is_cancelled() { Ok(()) } else { Err(Error::Ended(what)) };
    let all = async {
        tokio::try_join!(
            async {
                sets.await;
                ended("reconciler of sets")
            },
            async {
                servers.await;
                ended("reconciler of servers")
            },
            async {
                prober.await?;
                ended("prober")
            },
            // Ends when the prober has, and everything it had to say is said.
            async {
                publish(to_publish, &context).await;
                ended("publisher of events")
            },
        )
    };
    all.await.map(drop)
}

/// Writes what the prober has to say to people, one after another: there is never much of it.
async fn publish(mut notes: mpsc::Receiver<probe::Note>, context: &Context) {
    while let Some(note) = notes.recv().await {
        context.say(&note.event, &note.about).await;
    }
}

/// Waits for the first list of every kind; `false` when the shutdown comes first.
async fn wait_until_listed(stores: &Stores, stop: &CancellationToken) -> Result<bool, Error> {
    let listed = async {
        stores.sets.wait_until_ready().await?;
        stores.pods.wait_until_ready().await?;
        stores.servers.wait_until_ready().await?;
        stores.nodes.wait_until_ready().await?;
        stores.claims.wait_until_ready().await?;
        stores.volumes.wait_until_ready().await?;
        stores.budgets.wait_until_ready().await
    };
    let mut listed = std::pin::pin!(listed);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            result = timeout(FIRST_LIST, &mut listed) => match result {
                Ok(result) => return Ok(result.map(|()| true)?),
                // Nothing is done on a partial view; the watches keep trying and say why they fail.
                Err(_) => tracing::warn!("still waiting for the first lists; are the CRDs installed?"),
            }
        }
    }
}

/// Reconciles whatever comes out of a queue, each object one at a time, until the shutdown.
async fn drive<K, Fut, F, P>(
    queue: UnboundedReceiver<ObjectRef<K>>,
    store: Store<K>,
    context: &Arc<Context>,
    stop: &CancellationToken,
    reconcile: F,
    failed: P,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: Fn(Arc<K>, Arc<Context>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Action, <Fut as TryFuture>::Error>> + TryFuture<Ok = Action> + Send + 'static,
    <Fut as TryFuture>::Error: std::error::Error + Send + 'static,
    P: Fn(Arc<K>, &<Fut as TryFuture>::Error, Arc<Context>) -> Action + Send + Sync + 'static,
{
    let queue = queue.take_until(stop.clone().cancelled_owned()).map(Ok::<_, std::convert::Infallible>);
    let config = controller::Config::default().concurrency(CONCURRENCY);
    let reconciled = applier(
        move |object, context| Box::pin(reconcile(object, context)),
        failed,
        Arc::clone(context),
        store,
        queue,
        config,
    );
    drain(reconciled).await;
}

/// The reconcilers log and count their own errors; what is left to say here is that an object is gone,
/// which is the end of its story.
async fn drain<T, E: std::fmt::Display>(stream: impl Stream<Item = Result<T, E>>) {
    let mut stream = std::pin::pin!(stream);
    while let Some(result) = stream.next().await {
        if let Err(error) = result {
            tracing::trace!(%error, "not reconciled");
        }
    }
}
