//! Whether the node's container runtime answers. A prober without one holds no Lease: the controller can do better.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::probe::Cri;

/// How long a runtime may not answer until its node is left to the controller. A restart of it takes seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// How often it is asked whether it is there.
const EVERY: Duration = Duration::from_secs(5);
/// How often, while it is waited for.
const AWAITED: Duration = Duration::from_secs(1);

/// Something that can be asked whether it is there.
pub trait Runtime: Send + Sync {
    /// Asks.
    ///
    /// # Errors
    /// Why not, for people.
    fn answers(&self) -> impl Future<Output = Result<(), String>> + Send;
}

impl Runtime for Cri {
    async fn answers(&self) -> Result<(), String> {
        Self::answers(self).await
    }
}

/// For how long nothing has answered.
#[derive(Debug, Default)]
struct Silence {
    since: Option<Duration>,
}

impl Silence {
    /// Takes note of what came of asking at `asked`. Times in which nobody asked, as the process stood still, do not count:
    /// silence begins with a question.
    fn heard(&mut self, answered: bool, asked: Duration) {
        self.since = if answered { None } else { Some(self.since.unwrap_or(asked)) };
    }

    fn is_too_long(&self, now: Duration) -> bool {
        self.since.is_some_and(|since| now.saturating_sub(since) >= SILENCE)
    }
}

/// Resolves when the runtime has answered.
pub(super) async fn answers(runtime: &impl Runtime) {
    let (epoch, mut silence, mut said) = (Instant::now(), Silence::default(), false);
    loop {
        let asked = epoch.elapsed();
        let Err(why) = runtime.answers().await else { return };
        silence.heard(false, asked);
        if !said && silence.is_too_long(epoch.elapsed()) {
            tracing::warn!(why, "still waiting for the container runtime; is prober.socket right here?");
            said = true;
        }
        sleep(AWAITED).await;
    }
}

/// Resolves, with why, when the runtime has not answered for too long.
pub(super) async fn silent(runtime: &impl Runtime) -> String {
    let (epoch, mut silence) = (Instant::now(), Silence::default());
    loop {
        sleep(EVERY).await;
        let asked = epoch.elapsed();
        let answer = runtime.answers().await;
        silence.heard(answer.is_ok(), asked);
        if let Err(why) = answer
            && silence.is_too_long(epoch.elapsed())
        {
            return why;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::{advance, timeout};

    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_too_long_when_nothing_has_answered_in_between() {
        for (what, heard, now, expected) in [
            ("never asked", &[][..], 100, false),
            ("just begun", &[(false, 10)], 39, false),
            ("too long", &[(false, 10), (false, 39)], 40, true),
            ("an answer in between", &[(false, 10), (true, 20), (false, 30)], 59, false),
            ("and silence again", &[(false, 10), (true, 20), (false, 30)], 60, true),
            ("one that stood still", &[(true, 10), (false, 500)], 501, false),
        ] {
            let mut silence = Silence::default();
            for (answered, asked) in heard {
                silence.heard(*answered, at(*asked));
            }
            assert_eq!(silence.is_too_long(at(now)), expected, "{what}");
        }
    }

    struct Switch(AtomicBool);

    impl Runtime for Switch {
        async fn answers(&self) -> Result<(), String> {
            if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err("off".to_owned()) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_waited_for_as_long_as_it_takes_and_left_when_it_is_gone_for_long() {
        let runtime = Switch(AtomicBool::new(false));
        assert!(timeout(at(300), answers(&runtime)).await.is_err());
        runtime.0.store(true, Ordering::SeqCst);
        timeout(at(1), answers(&runtime)).await.unwrap();
        assert!(timeout(at(300), silent(&runtime)).await.is_err(), "it is there");
        let restarts = async {
            loop {
                runtime.0.store(false, Ordering::SeqCst);
                sleep(at(20)).await;
                runtime.0.store(true, Ordering::SeqCst);
                sleep(at(10)).await;
            }
        };
        tokio::select! {
            why = silent(&runtime) => panic!("{why}"),
            () = restarts => {}
            () = sleep(at(300)) => {}
        }
        runtime.0.store(false, Ordering::SeqCst);
        let began = Instant::now();
        assert_eq!(silent(&runtime).await, "off");
        assert!((at(30)..=at(40)).contains(&began.elapsed()), "{:?}", began.elapsed());
        advance(at(1)).await;
    }
}
