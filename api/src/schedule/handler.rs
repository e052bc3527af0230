//! How a quality's container is asked: a command, an HTTP request, a connection or a gRPC call, as kubelet
//! reads the fields of a Kubernetes Probe (its `pkg/probe` and `pkg/kubelet/prober`).
//!
//! What kubelet finds wrong only when it probes is said here beforehand, as a problem of the set.

use k8s_openapi::{
    api::core::v1::{Container, Pod},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    host::{Endpoint, Hosts, host_of},
    http_get::HttpGet,
    target::container_of,
};
use crate::types::ServiceQuality;

/// How a container is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handler {
    /// Runs this command in it, without a shell.
    Exec(Vec<String>),
    /// Sends this request.
    Http(HttpGet),
    /// Opens a connection.
    Tcp(Endpoint),
    /// Calls `Check` of the gRPC health service.
    Grpc {
        /// Where.
        at: Endpoint,
        /// The service that it is asked about; empty: the server as a whole.
        service: String,
    },
}

/// How `quality` is asked on `pod`; `None` while that is open because the pod has no address yet.
///
/// # Errors
/// What is wrong with the quality, for people.
pub fn handler(pod: &Pod, quality: &ServiceQuality, hosts: Hosts) -> Result<Option<Handler>, String> {
    let container = container_of(pod, quality)?;
    let given = [
        ("exec", quality.exec.is_some()),
        ("httpGet", quality.http_get.is_some()),
        ("tcpSocket", quality.tcp_socket.is_some()),
        ("grpc", quality.grpc.is_some()),
    ];
    let given: Vec<&str> = given.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect();
    match given.as_slice() {
        [] => return Err("there is no probe: say exec, httpGet, tcpSocket or grpc".to_owned()),
        [_] => {}
        several => return Err(format!("there are several probes, {}: say one", several.join(" and "))),
    }
    if let Some(exec) = &quality.exec {
        return match exec.command.as_deref() {
            Some(command) if !command.is_empty() => Ok(Some(Handler::Exec(command.to_vec()))),
            _ => Err("exec has no command".to_owned()),
        };
    }
    if let Some(get) = &quality.http_get {
        let port = port(container, "httpGet.port", &get.port)?;
        let host = host_of(pod, "httpGet.host", get.host.as_deref(), hosts)?;
        // Looked at without a host too: a mistake is said as soon as there is a pod.
        let read = HttpGet::read(get, Endpoint { host: host.clone().unwrap_or(super::Host::NOWHERE), port })?;
        return Ok(host.map(|_| Handler::Http(read)));
    }
    if let Some(socket) = &quality.tcp_socket {
        let port = port(container, "tcpSocket.port", &socket.port)?;
        let host = host_of(pod, "tcpSocket.host", socket.host.as_deref(), hosts)?;
        return Ok(host.map(|host| Handler::Tcp(Endpoint { host, port })));
    }
    let Some(grpc) = &quality.grpc else {
        return Ok(None);
    };
    let port = in_range("grpc.port", grpc.port)?;
    let service = grpc.service.clone().unwrap_or_default();
    let host = host_of(pod, "grpc", None, hosts)?;
    Ok(host.map(|host| Handler::Grpc { at: Endpoint { host, port }, service }))
}

/// The port: a number, or the name of one that the container declares. A number in quotes is one too, where
/// no port has it for a name (kubelet's `ResolveContainerPort`).
fn port(container: &Container, field: &str, port: &IntOrString) -> Result<u16, String> {
    let name = match port {
        IntOrString::Int(number) => return in_range(field, *number),
        IntOrString::String(name) => name,
    };
    let declared = container.ports.as_deref().unwrap_or_default();
    if let Some(port) = declared.iter().find(|port| port.name.as_ref() == Some(name)) {
        return in_range(field, port.container_port);
    }
    if let Ok(number) = name.parse() {
        return in_range(field, number);
    }
    let named: Vec<String> = declared
        .iter()
        .filter_map(|port| Some(format!("{} ({})", port.name.as_deref()?, port.container_port)))
        .collect();
    let has =
        if named.is_empty() { "it names none".to_owned() } else { format!("it has {}", named.join(", ")) };
    Err(format!("{field}: container {:?} declares no port named {name:?}; {has}", container.name))
}

fn in_range(field: &str, number: i32) -> Result<u16, String> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("{field} {number} is not between 1 and 65535")),
    }
}

#[cfg(test)]
#[path = "handler_tests.rs"]
mod tests;
