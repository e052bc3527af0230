//! TCP probes against real servers.

use std::time::Duration;

use gamewarden_api::{quality::Outcome, schedule::Endpoint};
use tokio::{io::AsyncReadExt, sync::mpsc, time::Instant};

use super::{
    Direct,
    test_servers::{HERE, ip, left_of, nobody, serve},
};

async fn ask(at: &Endpoint) -> Outcome {
    Direct::new().unwrap().tcp(at, Duration::from_secs(1)).await.outcome
}

#[tokio::test]
async fn a_connection_is_true_and_the_server_reads_an_ordinary_end() {
    for here in [HERE, "::1"] {
        let (told, mut read) = mpsc::unbounded_channel();
        let at = serve(here, move |mut stream| {
            let told = told.clone();
            async move { told.send(stream.read(&mut [0; 8]).await.map_err(|e| e.kind())).unwrap() }
        })
        .await;
        for _ in 0..20 {
            assert_eq!(ask(&at).await, Outcome::Success { result: String::new() });
            assert_eq!(read.recv().await, Some(Ok(0)), "an end, not an error");
        }
        if here == HERE {
            assert_eq!(left_of(at.port).await, Vec::<String>::new(), "nothing is remembered");
        }
    }
}

#[tokio::test]
async fn no_connection_is_false() {
    assert_eq!(ask(&nobody().await).await, Outcome::Failure { result: "connection refused".to_owned() });
}

#[tokio::test]
async fn one_that_is_not_answered_times_out() {
    // The queue of a listener that accepts nobody is full after a few.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(tokio::spawn(tokio::net::TcpStream::connect((HERE, port))));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    let outcome = ask(&Endpoint { host: ip(HERE), port }).await;
    assert_eq!(outcome, Outcome::Failure { result: "timed out after 1s".to_owned() });
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_has_no_route_was_not_asked() {
    // Multicast cannot be connected to.
    let outcome = ask(&Endpoint { host: ip("224.0.0.1"), port: 80 }).await;
    let Outcome::Unknown { reason } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(reason.starts_with("cannot connect to 224.0.0.1:80: "), "{reason}");
}
