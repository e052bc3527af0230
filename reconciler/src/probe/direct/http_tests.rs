//! HTTP probes against real servers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Request as AxumRequest, routing::any};
use gamewarden_api::{
    quality::Outcome,
    schedule::{Endpoint, HttpGet, Scheme},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep},
};

use super::{
    Direct,
    test_servers::{HERE, acceptor, get, head, http, https, left_of, nobody, serve},
};

async fn ask(get: &HttpGet) -> Outcome {
    ask_within(get, 5).await
}

async fn ask_within(get: &HttpGet, seconds: u64) -> Outcome {
    Direct::new().unwrap().http(get, Duration::from_secs(seconds)).await.outcome
}

fn success(result: &str) -> Outcome {
    Outcome::Success { result: result.to_owned() }
}

fn failure(result: &str) -> Outcome {
    Outcome::Failure { result: result.to_owned() }
}

fn secure(get: HttpGet) -> HttpGet {
    HttpGet { scheme: Scheme::Https, ..get }
}

/// The text of a failure.
fn failed(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failure { result } => result,
        other => panic!("{other:?}"),
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_status_from_200_to_399_is_true_and_the_body_is_the_result() {
    for (status, body, expected) in [
        ("200 OK", " 3 players\n", success("3 players")),
        ("200 OK", "", success("")),
        ("299 Whatever", "x|y", success("xy")),
        ("300 Multiple Choices", "x", success("x")),
        ("302 Found", "no location", success("no location")),
        ("304 Not Modified", "", success("")),
        ("399 Whatever", "x", success("x")),
        ("400 Bad Request", "why", failure("why")),
        ("404 Not Found", "", failure("answered 404 Not Found")),
        ("503 Service Unavailable", "draining\n", failure("draining")),
        ("503 Service Unavailable", " \n", failure("answered 503 Service Unavailable")),
        ("999 Whatever", "x", failure("x")),
    ] {
        let (at, _) = http(HERE, move |_| answer(status, "", body)).await;
        assert_eq!(ask(&get(&at, "/")).await, expected, "{status} {body:?}");
    }
    for (raw, expected) in [
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", success("until the end")),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            success("abcde"),
        ),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", success("x")),
        // Untidy, and taken by kubelet's client too.
        ("HTTP/1.1 200\r\nX-Spaced : y\r\ncontent-length: 1\r\n\r\nx", success("x")),
    ] {
        let (at, _) = http(HERE, move |_| raw.as_bytes().to_vec()).await;
        assert_eq!(ask(&get(&at, "/")).await, expected, "{raw:?}");
    }
}

/// The head that the server got, without its request line, sorted.
async fn sent(change: impl FnOnce(&mut HttpGet)) -> (Endpoint, String, Vec<String>) {
    let (at, heads) = http(HERE, |_| answer("200 OK", "", "")).await;
    let mut get = get(&at, "/a?b");
    change(&mut get);
    assert_eq!(ask(&get).await, success(""));
    let head = heads.lock().unwrap().pop().unwrap();
    let mut lines = head.trim_end().split("\r\n").map(str::to_owned);
    let request = lines.next().unwrap();
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    (at, request, lines)
}

