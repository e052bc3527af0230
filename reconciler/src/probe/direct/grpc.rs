//! `grpc`: `Check` of `grpc.health.v1.Health` without TLS, as kubelet asks it. SERVING is true.

use std::{
    net::IpAddr,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use gamewarden_api::{quality::Outcome, schedule::Endpoint};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::{Code, Status, body::Body};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::Service;

use super::{USER_AGENT, connect::connect, drive, failure};
use crate::probe::sources::with_sources;

/// An answer holds one number; this is room for what later versions may add.
const MAX_ANSWER: usize = 4 * 1024;
/// How much of the answer's headers is taken.
const MAX_HEADERS: u32 = 16 * 1024;

/// Asks about `service`, at these addresses of the host. The server is told the limit.
pub(super) async fn ask(at: &Endpoint, service: &str, addresses: Vec<IpAddr>, limit: Duration) -> Outcome {
    let stream = match connect(&addresses, at.port).await {
        Ok(stream) => stream,
        Err(outcome) => return outcome,
    };
    let origin: Uri = match format!("http://{at}").parse() {
        Ok(origin) => origin,
        Err(error) => return Outcome::Unknown { reason: format!("the request cannot be sent: {error}") },
    };
    let connected = http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = match connected {
        Ok(connected) => connected,
        Err(error) => return no_answer(&error),
    };
    let mut request = tonic::Request::new(HealthCheckRequest { service: service.to_owned() });
    request.set_timeout(limit);
    let answer = drive(connection, async move {
        let client = HealthClient::with_origin(Connection(sender), origin);
        client.max_decoding_message_size(MAX_ANSWER).check(request).await
    });
    match answer.await {
        Ok(answer) => told(answer.into_inner().status),
        Err(status) => refused(&status),
    }
}

fn told(status: i32) -> Outcome {
    match ServingStatus::try_from(status) {
        Ok(ServingStatus::Serving) => Outcome::Success { result: String::new() },
        Ok(status) => failure(status.as_str_name()),
        Err(_) => failure(format!("unknown health status {status}")),
    }
}

fn refused(status: &Status) -> Outcome {
    // One that has a source did not come from the server, but is why nothing came.
    if let Some(source) = std::error::Error::source(status) {
        return no_answer(source);
    }
    let code = name(status.code());
    match (status.code(), status.message()) {
        (Code::Unimplemented, "") => failure(format!("{code}: the server has no health service")),
        (_, "") => failure(code),
        (_, message) => failure(format!("{code}: {message}")),
    }
}

fn no_answer(error: &(dyn std::error::Error + 'static)) -> Outcome {
    failure(format!("no gRPC answer: {}", with_sources(error)))
}

/// The code as gRPC's own documents write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// One connection as tonic calls it. Its own channels connect again, balance and keep alive, none of which a
/// probe wants.
struct Connection(http2::SendRequest<Body>);

impl Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        self.0.send_request(request).boxed()
    }
}
