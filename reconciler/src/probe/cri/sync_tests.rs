//! Commands through a runtime's socket, to their end or to the runtime's.

use std::{
    future::{pending, ready},
    time::Duration,
};

use futures::StreamExt;
use gamewarden_api::{quality::Outcome, schedule::Handler};
use tonic::{Code, Status};

use super::{
    Cri, MAX_ANSWER, Metrics, OwnPod, Settings,
    runtime_v1::{ExecSyncRequest, ExecSyncResponse},
    sync::Patience,
    test_runtime::{TestRuntime, container},
};
use crate::probe::{Answer, ProbeTarget};

const TIMEOUT: Duration = Duration::from_secs(3);

fn target() -> ProbeTarget {
    ProbeTarget {
        namespace: "ns".to_owned(),
        pod: "pod".to_owned(),
        container: "game".to_owned(),
        container_id: "containerd://1".to_owned(),
        handler: Handler::Exec(command()),
    }
}

fn command() -> Vec<String> {
    vec!["idle".to_owned(), "--now".to_owned()]
}

fn cri(runtime: &TestRuntime) -> Cri {
    let settings = Settings { socket: Some(runtime.socket()), resident: false, ..Settings::default() };
    Cri::new(settings, Metrics::unregistered()).unwrap()
}

async fn asked(runtime: &TestRuntime) -> Answer {
    cri(runtime).probe(&target(), &command(), TIMEOUT).await
}

fn printed(stdout: &str) -> ExecSyncResponse {
    ExecSyncResponse { stdout: stdout.into(), ..ExecSyncResponse::default() }
}

fn success(result: &str) -> Outcome {
    Outcome::Success { result: result.to_owned() }
}

fn failure(result: &str) -> Outcome {
    Outcome::Failure { result: result.to_owned() }
}

fn unknown(reason: &str) -> Outcome {
    Outcome::Unknown { reason: reason.to_owned() }
}

#[tokio::test]
async fn the_runtime_runs_the_command_in_the_container_with_the_limit() {
    let runtime = TestRuntime::new(|request: ExecSyncRequest| {
        let ExecSyncRequest { container_id, cmd, timeout } = request;
        ready(Ok(printed(&format!("{container_id} {cmd:?} {timeout}"))))
    });
    assert_eq!(asked(&runtime).await.outcome, success("1 [\"idle\", \"--now\"] 3"));
}

#[tokio::test]
async fn a_script_that_prints_megabytes_has_failed_and_is_not_held_in_memory() {
    let runtime = TestRuntime::new(|_| ready(Ok(printed(&"x".repeat(4 * MAX_ANSWER)))));
    assert_eq!(asked(&runtime).await.outcome, failure("printed more than 1024 KiB"));
    let runtime = TestRuntime::new(|_| ready(Ok(printed(&"x".repeat(MAX_ANSWER / 2)))));
    assert_eq!(asked(&runtime).await.outcome, success(&"x".repeat(1024)));
}

#[tokio::test]
async fn whose_a_container_is_is_asked_once_and_no_others_container_is_entered() {
    let runtime = TestRuntime::new(|_| ready(Ok(printed("ran"))));
    let cri = cri(&runtime);
    for _ in 0..3 {
        assert_eq!(cri.probe(&target(), &command(), TIMEOUT).await.outcome, success("ran"));
    }
    assert_eq!(runtime.lists(), 1);

    runtime.set_containers(vec![container("2", "kube-system", "dns", "dns")]);
    let others = ProbeTarget { container_id: "containerd://2".to_owned(), ..target() };
    assert_eq!(
        cri.probe(&others, &command(), TIMEOUT).await.outcome,
        unknown("the runtime's container 2 is not container game of ns/pod")
    );
    let sidecar = ProbeTarget { container: "sidecar".to_owned(), ..target() };
    assert_eq!(
        cri.probe(&sidecar, &command(), TIMEOUT).await.outcome,
        unknown("the runtime's container 1 is not container sidecar of ns/pod")
    );
    for id in ["", "containerd://"] {
        let none = ProbeTarget { container_id: id.to_owned(), ..target() };
        let reason = format!("{id:?} is no id of a container");
        assert_eq!(cri.probe(&none, &command(), TIMEOUT).await.outcome, unknown(&reason));
    }
}

#[tokio::test]
async fn a_container_that_the_runtime_does_not_have_is_gone() {
    let runtime = TestRuntime::new(|_| ready(Ok(printed("ran"))));
    runtime.set_containers(Vec::new());
    let answer = asked(&runtime).await;
    assert_eq!((answer.outcome, answer.gone), (unknown("the runtime has no container 1"), true));
}

#[tokio::test]
async fn a_runtime_restart_is_survived() {
    let mut runtime = TestRuntime::new(|_| ready(Ok(printed("ran"))));
    let cri = cri(&runtime);
    assert_eq!(cri.probe(&target(), &command(), TIMEOUT).await.outcome, success("ran"));
    runtime.stop();
    let answer = cri.probe(&target(), &command(), TIMEOUT).await;
    let Outcome::Unknown { reason } = answer.outcome else { panic!("{:?}", answer.outcome) };
    assert!(reason.starts_with("the container runtime cannot be reached: "), "{reason}");
    assert!(!answer.gone);
    runtime.start();
    assert_eq!(cri.probe(&target(), &command(), TIMEOUT).await.outcome, success("ran"));
}

