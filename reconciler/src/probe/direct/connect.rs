//! A connection, or whose fault it is that there is none.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
};

use gamewarden_api::quality::Outcome;
use tokio::net::{TcpSocket, TcpStream};

use super::failure;

/// Connects to the first of the addresses that can be connected to.
///
/// # Errors
/// The outcome that it is where none can.
pub(super) async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Outcome> {
    let mut outcome = Outcome::Unknown { reason: "the host has no address".to_owned() };
    for address in addresses {
        let at = SocketAddr::new(*address, port);
        match connect_to(at).await {
            Ok(stream) => return Ok(stream),
            Err(error) => outcome = judged(&error, at),
        }
    }
    Err(outcome)
}

async fn connect_to(at: SocketAddr) -> io::Result<TcpStream> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A probe is over when its answer is there. Closed the ordinary way, its connection would be remembered for
    // a minute (TIME_WAIT) here and in the connection tables on the way, some thousands for each hundred
    // servers. With this, closing it resets it. Who has shut it down before has told the server its end all the
    // same: the server reads the end, and then the reset has nothing left to break.
    socket.set_zero_linger()?;
    socket.set_nodelay(true)?;
    socket.connect(at).await
}

/// Refusing, resetting and keeping silent is what the other side does. Everything else (no route, no free port,
/// no file descriptor, a filter on this machine) happens before it is asked.
fn judged(error: &io::Error, at: SocketAddr) -> Outcome {
    match error.kind() {
        ErrorKind::ConnectionRefused => failure("connection refused"),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            failure("connection reset")
        }
        ErrorKind::TimedOut => failure("connection timed out"),
        _ => Outcome::Unknown { reason: format!("cannot connect to {at}: {error}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_fault_it_is() {
        let at: SocketAddr = "10.0.0.5:80".parse().unwrap();
        // By the numbers of Linux.
        for (number, what, expected) in [
            (111, "ECONNREFUSED", Some("connection refused")),
            (104, "ECONNRESET", Some("connection reset")),
            (103, "ECONNABORTED", Some("connection reset")),
            (110, "ETIMEDOUT", Some("connection timed out")),
            (101, "ENETUNREACH", None),
            (113, "EHOSTUNREACH", None),
            (100, "ENETDOWN", None),
            (97, "EAFNOSUPPORT", None),
            (99, "EADDRNOTAVAIL", None),
            (24, "EMFILE", None),
            (23, "ENFILE", None),
            (105, "ENOBUFS", None),
            (12, "ENOMEM", None),
            (1, "EPERM", None),
            (13, "EACCES", None),
        ] {
            let error = io::Error::from_raw_os_error(number);
            let expected = match expected {
                Some(result) => Outcome::Failure { result: result.to_owned() },
                None => Outcome::Unknown { reason: format!("cannot connect to 10.0.0.5:80: {error}") },
            };
            assert_eq!(judged(&error, at), expected, "{what}");
        }
    }
}
