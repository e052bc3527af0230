//! Where the runtime listens, and a connection to it that is made again by itself.
//!
//! Where no place is set the known ones are tried, and the first whose runtime answers, and runs this very pod, is the one: a node
//! may have several containerds, of which one runs pods. It stays the one while it is restarted, when another may be all there is to be found.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use hyper_util::rt::TokioIo;
use tokio::{
    net::UnixStream,
    time::{Instant, timeout},
};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

use super::{Error, OwnPod, Runtime, owner, sync, words};

/// Where runtimes listen, below the node's root. Docker brings a containerd that serves no pods: the general
/// place comes last.
const KNOWN: [&str; 5] = [
    "run/k3s/containerd/containerd.sock",
    "run/k0s/containerd.sock",
    "run/crio/crio.sock",
    "run/cri-dockerd.sock",
    "run/containerd/containerd.sock",
];
/// How long a connection may take: the runtime is on this machine.
const CONNECT: Duration = Duration::from_secs(2);
/// How long each known place may take to say whether a runtime is there.
const ASKED: Duration = Duration::from_secs(2);
/// How long the place that was chosen may not be there until others are tried: a node gets another runtime by being set up
/// anew, which takes longer.
const GONE: Duration = Duration::from_secs(300);
/// How much of an answer's headers is taken. What the runtime says of an error is in them.
const MAX_HEADERS: u32 = 64 * 1024;
/// gRPC wants a host in its requests; over a socket of this machine it means nothing.
const NO_HOST: &str = "http://localhost";

/// Where the runtime listens. Clones share what they have found.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    /// Where it may be, likely ones first.
    places: Vec<PathBuf>,
    /// A pod that the node's runtime runs.
    own: Option<OwnPod>,
    chosen: Arc<Mutex<Chosen>>,
}

/// The place that is kept to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chosen {
    place: Option<PathBuf>,
    /// Since when it cannot be connected to.
    gone_since: Option<Duration>,
}

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum There {
    /// Nothing.
    Nothing,
    /// Nothing that runs pods, and why it is not.
    Other(String),
    /// Something that does not say what it is, yet.
    Silent(String),
    /// A runtime.
    Runtime,
}

impl Socket {
    /// This one, or else the known ones in `host`.
    pub(super) fn new(socket: Option<PathBuf>, host: PathBuf, own: Option<OwnPod>) -> Result<Self, Error> {
        let places = match socket {
            // As kubelet and crictl write it.
            Some(socket) => {
                let path =
                    socket.strip_prefix("unix:/").map_or(socket.clone(), |path| Path::new("/").join(path));
                vec![absolute("the runtime's socket", path)?]
            }
            None => {
                let host = absolute("the folder with the node's files", host)?;
                KNOWN.iter().map(|known| host.join(known)).collect()
            }
        };
        // What is set is not asked whether it is right: what it says is told with each probe.
        let place = if let [only] = &places[..] { Some(only.clone()) } else { None };
        let chosen = Arc::new(Mutex::new(Chosen { place, gone_since: None }));
        Ok(Self { places, own, chosen })
    }

    /// A connection, made when it is first used.
    pub(super) fn channel(self) -> Channel {
        let epoch = Instant::now();
        let connect = service_fn(move |_| {
            let socket = self.clone();
            async move { socket.connect(epoch).await.map(TokioIo::new) }
        });
        // Before that it is chosen where to connect to.
        endpoint(CONNECT + ASKED + CONNECT).connect_with_connector_lazy(connect)
    }

    async fn connect(&self, epoch: Instant) -> io::Result<UnixStream> {
        let place = self.with_chosen(|chosen| chosen.place.clone());
        let place = match place {
            Some(place) => place,
            None => self.choose().await?,
        };
        let connected = connect(&place).await;
        let is_choice = self.places.len() > 1;
        self.with_chosen(|chosen| {
            if is_choice {
                chosen.connected(connected.is_ok(), epoch.elapsed());
            }
        });
        connected.map_err(|error| io::Error::other(format!("{}: {error}", place.display())))
    }

    async fn choose(&self) -> io::Result<PathBuf> {
        let there = join_all(self.places.iter().map(|place| ask(place, self.own.as_ref()))).await;
        let found: Vec<(&Path, There)> = self.places.iter().map(PathBuf::as_path).zip(there).collect();
        let place = choose(&found).map_err(io::Error::other)?.to_owned();
        tracing::info!(socket = %place.display(), "the container runtime");
        self.with_chosen(|chosen| *chosen = Chosen { place: Some(place.clone()), gone_since: None });
        Ok(place)
    }

    fn with_chosen<T>(&self, change: impl FnOnce(&mut Chosen) -> T) -> T {
        change(&mut self.chosen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Chosen {
    /// Takes note of a try to connect at `now`. A place that is gone for long is none any more.
    fn connected(&mut self, connected: bool, now: Duration) {
        if connected {
            self.gone_since = None;
            return;
        }
        let since = *self.gone_since.get_or_insert(now);
        if now.saturating_sub(since) >= GONE {
            *self = Self::default();
        }
    }
}

/// The first place with a runtime. One before it that may have one and does not say so (it starts, say) is waited for: what
/// is chosen is kept.
///
/// # Errors
/// There is none, and why.
fn choose<'a>(found: &[(&'a Path, There)]) -> Result<&'a Path, String> {
    let mut why = Vec::new();
    for (place, there) in found {
        match there {
            There::Runtime => return Ok(place),
            There::Silent(said) => {
                return Err(format!(
                    "{}: {said} (is it the one? prober.socket says which is)",
                    place.display()
                ));
            }
            There::Other(said) => why.push(format!("{}: {said}", place.display())),
            // Of the known places, most are never there.
            There::Nothing => {}
        }
    }
    if why.is_empty() {
        return Err("no socket of a runtime is in a known place".to_owned());
    }
    Err(why.join(", "))
}

