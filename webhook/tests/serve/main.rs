//! The webhook as the API server meets it: over TLS on a real port.

// Helpers are not #[test] functions, which is all that clippy.toml excepts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificate;
mod client;

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use client::{Answer, Served, limits, post, review, serve};
use http_body_util::Full;
use hyper::{Request, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use webhook::app::{MAX_BODY, RequestLimits};
use webhook::server::Limits;

const SOON: Duration = Duration::from_millis(200);

#[tokio::test]
async fn allows_with_the_uid_over_both_protocols() {
    let served = serve(limits()).await;
    let expected = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {"uid": "u-1", "allowed": true},
    });
    for path in ["/validate", "/mutate"] {
        let body = review("u-1", &json!({"kind": "GameServerSet"}));
        let answer = served.send(post(path, body.clone())).await;
        assert_eq!(answer.code, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.body, expected);

        let response = served.http2().await.send_request(post(path, body)).await;
        let answer = Answer::read(response.unwrap()).await;
        assert_eq!(answer.body, expected);
    }
    assert_eq!(served.counted("validate", "allowed"), 2);
    assert_eq!(served.counted("mutate", "allowed"), 2);
    let text = served.metrics.render().unwrap();
    let count = "gamewarden_webhook_request_duration_seconds_count{path=\"mutate\"} 2\n";
    assert!(text.contains(count), "{text}");
}

