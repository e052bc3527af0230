//! Where the runtime listens, and a connection to it that is made again by itself.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::Error;

/// Where runtimes listen, below the node's root. Docker brings a containerd that serves no pods: the general
/// place comes last.
const KNOWN: [&str; 6] = [
    "run/k3s/containerd/containerd.sock",
    "run/k0s/containerd.sock",
    "run/crio/crio.sock",
    "run/cri-dockerd.sock",
    "var/snap/microk8s/common/run/containerd.sock",
    "run/containerd/containerd.sock",
];
/// How long a connection may take: the runtime is on this machine.
const CONNECT: Duration = Duration::from_secs(2);
/// How much of an answer's headers is taken. What the runtime says of an error is in them.
const MAX_HEADERS: u32 = 64 * 1024;
/// gRPC wants a host in its requests; over a socket of this machine it means nothing.
const NO_HOST: &str = "http://localhost";

/// Where the runtime listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    /// Asked in this order, until one answers.
    places: Vec<PathBuf>,
}

impl Socket {
    /// This one, or else the known ones in `host`.
    pub(super) fn new(socket: Option<PathBuf>, host: PathBuf) -> Result<Self, Error> {
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
        Ok(Self { places })
    }

    /// A connection, made when it is first used.
    pub(super) fn channel(self) -> Channel {
        let connect = service_fn(move |_| {
            let socket = self.clone();
            async move { socket.connect().await.map(TokioIo::new) }
        });
        Endpoint::from_static(NO_HOST)
            .connect_timeout(CONNECT)
            .http2_max_header_list_size(MAX_HEADERS)
            .connect_with_connector_lazy(connect)
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        let mut why = Vec::new();
        for place in &self.places {
            match UnixStream::connect(place).await {
                Ok(stream) => return Ok(stream),
                // Of the known places, most are never there.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.places.len() > 1 => {}
                Err(error) => why.push(format!("{}: {error}", place.display())),
            }
        }
        let why = if why.is_empty() {
            "no socket of a runtime is in a known place".to_owned()
        } else {
            why.join(", ")
        };
        Err(io::Error::other(why))
    }
}

fn absolute(what: &'static str, path: PathBuf) -> Result<PathBuf, Error> {
    if path.is_absolute() { Ok(path) } else { Err(Error::NotAbsolute { what, path }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(socket: Option<&str>, host: &str) -> Result<Vec<String>, String> {
        let socket =
            Socket::new(socket.map(PathBuf::from), PathBuf::from(host)).map_err(|e| e.to_string())?;
        Ok(socket.places.into_iter().map(|place| place.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn the_socket_is_the_one_that_is_set_or_else_a_known_one() {
        assert_eq!(places(Some("/run/x.sock"), "/host").unwrap(), ["/run/x.sock"]);
        assert_eq!(places(Some("unix:///run/x.sock"), "/host").unwrap(), ["/run/x.sock"]);
        let known = places(None, "/host").unwrap();
        assert!(known.contains(&"/host/run/crio/crio.sock".to_owned()), "{known:?}");
        assert_eq!(known.last().unwrap(), "/host/run/containerd/containerd.sock");
        assert_eq!(
            places(Some("x.sock"), "/").unwrap_err(),
            "the runtime's socket must be an absolute path, not \"x.sock\""
        );
        assert_eq!(
            places(None, "host").unwrap_err(),
            "the folder with the node's files must be an absolute path, not \"host\""
        );
    }
}
