//! gRPC probes against real servers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::Router;
use gamewarden_api::{quality::Outcome, schedule::Endpoint};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{io::AsyncReadExt, net::TcpStream, sync::mpsc};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::ServiceExt;

use super::{
    Direct,
    test_servers::{HERE, http, left_of, nobody, serve},
};

async fn ask(at: &Endpoint, service: &str) -> Outcome {
    Direct::new().unwrap().grpc(at, service, Duration::from_secs(1)).await.outcome
}

fn failure(result: &str) -> Outcome {
    Outcome::Failure { result: result.to_owned() }
}

fn success() -> Outcome {
    Outcome::Success { result: String::new() }
}

/// A health service, and the headers that it got.
async fn health() -> (Endpoint, HealthReporter, Arc<Mutex<Vec<http::HeaderMap>>>) {
    let (reporter, service) = tonic_health::server::health_reporter();
    let headers = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&headers);
    let service = service.map_request(move |request: http::Request<hyper::body::Incoming>| {
        headers.lock().unwrap().push(request.headers().clone());
        request
    });
    let at = serve(HERE, move |stream| {
        let service = TowerToHyperService::new(service.clone());
        async move {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await;
    (at, reporter, keep)
}

#[tokio::test]
async fn serving_is_true_and_everything_else_says_what_it_is() {
    let (at, reporter, headers) = health().await;
    assert_eq!(ask(&at, "").await, success(), "the server as a whole");
    assert_eq!(ask(&at, "game").await, failure("NOT_FOUND: service not registered"));
    for (status, expected) in [
        (ServingStatus::Serving, success()),
        (ServingStatus::NotServing, failure("NOT_SERVING")),
        (ServingStatus::Unknown, failure("UNKNOWN")),
    ] {
        reporter.set_service_status("game", status).await;
        assert_eq!(ask(&at, "game").await, expected, "{status:?}");
    }
    let first = headers.lock().unwrap()[0].clone();
    assert_eq!(first["user-agent"], super::USER_AGENT);
    assert_eq!(first["grpc-timeout"], "1000000u");
    assert_eq!(left_of(at.port).await, Vec::<String>::new(), "nothing is left");
}

#[tokio::test]
async fn a_server_without_the_health_service_is_false() {
    let at = serve(HERE, |stream: TcpStream| async move {
        let service = TowerToHyperService::new(Router::<()>::new());
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    })
    .await;
    let Outcome::Failure { result } = ask(&at, "").await else {
        panic!("not false");
    };
    assert!(result.starts_with("UNIMPLEMENTED: "), "{result}");
}

#[tokio::test]
async fn what_does_not_speak_grpc_is_false() {
    let (at, _) = http(HERE, |_| b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let Outcome::Failure { result } = ask(&at, "").await else {
        panic!("not false");
    };
    assert!(result.starts_with("no gRPC answer: "), "{result}");
    assert_eq!(ask(&nobody().await, "").await, failure("connection refused"));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_false_in_time_and_let_go() {
    let (told, mut ended) = mpsc::unbounded_channel();
    let at = serve(HERE, move |mut stream| {
        let told = told.clone();
        async move {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            told.send(()).unwrap();
        }
    })
    .await;
    assert_eq!(ask(&at, "").await, failure("timed out after 1s"));
    ended.recv().await.unwrap();
}
