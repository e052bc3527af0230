//! Probes that ask the pod itself over the network: HTTP, TCP and gRPC.
//!
//! ```text
//!   lookup     the host's addresses (of a pod: the one it has)
//!   connect    a connection, or whose fault it is that there is none
//!   http       a GET and its redirects            over a connection, or
//!   tls        any certificate will do            over TLS on one
//!   tcp        that there is a connection
//!   grpc       Check of the health service
//! ```
//!
//! What the server answered, or failed to answer in time, is its answer: false. Where the controller could not
//! ask (no route, no name, nothing left of what a connection takes), nothing is known of the server: Unknown.
//! All of them are stopped by dropping them, so none hangs.

mod connect;
mod grpc;
mod http;
mod lookup;
mod tcp;
mod tls;

#[cfg(test)]
mod grpc_tests;
#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod tcp_tests;
#[cfg(test)]
mod test_servers;

use std::{future::Future, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use futures::future::{Either, select};
use gamewarden_api::{
    quality::Outcome,
    schedule::{Endpoint, Host, HttpGet},
};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout};

use super::Answer;
use lookup::Lookup;

/// How we name ourselves to servers.
const USER_AGENT: &str = concat!("gamewarden-probe/", env!("CARGO_PKG_VERSION"));
/// How long a connection may take to say goodbye once the answer is there.
const GOODBYE: Duration = Duration::from_millis(50);

/// Asks over the network. Clones share their settings, never a connection.
#[derive(Clone)]
pub(super) struct Direct {
    lookup: Lookup,
    tls: Arc<ClientConfig>,
}

impl Direct {
    /// # Errors
    /// The crypto provider supports no version of TLS.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        Ok(Self { lookup: Lookup::default(), tls: Arc::new(tls::config()?) })
    }

    /// Sends the request and follows redirects on the same host.
    pub(super) async fn http(&self, get: &HttpGet, limit: Duration) -> Answer {
        self.within(&get.at.host, limit, |addresses| http::ask(get, addresses, &self.tls)).await
    }

    /// Connects.
    pub(super) async fn tcp(&self, at: &Endpoint, limit: Duration) -> Answer {
        self.within(&at.host, limit, |addresses| tcp::ask(at.port, addresses)).await
    }

    /// Asks the health service about `service`.
    pub(super) async fn grpc(&self, at: &Endpoint, service: &str, limit: Duration) -> Answer {
        self.within(&at.host, limit, |addresses| grpc::ask(at, service, addresses, limit)).await
    }

    /// Asks at the host's addresses; all of it within the limit.
    async fn within<F: Future<Output = Outcome>>(
        &self,
        host: &Host,
        limit: Duration,
        ask: impl FnOnce(Vec<IpAddr>) -> F,
    ) -> Answer {
        let started = Instant::now();
        let addresses = match timeout(limit, self.lookup.addresses(host)).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(reason)) => return Answer::of(Outcome::Unknown { reason }),
            Err(_) => {
                let reason = format!("host {host} could not be looked up within {}s", limit.as_secs());
                return Answer::of(Outcome::Unknown { reason });
            }
        };
        let left = limit.saturating_sub(started.elapsed());
        match timeout(left, ask(addresses)).await {
            Ok(outcome) => Answer::of(outcome),
            Err(_) => Answer::none_within(limit),
        }
    }
}

/// Awaits the answer while the connection is driven, then lets the connection end tidily.
async fn drive<T>(connection: impl Future, answer: impl Future<Output = T>) -> T {
    match select(pin!(answer), pin!(connection)).await {
        // The answer is what counts; a connection that does not end by itself is dropped.
        Either::Left((answer, connection)) => {
            let _ = timeout(GOODBYE, connection).await;
            answer
        }
        // What it has brought is still to be read.
        Either::Right((_, answer)) => answer.await,
    }
}

fn failure(result: impl Into<String>) -> Outcome {
    // It may quote the server.
    let result: String = result.into();
    Outcome::Failure { result: gamewarden_api::quality::result_text(true, result.as_bytes(), b"") }
}
