//! Asks the API server for a sign of life: a watch alone does not tell silence from death.

use std::time::Duration;

use gamewarden_api::GameServerSet;
use gamewarden_runtime::Readiness;
use kube::Client;
use kube::api::{Api, ListParams};
use tokio::time::{Instant, sleep, timeout};

use super::Known;

/// How often it is asked.
const PERIOD: Duration = Duration::from_secs(3);

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks for as long as it is polled; says to `ready` when the cache is filled.
pub(super) async fn beat(client: &Client, known: &Known, ready: &Readiness) {
    let sets: Api<GameServerSet> = Api::all(client.clone());
    // As small as a read can be that the API server does not answer from its memory alone.
    let one = ListParams::default().limit(1);
    loop {
        let asked = Instant::now();
        match timeout(PATIENCE, sets.list_metadata(&one)).await {
            Ok(Ok(_)) => known.note(|age, _| age.answered(asked)),
            Ok(Err(error)) => {
                known.note(|age, _| age.unanswered());
                tracing::warn!(%error, "the API server does not answer: what it shows may be old");
            }
            Err(_) => {
                known.note(|age, _| age.unanswered());
                tracing::warn!("the API server does not answer in time: what it shows may be old");
            }
        }
        if known.read_age().is_filled() {
            ready.set(true);
        }
        tokio::select! {
            () = sleep(PERIOD) => {}
            () = known.asks.notified() => {}
        }
    }
}