#[tokio::test]
async fn says_what_is_wrong_with_a_request() {
    let served = serve(limits()).await;
    let body = || Full::<Bytes>::from(review("u", &Value::Null));
    let request = || Request::post("/validate").header("host", "x");

    let answer = served.send(post("/validate", &b"{"[..])).await;
    assert_eq!(answer.code, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.message(),
        "body is not an AdmissionReview: EOF while parsing an object at line 1 column 1"
    );

    for content_type in [None, Some("text/plain"), Some("application/jsonp")] {
        let mut request = request();
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = served.send(request.body(body()).unwrap()).await;
        assert_eq!(answer.code, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(answer.message(), "content type must be application/json");
    }
    let json = request().header("content-type", "Application/JSON; charset=utf-8");
    let answer = served.send(json.body(body()).unwrap()).await;
    assert_eq!(answer.code, StatusCode::OK);

    for method in ["GET", "PUT", "DELETE", "BREW"] {
        let request = request().method(method).body(body()).unwrap();
        let answer = served.send(request).await;
        assert_eq!(answer.code, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers["allow"], "POST");
        assert_eq!(answer.message(), "method must be POST");
    }

    let answer = served.send(post("/else", body())).await;
    assert_eq!(answer.code, StatusCode::NOT_FOUND);
    assert_eq!(answer.message(), "there are /validate and /mutate here");

    assert_eq!(served.counted("validate", "malformed"), 1);
    assert_eq!(served.counted("validate", "stray"), 7);
    assert_eq!(served.counted("other", "stray"), 1);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let served = serve(limits()).await;
    let frame = review("u", &json!("")).len();
    let fits = review("u", &json!("x".repeat(MAX_BODY - frame)));
    assert_eq!(fits.len(), MAX_BODY);
    let answer = served.send(post("/validate", fits)).await;
    assert_eq!(answer.code, StatusCode::OK);

    // Said in advance: refused before a byte of it was sent.
    let head = format!("{}\r\n", head(MAX_BODY + 1));
    let mut stream = served.connect("http/1.1").await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");

    // Found out on the way: HTTP/2, of no declared length.
    let chunk = Bytes::from(vec![b' '; 1024 * 1024]);
    let chunks = (0..9).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
    let body = Body::from_stream(futures::stream::iter(chunks));
    let response = served.http2().await.send_request(post("/validate", body)).await;
    let answer = Answer::read(response.unwrap()).await;
    assert_eq!(answer.code, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.message(), "body is over 8388608 bytes");
    assert_eq!(served.counted("validate", "too_large"), 2);
}

/// The head of a review whose body has `length` bytes.
fn head(length: usize) -> String {
    format!(
        "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    )
}

/// A request of which the server has the head and waits for the body, known because it said so.
async fn begun(served: &Served, length: usize) -> TlsStream<TcpStream> {
    let mut stream = served.connect("http/1.1").await;
    let head = format!("{}expect: 100-continue\r\n\r\n", head(length));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn what_finds_no_memory_left_is_refused_at_once() {
    let served = serve(Limits {
        request: RequestLimits { memory: 1024 * 1024, ..RequestLimits::default() },
        ..limits()
    })
    .await;
    // What is only announced holds nothing.
    let mut idle = begun(&served, MAX_BODY).await;
    let body = review("slow", &json!(" ".repeat(500 * 1024)));
    let mut slow = begun(&served, body.len()).await;
    let (first, last) = body.split_at(body.len() - 1);
    slow.write_all(first).await.unwrap();
    let refused = async {
        loop {
            let answer = served.send(post("/validate", review("u", &Value::Null))).await;
            if answer.code != StatusCode::OK {
                return answer;
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(4), refused).await.expect("never refused");
    assert_eq!(refused.code, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.message(), "too many requests are under way, try again");
    assert_eq!(served.counted("validate", "overloaded"), 1);

    // It is answered, and what it held is free again.
    slow.write_all(last).await.unwrap();
    let mut start = [0; 12];
    slow.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let answer = served.send(post("/validate", review("u", &Value::Null))).await;
    assert_eq!(answer.code, StatusCode::OK);
    idle.shutdown().await.unwrap();
}

#[tokio::test]
async fn more_connections_than_there_may_be_are_closed_at_once() {
    let served = serve(Limits { connections: 2, ..limits() }).await;
    let body = review("u", &Value::Null);
    let (mut one, _two) = (served.connect("http/1.1").await, served.connect("http/1.1").await);
    let mut third = TcpStream::connect(served.addr).await.unwrap();
    let closed =
        tokio::time::timeout(Duration::from_secs(10), third.read(&mut [0; 1])).await.expect("kept waiting");
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    let answer = ask_on(&mut one, &body).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn what_would_take_more_memory_than_there_is_when_it_is_read_is_refused_unread() {
    let served = serve(limits()).await;
    let objects = vec![json!({}); 100_000];
    let answer = served.send(post("/mutate", review("u", &json!(objects)))).await;
    assert_eq!(answer.code, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.message(), "object holds too many fields and values");
    assert_eq!(served.counted("mutate", "too_large"), 1);
}

#[tokio::test]
async fn a_set_is_judged_and_counted_whatever_its_size() {
    let served = serve(limits()).await;
    for (padding, outcome, code) in [(0, 1, 422), (200_000, 2, 422)] {
        let set = json!({"metadata": {"name": "a", "annotations": {"p": "x".repeat(padding)}}, "spec": {"replicas": -1}});
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u-1", "operation": "CREATE", "object": set,
                "resource": {"group": "game.kruise.io", "version": "v1alpha1", "resource": "gameserversets"},
            },
        });
        let answer = served.send(post("/mutate", serde_json::to_vec(&review).unwrap())).await;
        assert_eq!(answer.code, StatusCode::OK);
        assert_eq!(answer.body["response"]["uid"], "u-1");
        assert_eq!(answer.body["response"]["status"]["code"], code);
        assert_eq!(served.counted("mutate", "denied"), outcome);
    }
}

#[tokio::test]
async fn slow_clients_are_closed() {
    let served = serve(Limits {
        handshake: SOON,
        header: SOON,
        request: RequestLimits { timeout: SOON, ..RequestLimits::default() },
        ..limits()
    })
    .await;
    let closed_in_time = async |mut stream: Box<dyn tokio::io::AsyncRead + Unpin>| {
        let begin = Instant::now();
        let mut rest = Vec::new();
        // Closed with or without a goodbye.
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest))
            .await
            .expect("never closed");
        assert!(begin.elapsed() >= SOON / 2, "closed before its time");
        String::from_utf8_lossy(&rest).into_owned()
    };

    // No handshake.
    let stream = TcpStream::connect(served.addr).await.unwrap();
    closed_in_time(Box::new(stream)).await;
    // A handshake and then nothing, neither protocol.
    closed_in_time(Box::new(served.connect("http/1.1").await)).await;
    closed_in_time(Box::new(served.connect("h2").await)).await;
    // A head that does not end.
    let mut stream = served.connect("http/1.1").await;
    stream.write_all(b"POST /validate HTTP/1.1\r\nx: ").await.unwrap();
    let answer = closed_in_time(Box::new(stream)).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    // A body that does not end.
    let mut stream = served.connect("http/1.1").await;
    let open = format!("{}\r\n", head(100));
    stream.write_all(open.as_bytes()).await.unwrap();
    let answer = closed_in_time(Box::new(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body did not arrive in time"), "{answer}");
}

/// Sends a request on a connection that stays open, and reads the head of its answer.
async fn ask_on(stream: &mut TlsStream<TcpStream>, body: &[u8]) -> String {
    stream.write_all(format!("{}\r\n", head(body.len())).as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with('}') || answer.matches('{').count() != answer.matches('}').count() {
        let mut more = [0; 1024];
        let count = stream.read(&mut more).await.unwrap();
        assert!(count > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&more[..count]).unwrap());
    }
    answer
}

/// An API server keeps connections for 90 s without a request. One that we closed before could be one that it has just
/// begun to write to: the request would fail.
#[tokio::test]
async fn a_connection_that_has_asked_is_kept_for_the_next_request() {
    let served = serve(Limits { header: SOON, ..limits() }).await;
    let mut stream = served.connect("http/1.1").await;
    let body = review("u", &Value::Null);
    for _ in 0..2 {
        let answer = ask_on(&mut stream, &body).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
        // Nothing happens, which is what is waited for.
        let closed = tokio::time::timeout(2 * SOON, stream.read_u8()).await;
        assert!(closed.is_err(), "{closed:?}");
    }
}

#[tokio::test]
async fn during_the_drain_each_answer_is_the_last_of_its_connection() {
    let served = serve(Limits { drain_delay: Duration::from_secs(60), ..limits() }).await;
    let mut stream = served.connect("http/1.1").await;
    let body = review("u", &Value::Null);
    ask_on(&mut stream, &body).await;
    served.shutdown.drain();
    let mut kept = true;
    while kept {
        // The drain begins in a task of its own, a moment later.
        let answer = ask_on(&mut stream, &body).await;
        kept = !answer.contains("connection: close");
    }
    assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0, "more than the answer");
    // And others can still come.
    let answer = served.send(post("/validate", body)).await;
    assert_eq!(answer.headers["connection"], "close");
}

#[tokio::test]
async fn a_drain_finishes_what_is_under_way_and_takes_nothing_new() {
    let served = serve(limits()).await;
    let body = review("last", &Value::Null);
    let mut under_way = begun(&served, body.len()).await;
    let idle = (served.connect("http/1.1").await, served.http2().await);

    served.shutdown.drain();
    let refused = async {
        while TcpStream::connect(served.addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.expect("still accepts");
    assert!(!served.done.is_finished(), "did not wait for the request");

    under_way.write_all(&body).await.unwrap();
    let mut rest = String::new();
    let _ = under_way.read_to_string(&mut rest).await;
    assert_eq!(rest.matches("HTTP/1.1 200 ").count(), 1, "{rest}");
    assert_eq!(rest.matches(r#""uid":"last""#).count(), 1, "{rest}");
    tokio::time::timeout(Duration::from_secs(10), served.done)
        .await
        .expect("idle connections hold the drain up")
        .unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_the_drain_up() {
    let served = serve(Limits { drain: SOON, ..limits() }).await;
    let _under_way = begun(&served, 100).await;
    served.shutdown.drain();
    tokio::time::timeout(Duration::from_secs(10), served.done).await.expect("never cut off").unwrap();
}

#[test]
fn whatever_arrives_is_answered() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let served = runtime.block_on(serve(limits()));
    let http2 = runtime.block_on(served.http2());
    let config = ProptestConfig::with_cases(64);
    proptest!(config, |(uid in "\\PC{1,64}", text: String, number: i64, cut: bool)| {
        let object = json!({"kind": "GameServer", "spec": {(&text): [number, &text]}});
        let mut body = review(&uid, &object);
        if cut {
            body.pop();
        }
        let answer = runtime.block_on(async {
            let response = http2.clone().send_request(post("/mutate", body)).await.unwrap();
            Answer::read(response).await
        });
        if cut {
            prop_assert_eq!(answer.code, StatusCode::BAD_REQUEST);
            prop_assert!(answer.message().starts_with("body is not an AdmissionReview: EOF"));
        } else {
            prop_assert_eq!(answer.code, StatusCode::OK);
            prop_assert_eq!(&answer.body["response"], &json!({"uid": uid, "allowed": true}));
        }
    });
}