/// Looks what is at a known place.
async fn ask(place: &Path, own: Option<&OwnPod>) -> There {
    let stream = match connect(place).await {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound => There::Nothing,
                // What a runtime leaves behind that was taken away; or one that has just been killed.
                io::ErrorKind::ConnectionRefused => There::Other(error.to_string()),
                _ => There::Silent(error.to_string()),
            };
        }
    };
    let mut stream = Some(TokioIo::new(stream));
    let once = service_fn(move |_| {
        let stream = stream.take().ok_or_else(|| io::Error::other("it has hung up"));
        async move { stream }
    });
    let runtime = Runtime::new(endpoint(CONNECT).connect_with_connector_lazy(once));
    match sync::version(&runtime, ASKED).await {
        Ok(()) => match owner::is_the_nodes(&runtime, own).await {
            Ok(()) => There::Runtime,
            Err(why) => There::Other(why),
        },
        Err(Some(status)) if status.code() == Code::Unimplemented => There::Other(words::why(&status)),
        Err(Some(status)) => There::Silent(words::why(&status)),
        Err(None) => There::Silent(words::SILENT.to_owned()),
    }
}

async fn connect(place: &Path) -> io::Result<UnixStream> {
    let connected = timeout(CONNECT, UnixStream::connect(place)).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn endpoint(connect: Duration) -> Endpoint {
    Endpoint::from_static(NO_HOST).connect_timeout(connect).http2_max_header_list_size(MAX_HEADERS)
}

fn absolute(what: &'static str, path: PathBuf) -> Result<PathBuf, Error> {
    if path.is_absolute() { Ok(path) } else { Err(Error::NotAbsolute { what, path }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(socket: Option<&str>, host: &str) -> Result<Vec<String>, String> {
        let socket =
            Socket::new(socket.map(PathBuf::from), PathBuf::from(host), None).map_err(|e| e.to_string())?;
        Ok(socket.places.into_iter().map(|place| place.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn the_socket_is_the_one_that_is_set_or_else_a_known_one() {
        assert_eq!(places(Some("/run/x.sock"), "/host").unwrap(), ["/run/x.sock"]);
        assert_eq!(places(Some("unix:///run/x.sock"), "/host").unwrap(), ["/run/x.sock"]);
        let known = places(None, "/host").unwrap();
        assert!(known.contains(&"/host/run/crio/crio.sock".to_owned()), "{known:?}");
        assert_eq!(known.last().unwrap(), "/host/run/containerd/containerd.sock");
        // The chart mounts no more of the node than that.
        assert!(known.iter().all(|place| place.starts_with("/host/run/")), "{known:?}");
        assert_eq!(
            places(Some("x.sock"), "/").unwrap_err(),
            "the runtime's socket must be an absolute path, not \"x.sock\""
        );
        assert_eq!(
            places(None, "host").unwrap_err(),
            "the folder with the node's files must be an absolute path, not \"host\""
        );
    }

    #[test]
    fn the_known_places_are_documented() {
        let page = include_str!("../../../../docs/node-prober.md");
        for known in KNOWN {
            assert!(page.contains(&format!("`/{known}`")), "{known}");
        }
    }

    #[test]
    fn the_first_that_answers_is_chosen_and_who_may_yet_answer_is_waited_for() {
        let other = || There::Other("no CRI".to_owned());
        let silent = || There::Silent("starts".to_owned());
        for (there, expected) in [
            ([There::Runtime, There::Runtime], Ok("/a")),
            ([There::Nothing, There::Runtime], Ok("/b")),
            ([other(), There::Runtime], Ok("/b")),
            ([silent(), There::Runtime], Err("/a: starts (is it the one? prober.socket says which is)")),
            ([There::Runtime, silent()], Ok("/a")),
            ([other(), other()], Err("/a: no CRI, /b: no CRI")),
            ([There::Nothing, other()], Err("/b: no CRI")),
            ([There::Nothing, There::Nothing], Err("no socket of a runtime is in a known place")),
        ] {
            let found: Vec<_> = [Path::new("/a"), Path::new("/b")].into_iter().zip(there.clone()).collect();
            let got = choose(&found);
            assert_eq!(got, expected.map(Path::new).map_err(str::to_owned), "{there:?}");
        }
    }

    #[test]
    fn a_place_is_kept_to_until_it_is_gone_for_long() {
        let at = Duration::from_secs;
        let chosen = || Chosen { place: Some("/a".into()), gone_since: None };
        for (what, tries, kept) in [
            ("a restart", &[(false, 10), (false, 309)][..], true),
            ("another one", &[(false, 10), (true, 200), (false, 310)], true),
            ("gone", &[(false, 10), (false, 310)], false),
        ] {
            let mut chosen = chosen();
            for (connected, now) in tries {
                chosen.connected(*connected, at(*now));
            }
            assert_eq!(chosen.place.is_some(), kept, "{what}");
        }
    }
}
