//! Tests of the whole: filled, ready, and aware of what it does not see. The clock is tokio's, and stands still but for
//! what is waited for.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use gamewarden_runtime::{Health, Shutdown};
use kube::client::Body as Sent;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::time::sleep;

use super::*;

/// An API server without objects: watches stay open and say nothing; whether signs of life are answered is up to the test.
#[derive(Clone, Default)]
struct Server {
    is_mute: Arc<AtomicBool>,
    watches: Arc<AtomicU64>,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Sent>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request.uri().query().unwrap_or_default())) }
        });
        Client::new(service, "default")
    }

    fn answer(&self, query: &str) -> Response<Body> {
        if query.contains("watch=true") {
            self.watches.fetch_add(1, Ordering::Relaxed);
            let silence = futures::stream::pending::<Result<Vec<u8>, Infallible>>();
            return Response::new(Body::from_stream(silence));
        }
        let is_sign = query.split('&').any(|part| part == "limit=1");
        if is_sign && self.is_mute.load(Ordering::Relaxed) {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500, "message": "no"});
            return Response::builder().status(500).body(Body::from(status.to_string())).unwrap();
        }
        let list =
            json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": []});
        Response::new(Body::from(list.to_string()))
    }
}

fn sight(known: &Known) -> Sight {
    known.ask(|_, sight| sight)
}

fn age(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("gamewarden_webhook_cache_age_seconds "));
    line.unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_filled_and_knows_when_it_has_lost_sight() {
    let (server, known, mut registry) = (Server::default(), Known::default(), Registry::default());
    let ready = Health::new(Shutdown::new()).readiness("cache");
    let metrics = CacheMetrics::registered(&mut registry, &known);
    assert_eq!((sight(&known), ready.is_ready(), &*age(&registry)), (Sight::Never, false, "inf"));
    let following = {
        let (known, ready, client) = (known.clone(), ready.clone(), server.client());
        tokio::spawn(async move { known.follow(client, &ready, &metrics).await })
    };
    sleep(Duration::from_secs(1)).await;
    assert_eq!((sight(&known), ready.is_ready()), (Sight::Clear, true));
    assert_eq!(server.watches.load(Ordering::Relaxed), 2);

    server.is_mute.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(6)).await;
    assert!(matches!(sight(&known), Sight::Lost(_)), "the API server does not answer");
    assert!(ready.is_ready(), "it still judges what it can");
    assert!(age(&registry).parse::<f64>().unwrap() >= 3.0);
    server.is_mute.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(sight(&known), Sight::Clear);

    // Watches that say nothing and do not end are dead: they are opened again, and then it sees again.
    sleep(Duration::from_millis(24_200)).await;
    assert!(matches!(sight(&known), Sight::Lost(_)), "nobody knows whether they tell all");
    sleep(Duration::from_secs(1)).await;
    assert_eq!((sight(&known), server.watches.load(Ordering::Relaxed)), (Sight::Clear, 4));
    following.abort();
}