#[tokio::test]
async fn the_request_is_kubelets_under_our_name() {
    let agent = format!("User-Agent: gamewarden-probe/{}", env!("CARGO_PKG_VERSION"));
    let (at, request, lines) = sent(|_| {}).await;
    assert_eq!(request, "GET /a?b HTTP/1.1");
    assert_eq!(lines, ["Accept: */*", "Connection: close", &format!("Host: {at}"), &agent]);

    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (_, _, lines) = sent(|get| {
        get.authority = "game.example".to_owned();
        get.headers = vec![
            header("x-token", "a"),
            header("x-token", "b ü"),
            header("accept", "text/plain"),
            header("user-agent", "me"),
        ];
    })
    .await;
    assert_eq!(
        lines,
        [
            "Accept: text/plain",
            "Connection: close",
            "Host: game.example",
            "User-Agent: me",
            "X-Token: a",
            "X-Token: b ü"
        ]
    );
    let (at, _, lines) = sent(|get| get.headers = vec![header("accept", ""), header("user-agent", "")]).await;
    assert_eq!(lines, ["Connection: close", &format!("Host: {at}")], "empty ones are left out");
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_host_only() {
    for (status, followed) in [
        (301, true),
        (302, true),
        (303, true),
        (307, true),
        (308, true),
        (300, false),
        (304, false),
        (305, false),
        (306, false),
    ] {
        let (at, _) = http(HERE, move |head| match head.starts_with("GET /end ") {
            true => answer("200 OK", "", "end"),
            false => answer(&format!("{status} Redirect"), "location: /end\r\n", ""),
        })
        .await;
        let expected = success(if followed { "end" } else { "" });
        assert_eq!(ask(&get(&at, "/start")).await, expected, "{status}");
    }
    for (location, expected) in [
        ("http://localhost/x", success("moved")),
        ("http://127.0.0.2/x", success("moved")),
        ("", success("moved")),
        ("http://127.0.0.1:0/", failure("redirected to \"http://127.0.0.1:0/\", which is no URL")),
    ] {
        let (at, heads) =
            http(HERE, move |_| answer("302 Found", &format!("location: {location}\r\n"), "moved")).await;
        assert_eq!(ask(&get(&at, "/")).await, expected, "{location}");
        assert_eq!(heads.lock().unwrap().len(), 1, "{location}");
    }
}

#[tokio::test]
async fn a_relative_redirect_keeps_the_headers_and_the_tenth_is_too_many() {
    let (at, heads) = http(HERE, |_| answer("302 Found", "location: again\r\n", "")).await;
    let mut get = get(&at, "/a/b");
    get.authority = "game.example".to_owned();
    get.headers = vec![("x-token".to_owned(), "a".to_owned())];
    assert_eq!(ask(&get).await, failure("stopped after 10 redirects"));
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 10);
    let last = heads.last().unwrap();
    for line in [
        "GET /a/again HTTP/1.1\r\n",
        "\r\nHost: game.example\r\n",
        "\r\nX-Token: a\r\n",
        &format!("\r\nReferer: http://{at}/a/again\r\n"),
    ] {
        assert!(last.contains(line), "{line:?} is missing in {last}");
    }
}

#[tokio::test]
async fn tls_takes_any_certificate_and_names_no_address() {
    let mut expired = rcgen::CertificateParams::new(vec!["elsewhere.example".to_owned()]).unwrap();
    expired.not_before = rcgen::date_time_ymd(1999, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2000, 1, 1);
    let nameless = rcgen::CertificateParams::default();
    for certificate in [expired, nameless] {
        let (at, _) = https(certificate, |_| answer("200 OK", "", "secret")).await;
        assert_eq!(ask(&secure(get(&at, "/"))).await, success("secret"));
        let text = failed(ask(&get(&at, "/")).await);
        assert!(text.starts_with("no HTTP answer: "), "in clear: {text}");
    }
    let (at, _) = http(HERE, |_| answer("200 OK", "", "clear")).await;
    // It waits for the end of a line that never comes.
    let text = failed(ask_within(&secure(get(&at, "/")), 1).await);
    assert_eq!(text, "timed out after 1s");
    let at = serve(HERE, |mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n").await;
        sleep(Duration::from_secs(3)).await;
    })
    .await;
    let text = failed(ask(&secure(get(&at, "/"))).await);
    assert!(text.starts_with("TLS: "), "{text}");
}

#[tokio::test]
async fn a_redirect_may_change_scheme_and_port() {
    let (plain, _) = http(HERE, |_| answer("200 OK", "", "plain")).await;
    let to_plain = format!("location: http://{plain}/\r\n");
    let certificate = rcgen::CertificateParams::default();
    let (secret, _) = https(certificate, move |_| answer("302 Found", &to_plain, "")).await;
    let to_secret = format!("location: https://{secret}/\r\n");
    let (first, _) = http(HERE, move |_| answer("301 Moved", &to_secret, "")).await;
    assert_eq!(ask(&get(&first, "/")).await, success("plain"));
}