#[tokio::test]
async fn a_runtime_that_is_not_there_is_said_so() {
    let mut runtime = TestRuntime::new(|_| ready(Ok(printed("ran"))));
    runtime.stop();
    let Outcome::Unknown { reason } = asked(&runtime).await.outcome else { panic!() };
    assert!(reason.contains("runtime.sock: No such file or directory"), "{reason}");

    let nowhere = Settings { socket: None, host: runtime.socket(), resident: false, ..Settings::default() };
    let answer =
        Cri::new(nowhere, Metrics::unregistered()).unwrap().probe(&target(), &command(), TIMEOUT).await;
    let Outcome::Unknown { reason } = answer.outcome else { panic!() };
    assert!(reason.contains("no socket of a runtime is in a known place"), "{reason}");
}

#[tokio::test]
async fn of_several_runtimes_the_one_that_runs_pods_is_chosen_and_kept_to_while_it_restarts() {
    let host = std::env::temp_dir().join(format!("gamewarden-host-{:x}", fastrand::u64(..)));
    let at =
        |place: &str, says: &'static str| TestRuntime::at(&host, place, move |_| ready(Ok(printed(says))));
    let bare = at("run/k0s/containerd.sock", "bare");
    bare.runs_no_pods();
    let mut crio = at("run/crio/crio.sock", "cri-o");
    let _docker = at("run/containerd/containerd.sock", "docker's");
    let settings = Settings { socket: None, host: host.clone(), resident: false, ..Settings::default() };
    let cri = Cri::new(settings, Metrics::unregistered()).unwrap();
    assert_eq!(cri.answers().await, Ok(()));
    assert_eq!(cri.probe(&target(), &command(), TIMEOUT).await.outcome, success("cri-o"));
    crio.stop();
    // The first hears of it.
    assert!(cri.answers().await.is_err());
    let Outcome::Unknown { reason } = cri.probe(&target(), &command(), TIMEOUT).await.outcome else {
        panic!("another runtime was asked")
    };
    assert!(reason.contains("run/crio/crio.sock"), "{reason}");
    crio.start();
    assert_eq!(cri.probe(&target(), &command(), TIMEOUT).await.outcome, success("cri-o"));
}

#[tokio::test]
async fn a_runtime_that_does_not_run_this_pod_is_not_the_nodes() {
    let host = std::env::temp_dir().join(format!("gamewarden-host-{:x}", fastrand::u64(..)));
    let at =
        |place: &str, says: &'static str| TestRuntime::at(&host, place, move |_| ready(Ok(printed(says))));
    let others = at("run/k0s/containerd.sock", "another's");
    others.set_containers(Vec::new());
    let nodes = at("run/containerd/containerd.sock", "the node's");
    let own = OwnPod { namespace: "ns".to_owned(), name: "pod".to_owned() };
    let cri = |socket| {
        let settings = Settings { socket, host: host.clone(), resident: false, own: Some(own.clone()) };
        Cri::new(settings, Metrics::unregistered()).unwrap()
    };
    let not = "it does not run this pod (ns/pod): another runtime is the node's";
    assert_eq!(cri(Some(others.socket())).answers().await, Err(not.to_owned()));
    assert_eq!(cri(Some(nodes.socket())).answers().await, Ok(()));
    // Nor is it chosen where it is looked for.
    let found = cri(None);
    assert_eq!(found.answers().await, Ok(()));
    assert_eq!(found.probe(&target(), &command(), TIMEOUT).await.outcome, success("the node's"));
}

#[tokio::test]
async fn what_the_runtime_refuses_is_told_in_its_words() {
    let runtime = TestRuntime::new(|_| {
        ready(Err(Status::new(
            Code::Unknown,
            "failed to exec in container: container is in CONTAINER_EXITED state",
        )))
    });
    let answer = asked(&runtime).await;
    assert!(answer.gone);
    assert_eq!(
        answer.outcome,
        unknown("failed to exec in container: container is in CONTAINER_EXITED state")
    );
}

/// A runtime that never answers is not waited for as long as usual.
fn impatient(runtime: &TestRuntime, alive: Duration) -> Cri {
    Cri { patience: Patience { beyond: Duration::from_millis(10), alive }, ..cri(runtime) }
}

#[tokio::test]
async fn a_call_that_does_not_end_is_the_commands_fault_where_the_runtime_lives() {
    let runtime = TestRuntime::new(|_| pending());
    let cri = impatient(&runtime, Duration::from_secs(60));
    let answer = cri.probe(&target(), &command(), Duration::from_millis(10)).await;
    assert_eq!((answer.outcome, answer.timed_out), (failure("timed out after 1s"), true));
    assert_eq!(answer.hanging.unwrap().next().await, Some(true));
}

#[tokio::test]
async fn a_runtime_that_stops_under_a_command_that_hangs_is_told_from_the_commands_fault() {
    let runtime = TestRuntime::new(|_| pending());
    // Its first answer may take as long as it likes on a busy machine; the one that never comes is not waited for long.
    let cri = impatient(&runtime, Duration::from_secs(2));
    let answer = cri.probe(&target(), &command(), Duration::from_millis(10)).await;
    let mut hanging = answer.hanging.unwrap();
    runtime.hangs();
    assert_eq!(hanging.next().await, Some(false));
}

#[tokio::test]
async fn a_call_that_ends_after_all_hangs_no_more() {
    let runtime = TestRuntime::new(|_| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(printed("late"))
    });
    let cri = impatient(&runtime, Duration::from_secs(60));
    let answer = cri.probe(&target(), &command(), Duration::from_millis(10)).await;
    assert_eq!(answer.hanging.unwrap().next().await, None);
}

#[tokio::test]
async fn a_runtime_that_hangs_says_nothing_of_the_server() {
    let runtime = TestRuntime::new(|_| pending());
    runtime.hangs();
    let cri = impatient(&runtime, Duration::from_millis(10));
    let answer = cri.probe(&target(), &command(), Duration::from_millis(10)).await;
    assert!(answer.hanging.is_none() && !answer.timed_out);
    assert_eq!(answer.outcome, unknown("the container runtime does not answer"));
}
