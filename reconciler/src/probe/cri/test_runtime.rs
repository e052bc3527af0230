//! A container runtime for tests: answers as it is told, over a real socket.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use tokio::{net::UnixListener, runtime};
use tonic::{Request, Response, Status, transport::Server};

use super::runtime_v1::{
    Container, ContainerState, ExecRequest, ExecResponse, ExecSyncRequest, ExecSyncResponse,
    ListContainersRequest, ListContainersResponse, VersionRequest, VersionResponse,
    runtime_service_server::{RuntimeService, RuntimeServiceServer},
};

type Reply<T> = BoxFuture<'static, Result<T, Status>>;
type ExecSync = Box<dyn Fn(ExecSyncRequest) -> Reply<ExecSyncResponse> + Send + Sync>;

/// A runtime and its socket; both end with it.
pub(super) struct TestRuntime {
    folder: PathBuf,
    socket: PathBuf,
    state: Arc<State>,
    /// Ends with all its connections at once, as a process does that is killed.
    serving: Option<runtime::Runtime>,
}

struct State {
    exec_sync: ExecSync,
    containers: Mutex<Vec<Container>>,
    lists: AtomicUsize,
    /// How long it takes over a Version.
    version_takes: Mutex<Duration>,
    /// It is a containerd without the CRI.
    no_pods: AtomicBool,
}

impl TestRuntime {
    /// Answers each `ExecSync` so, for container `1`, which is `game` of `ns/pod`.
    pub(super) fn new<F, R>(exec_sync: F) -> Self
    where
        F: Fn(ExecSyncRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Result<ExecSyncResponse, Status>> + Send + 'static,
    {
        let folder = std::env::temp_dir().join(format!("gamewarden-cri-{:x}", fastrand::u64(..)));
        Self::at(&folder, "runtime.sock", exec_sync)
    }

    /// The same, at this place in a folder.
    pub(super) fn at<F, R>(folder: &Path, socket: &str, exec_sync: F) -> Self
    where
        F: Fn(ExecSyncRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Result<ExecSyncResponse, Status>> + Send + 'static,
    {
        let (folder, socket) = (folder.to_owned(), folder.join(socket));
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let state = Arc::new(State {
            exec_sync: Box::new(move |request| exec_sync(request).boxed()),
            containers: Mutex::new(vec![container("1", "ns", "pod", "game")]),
            lists: AtomicUsize::new(0),
            version_takes: Mutex::new(Duration::ZERO),
            no_pods: AtomicBool::new(false),
        });
        let serving = serve(&socket, Arc::clone(&state));
        Self { folder, socket, state, serving: Some(serving) }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// How often containers were listed.
    pub(super) fn lists(&self) -> usize {
        self.state.lists.load(Ordering::SeqCst)
    }

    pub(super) fn set_containers(&self, containers: Vec<Container>) {
        *self.state.containers.lock().unwrap() = containers;
    }

    pub(super) fn runs_no_pods(&self) {
        self.state.no_pods.store(true, Ordering::SeqCst);
    }

    pub(super) fn hangs(&self) {
        *self.state.version_takes.lock().unwrap() = Duration::from_secs(3600);
    }

    /// Ends it with all connections.
    pub(super) fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.shutdown_background();
            let _ = std::fs::remove_file(self.socket());
        }
    }

    pub(super) fn start(&mut self) {
        self.serving = Some(serve(&self.socket(), Arc::clone(&self.state)));
    }
}

impl Drop for TestRuntime {
    fn drop(&mut self) {
        self.stop();
        // Of two in one folder the first takes it along.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(super) fn container(id: &str, namespace: &str, pod: &str, container: &str) -> Container {
    let labels = [
        ("io.kubernetes.pod.namespace", namespace),
        ("io.kubernetes.pod.name", pod),
        ("io.kubernetes.container.name", container),
    ];
    Container {
        id: id.to_owned(),
        state: ContainerState::ContainerRunning.into(),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    }
}

fn serve(socket: &Path, state: Arc<State>) -> runtime::Runtime {
    let serving = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = {
        let _context = serving.enter();
        UnixListener::bind(socket).unwrap()
    };
    let incoming = stream::unfold(listener, |listener| async move {
        let stream = listener.accept().await.map(|(stream, _)| stream);
        Some((stream, listener))
    });
    serving.spawn(async move {
        let service = RuntimeServiceServer::from_arc(state);
        Server::builder().add_service(service).serve_with_incoming(incoming.boxed()).await.unwrap();
    });
    serving
}

#[tonic::async_trait]
impl RuntimeService for State {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionResponse>, Status> {
        let takes = *self.version_takes.lock().unwrap();
        tokio::time::sleep(takes).await;
        if self.no_pods.load(Ordering::SeqCst) {
            return Err(Status::unimplemented("unknown service runtime.v1.RuntimeService"));
        }
        Ok(Response::new(VersionResponse::default()))
    }

    async fn list_containers(
        &self,
        request: Request<ListContainersRequest>,
    ) -> Result<Response<ListContainersResponse>, Status> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        let filter = request.into_inner().filter.unwrap();
        let mut containers = self.containers.lock().unwrap().clone();
        containers.retain(|container| {
            let is = |(key, value)| container.labels.get(key) == Some(value);
            (filter.id.is_empty() || container.id == filter.id) && filter.label_selector.iter().all(is)
        });
        Ok(Response::new(ListContainersResponse { containers }))
    }

    async fn exec_sync(
        &self,
        request: Request<ExecSyncRequest>,
    ) -> Result<Response<ExecSyncResponse>, Status> {
        (self.exec_sync)(request.into_inner()).await.map(Response::new)
    }

    async fn exec(&self, _: Request<ExecRequest>) -> Result<Response<ExecResponse>, Status> {
        Err(Status::unimplemented("no streams"))
    }
}