#[tokio::test]
async fn a_server_that_prefers_http2_is_asked_so() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = Arc::clone(&seen);
    let app = Router::new().fallback(any(move |request: AxumRequest| {
        see.lock().unwrap().push(format!("{:?} {}", request.version(), request.uri()));
        async { "two" }
    }));
    let acceptor = acceptor(rcgen::CertificateParams::default(), &["h2"]);
    let at = serve(HERE, move |stream| {
        let (acceptor, app) = (acceptor.clone(), app.clone());
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let service = TowerToHyperService::new(app);
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await;
    let mut get = secure(get(&at, "/a?b"));
    assert_eq!(ask(&get).await, success("two"));
    get.authority = "game.example:7".to_owned();
    assert_eq!(ask(&get).await, success("two"));
    let expected = [format!("HTTP/2.0 https://{at}/a?b"), "HTTP/2.0 https://game.example:7/a?b".to_owned()];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn only_the_beginning_of_a_body_is_read() {
    let at = serve(HERE, |mut stream| async move {
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        // Until the probe has gone.
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    assert_eq!(ask(&get(&at, "/")).await, success(&"x".repeat(1024)));
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_that_says_so() {
    for (what, raw, expected) in [
        ("nothing", &b""[..], "no HTTP answer: connection closed before message completed"),
        (
            "half a head",
            b"HTTP/1.1 200 OK\r\ncont",
            "no HTTP answer: connection closed before message completed",
        ),
        ("another protocol", b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP answer: invalid HTTP version parsed"),
        ("half a body", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "the answer broke off: "),
        (
            "a bad chunk",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "the answer broke off: ",
        ),
    ] {
        let (at, _) = http(HERE, move |_| raw.to_vec()).await;
        let text = failed(ask(&get(&at, "/")).await);
        assert!(text.starts_with(expected), "{what}: {text}");
    }
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1_000_000));
    let (at, _) = http(HERE, move |_| huge.clone().into_bytes()).await;
    let text = failed(ask(&get(&at, "/")).await);
    assert!(text.starts_with("no HTTP answer: "), "{text}");
    assert_eq!(ask(&get(&nobody().await, "/")).await, failure("connection refused"));
}

#[tokio::test]
async fn all_of_it_has_to_be_there_within_the_timeout_and_the_server_is_let_go() {
    let (told, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let silent = {
        let told = told.clone();
        serve(HERE, move |mut stream| {
            let told = told.clone();
            async move {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                told.send("silent").unwrap();
            }
        })
        .await
    };
    let dripping = serve(HERE, move |mut stream| {
        let told = told.clone();
        async move {
            head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
            while stream.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
            told.send("dripping").unwrap();
        }
    })
    .await;
    let (silent, dripping) = (get(&silent, "/"), get(&dripping, "/"));
    let secret = secure(silent.clone());
    let start = Instant::now();
    let (a, b, c) = tokio::join!(ask_within(&silent, 1), ask_within(&dripping, 1), ask_within(&secret, 1));
    assert_eq!([a, b, c], [(); 3].map(|()| failure("timed out after 1s")));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    for _ in 0..3 {
        ended.recv().await.unwrap();
    }
}

#[tokio::test]
async fn ipv6_is_asked_in_brackets() {
    let (at, heads) = http("::1", |_| answer("200 OK", "", "six")).await;
    assert_eq!(ask(&get(&at, "/")).await, success("six"));
    assert!(heads.lock().unwrap()[0].contains(&format!("\r\nHost: [::1]:{}\r\n", at.port)));
}

#[tokio::test]
async fn no_connection_is_left_behind() {
    let (at, _) = http(HERE, |_| answer("200 OK", "", "x")).await;
    for _ in 0..20 {
        assert_eq!(ask(&get(&at, "/")).await, success("x"));
    }
    assert_eq!(left_of(at.port).await, Vec::<String>::new());
}
