//! One shutdown handle: the first SIGTERM or SIGINT starts a drain, the second ends the process.

use std::io;

use futures::{Stream, StreamExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Says whether this process is to end. Clones share one state; once draining, always draining.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
}

impl Shutdown {
    /// A handle that nothing has asked to drain yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts the drain: readiness turns false, loops finish what they hold and return.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Whether the drain has started.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Resolves when the drain starts (at once if it has).
    pub async fn started(&self) {
        self.draining.cancelled().await;
    }

    /// The drain as a token, for interfaces that want one. Cancelling it starts the drain.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// Drains at the first signal and resolves at the second with the exit code that shells and
    /// Kubernetes know it by (128 + number). A stream that ends resolves to `None`.
    pub async fn follow(&self, signals: impl Stream<Item = Signal>) -> Option<u8> {
        let mut signals = std::pin::pin!(signals);
        let first = signals.next().await?;
        tracing::info!(signal = first.name(), "draining; a second signal ends this at once");
        self.drain();
        let second = signals.next().await?;
        tracing::warn!(signal = second.name(), "second signal: not waiting for the drain");
        Some(second.exit_code())
    }
}

/// A signal that asks this process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// kubelet's way.
    Terminate,
    /// A person's Ctrl-C.
    Interrupt,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }

    fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 128 + 15,
            Self::Interrupt => 128 + 2,
        }
    }
}

/// This process' signals. From here on they no longer end it by themselves.
///
/// # Errors
/// The handlers cannot be installed.
pub fn signals() -> io::Result<impl Stream<Item = Signal> + Send + 'static> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    Ok(futures::stream::unfold((terminate, interrupt), |(mut terminate, mut interrupt)| async move {
        let signal = tokio::select! {
            received = terminate.recv() => received.map(|()| Signal::Terminate),
            received = interrupt.recv() => received.map(|()| Signal::Interrupt),
        }?;
        Some((signal, (terminate, interrupt)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::mpsc;

    #[tokio::test]
    async fn first_signal_drains_second_aborts() {
        let shutdown = Shutdown::new();
        let (sender, receiver) = mpsc::unbounded();
        let follow = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.follow(receiver).await }
        });
        assert!(!shutdown.is_draining());

        sender.unbounded_send(Signal::Terminate).unwrap();
        shutdown.started().await;
        assert!(!follow.is_finished(), "one signal must not abort");

        sender.unbounded_send(Signal::Interrupt).unwrap();
        assert_eq!(follow.await.unwrap(), Some(130));
        assert!(shutdown.is_draining());
    }

    #[tokio::test]
    async fn clones_share_the_drain() {
        let shutdown = Shutdown::new();
        let clone = shutdown.clone();
        clone.token().cancel();
        shutdown.started().await;
        assert!(shutdown.is_draining());
    }
}
