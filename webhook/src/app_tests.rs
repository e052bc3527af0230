//! What becomes of a body on its way to the rules.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use axum::body::Body;
use gamewarden_runtime::Metrics;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

fn review(object: &str) -> Vec<u8> {
    format!(
        r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {{
            "uid": "u-1", "operation": "CREATE", "name": "minecraft",
            "kind": {{"group": "game.kruise.io", "kind": "GameServerSet"}},
            "resource": {{"group": "game.kruise.io", "resource": "gameserversets"}}, "object": {object}}}}}"#
    )
    .into_bytes()
}

#[test]
fn an_object_that_is_read_along_the_way_is_judged_as_one_that_is_read_by_itself() {
    let rules = rules(Settings::default());
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for object in [
        r#"{"spec": {"replicas": 3, "gameServerTemplate": {"spec": {"containers": [{"name": "a", "image": "i"}]}}}}"#,
        r#"{"spec": {"replicas": 3, "replicas": -1}}"#,
        "null",
        "7",
        r#"{"spec": "\ud800"}"#,
        "1e999",
        &deep,
    ] {
        let body = review(object);
        for phase in [Phase::Mutate, Phase::Validate] {
            let with_care = judge::answer(&review::decode(&body).unwrap(), phase, &Settings::default());
            let [quick, with_care] =
                [rules(&body, phase).unwrap(), with_care].map(|answer| serde_json::to_value(answer).unwrap());
            assert_eq!(quick, with_care, "{object}");
            assert_eq!(quick["response"]["uid"], "u-1");
        }
    }
    let Err(refusal) = rules(b"{}", Phase::Mutate) else { panic!("nothing is no review") };
    assert_eq!(refusal.to_string(), "body is \"\" of \"\", want AdmissionReview of admission.k8s.io/v1");
}

/// Posts a body that is too large to be judged at once.
async fn post(router: Router) -> (axum::http::StatusCode, Value) {
    let body = vec![b' '; SMALL + 1];
    let request = Request::post("/validate").header(CONTENT_TYPE, "application/json").body(Body::from(body));
    let response = router.oneshot(request.unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_large_bodies_are_judged_at_once_as_there_are_processors_and_others_wait_their_time() {
    let (busy, begun) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let judge: Judge = {
        let (busy, begun) = (Arc::clone(&busy), Arc::clone(&begun));
        Arc::new(move |_, _| {
            begun.fetch_add(1, Ordering::SeqCst);
            let now = busy.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(now <= processors(), "{now} at once");
            let _ = held.lock().unwrap().recv();
            busy.fetch_sub(1, Ordering::SeqCst);
            Ok(Answer::allow(&review::Request::default()))
        })
    };
    let limits = RequestLimits { timeout: Duration::from_secs(2), ..RequestLimits::default() };
    let router = router(Metrics::new().register(WebhookMetrics::registered), limits, judge);
    let first: Vec<_> = (0..processors()).map(|_| tokio::spawn(post(router.clone()))).collect();
    while begun.load(Ordering::SeqCst) < processors() {
        tokio::task::yield_now().await;
    }
    // Nobody is done within its time.
    let (status, said) = post(router.clone()).await;
    assert_eq!(
        (status.as_u16(), &said["message"]),
        (503, &json!("too many requests are under way, try again"))
    );
    drop(release);
    for answered in first {
        assert_eq!(answered.await.unwrap().0.as_u16(), 200);
    }
    assert_eq!(post(router).await.0.as_u16(), 200);
}
