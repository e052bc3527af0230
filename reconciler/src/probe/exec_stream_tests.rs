use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use super::*;

type Node = WebSocketStream<DuplexStream>;

/// A command, and its other end. Nobody answers there but while it is read.
async fn command() -> (Running, Node) {
    let (ours, theirs) = duplex(64 * 1024);
    let ours = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    (Running::new(ours), WebSocketStream::from_raw_socket(theirs, Role::Server, None).await)
}

async fn say(node: &mut Node, channel: u8, text: &[u8]) {
    let mut message = vec![channel];
    message.extend_from_slice(text);
    node.send(Message::Binary(message.into())).await.unwrap();
}

const WELL: &[u8] = br#"{"metadata":{},"status":"Success"}"#;
const ILL: &[u8] = br#"{"metadata":{},"status":"Failure","reason":"NonZeroExitCode"}"#;

fn success(result: &str) -> Outcome {
    Outcome::Success { result: result.to_owned() }
}

#[tokio::test]
async fn a_command_ends_with_its_status() {
    for (status, expected) in
        [(WELL, success("two lines")), (ILL, Outcome::Failure { result: "why".to_owned() })]
    {
        let (mut running, mut node) = command().await;
        for channel in [STDOUT, STDERR, STATUS] {
            say(&mut node, channel, b"").await;
        }
        say(&mut node, STDOUT, b"two ").await;
        say(&mut node, STDERR, b"why\n").await;
        say(&mut node, STDOUT, b"lines\n").await;
        say(&mut node, STATUS, status).await;
        assert_eq!(running.end().await, expected);
    }
}

#[tokio::test]
async fn all_is_read_and_the_beginning_kept() {
    let (mut running, mut node) = command().await;
    let floods = tokio::spawn(async move {
        for _ in 0..200 {
            say(&mut node, STDOUT, &[b'x'; 10_000]).await;
        }
        say(&mut node, STATUS, WELL).await;
        node
    });
    assert_eq!(running.end().await, success(&"x".repeat(MAX_RESULT)));
    assert_eq!(running.stdout.len(), KEPT);
    floods.await.unwrap();
}

#[tokio::test]
async fn an_end_without_a_status_is_no_answer() {
    let (mut running, mut node) = command().await;
    node.close(None).await.unwrap();
    let closed = "the connection was closed before the command had ended";
    assert_eq!(running.end().await, unknown(closed.to_owned()));

    let (mut running, node) = command().await;
    drop(node);
    let Outcome::Unknown { reason } = running.end().await else { panic!("nobody has answered") };
    assert!(!reason.is_empty());

    let (mut running, mut node) = command().await;
    say(&mut node, STATUS, b"{").await;
    let Outcome::Unknown { reason } = running.end().await else { panic!("nobody can read that") };
    assert!(reason.starts_with("the status of the command cannot be read: "), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_ping_tells_a_command_that_hangs_from_a_node_that_is_cut_off() {
    let (mut running, mut node) = command().await;
    let (pinged, _) = tokio::join!(running.ping(), async {
        assert!(matches!(node.next().await, Some(Ok(Message::Ping(_)))));
        // It is answered by reading on.
        timeout(EVERY, node.next()).await.unwrap_err();
    });
    assert_eq!(pinged, Pinged::Answered);

    // Nobody reads.
    assert_eq!(running.ping().await, Pinged::Silent);

    say(&mut node, STATUS, WELL).await;
    assert_eq!(running.ping().await, Pinged::Ended(success("")));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_hangs_is_looked_after_until_it_ends() {
    let (running, mut node) = command().await;
    let mut hanging = running.hanging();
    let reads = async |node: &mut Node| while node.next().await.is_some() {};
    let reached = tokio::select! {
        reached = hanging.next() => reached,
        () = reads(&mut node) => None,
    };
    assert_eq!(reached, Some(true));
    assert_eq!(hanging.next().await, Some(false), "nobody reads");
    let reached = tokio::select! {
        reached = hanging.next() => reached,
        () = reads(&mut node) => None,
    };
    assert_eq!(reached, Some(true), "again");
    say(&mut node, STATUS, WELL).await;
    assert_eq!(hanging.next().await, None);
}
