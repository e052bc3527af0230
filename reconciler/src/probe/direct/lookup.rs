//! The addresses of a host.

use std::{
    net::{IpAddr, ToSocketAddrs},
    sync::Arc,
};

use gamewarden_api::schedule::{Host, is_never_asked};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// How many names are looked up at once. A lookup is a thread, which goes on after its probe was given up.
const AT_ONCE: usize = 16;

/// Looks names up as the machine does. Clones share the bound on how many at once.
#[derive(Clone)]
pub(super) struct Lookup(Arc<Semaphore>);

impl Default for Lookup {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Lookup {
    /// The addresses, or why there are none. That a name is not found is no answer of the server, which has not
    /// been asked.
    pub(super) async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, String> {
        let name = match host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name.clone(),
        };
        let failed = |why: String| format!("host {host} could not be looked up: {why}");
        let slot = Arc::clone(&self.0).acquire_owned().await.map_err(|error| failed(error.to_string()))?;
        let looked_up = spawn_blocking(move || {
            let _slot = slot;
            (name.as_str(), 0).to_socket_addrs().map(|all| all.map(|at| at.ip()).collect::<Vec<_>>())
        });
        let mut addresses = match looked_up.await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(error) => return Err(failed(error.to_string())),
        };
        // The name was allowed; where it leads is checked on the very addresses that are then connected to.
        addresses.retain(|address| !is_never_asked(*address));
        if addresses.is_empty() {
            return Err(format!("host {host} is at the controller's own node or link, which is never asked"));
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn looked_up(name: &str) -> Result<Vec<IpAddr>, String> {
        Lookup::default().addresses(&Host::Name(name.to_owned())).await
    }

    #[tokio::test]
    async fn a_name_of_the_machine_itself_is_not_asked() {
        assert_eq!(
            looked_up("localhost").await,
            Err("host localhost is at the controller's own node or link, which is never asked".to_owned())
        );
    }

    #[tokio::test]
    async fn a_name_that_is_not_found_is_said() {
        let why = looked_up("nothing.invalid").await.unwrap_err();
        assert!(why.starts_with("host nothing.invalid could not be looked up: "), "{why}");
    }
}
