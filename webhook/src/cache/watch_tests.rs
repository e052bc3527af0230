//! Tests of listing and watching, against an API server that answers what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response};
use gamewarden_api::guard::Sight;
use kube::client::Body as Sent;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use super::*;

/// A code and lines of JSON.
type Reply = (u16, Vec<Value>);

/// What is answered, request after request. Then nothing more is said.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Reply>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }

    fn client(&self) -> Client {
        let script = self.clone();
        let service = tower::service_fn(move |request: Request<Sent>| {
            let script = script.clone();
            async move {
                let query = request.uri().query().unwrap_or_default().to_owned();
                script.asked.lock().unwrap().push(query);
                let next = script.answers.lock().unwrap().pop_front();
                let Some((code, lines)) = next else { return std::future::pending().await };
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                let response = Response::builder().status(code).body(Body::from(text)).unwrap();
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        Client::new(service, "default")
    }
}

fn server(ordinal: u32, version: &str) -> Value {
    json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer",
        "metadata": {
            "name": format!("game-{ordinal}"), "namespace": "games", "resourceVersion": version,
            "labels": {"game.kruise.io/owner-gss": "game"},
        },
        "spec": {"opsState": "None"},
    })
}

fn page(ordinals: &[u32], next: &str) -> Vec<Value> {
    let items: Vec<Value> = ordinals.iter().map(|ordinal| server(*ordinal, "1")).collect();
    vec![json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerList",
        "metadata": {"resourceVersion": "5", "continue": next}, "items": items,
    })]
}

fn event(type_: &str, object: Value) -> Value {
    json!({"type": type_, "object": object})
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "told so", "reason": "Expired"})
}

/// Follows until nothing more is said; gives what is known then, and the errors that were counted.
async fn followed(script: &Script) -> (Known, u64) {
    let known = Known::default();
    let metrics = CacheMetrics::registered(&mut Registry::default(), &known);
    let client = script.client();
    let following = follow(&client, &known, Kind::Servers, &metrics);
    // The clock stands still but for what is waited for, so this ends when all has been said.
    let _ = timeout(Duration::from_secs(4), following).await;
    (known, metrics.watch_errors.get())
}

fn names(known: &Known) -> usize {
    known.ask(|cache, _| cache.servers.len())
}

#[tokio::test(start_paused = true)]
async fn pages_are_listed_and_then_watched_from_there() {
    let script = Script::of([
        (200, page(&[0, 1], "more")),
        (200, page(&[2], "")),
        (
            200,
            vec![
                event("ADDED", server(3, "6")),
                event("DELETED", server(0, "7")),
                event(
                    "BOOKMARK",
                    json!({
                        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer",
                        "metadata": {"resourceVersion": "9"},
                    }),
                ),
            ],
        ),
    ]);
    let (known, errors) = followed(&script).await;
    assert_eq!((names(&known), errors), (3, 0));
    let asked = script.asked.lock().unwrap().clone();
    assert!(asked[1].contains("continue=more"), "{asked:?}");
    assert!(asked[2].contains("watch=true") && asked[2].contains("resourceVersion=5"), "{asked:?}");
    assert!(asked[3].contains("resourceVersion=9"), "it goes on from the bookmark: {asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_goes_on_from_where_it_was_and_is_broken_meanwhile() {
    let script = Script::of([
        (200, page(&[0], "")),
        (200, vec![event("ADDED", server(1, "6"))]),
        (500, vec![status(500)]),
    ]);
    let known = Known::default();
    known.note(|age, now| age.opened(Kind::Sets, now));
    let metrics = CacheMetrics::registered(&mut Registry::default(), &known);
    let client = script.client();
    let following = follow(&client, &known, Kind::Servers, &metrics);
    let _ = timeout(Duration::from_secs(2), following).await;
    known.note(|age, now| age.answered(now));
    assert_eq!((names(&known), metrics.watch_errors.get()), (2, 1));
    assert_eq!(known.ask(|_, sight| sight), Sight::Never, "broken, so never proven");
    let asked = script.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked[3].contains("watch=true") && asked[3].contains("resourceVersion=6"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_expired_is_listed_again_and_what_has_vanished_is_gone() {
    for expired in [(410, vec![status(410)]), (200, vec![event("ERROR", status(410))])] {
        let script = Script::of([(200, page(&[0, 1], "")), expired, (200, page(&[1], ""))]);
        let (known, errors) = followed(&script).await;
        assert_eq!((names(&known), errors), (1, 1));
        let asked = script.asked.lock().unwrap().clone();
        assert!(!asked[2].contains("watch=true"), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_shows_nothing_of_itself() {
    let script = Script::of([(200, page(&[0], "more")), (500, vec![status(500)])]);
    let (known, errors) = followed(&script).await;
    assert_eq!((names(&known), errors), (0, 1));
}
