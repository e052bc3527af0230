//! Notices that this process stood still while a probe ran: stopped by a signal, frozen with its cgroup, or
//! given no processor.
//!
//! When it goes on, the answer and the end of the timeout lie there side by side, and which of them is seen
//! first says nothing about the server; nor is an answer from before that time an answer now. So it is not
//! heard, and the next turn asks again.

use std::{pin::pin, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often it is looked whether time passes as it should.
const BEAT: Duration = Duration::from_millis(250);

/// How long this process may stand still under a probe with this timeout: one that had the other half of it has
/// had enough.
pub(super) fn tolerated(timeout: Duration) -> Duration {
    timeout / 2
}

/// Waits for `work`; gives what it gives, and whether this process never stood still for longer than `tolerated`.
pub(super) async fn awake<T>(work: impl Future<Output = T>, tolerated: Duration) -> (T, bool) {
    let mut work = pin!(work);
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    let mut awake = true;
    loop {
        let ended = tokio::select! {
            biased;
            output = &mut work => Some(output),
            _ = beat.tick() => None,
        };
        awake &= last.elapsed() <= BEAT + tolerated;
        last = Instant::now();
        if let Some(output) = ended {
            return (output, awake);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep};

    use super::*;

    const HALF_A_SECOND: Duration = Duration::from_millis(500);

    #[tokio::test(start_paused = true)]
    async fn who_only_waits_is_awake() {
        assert_eq!(awake(async { 42 }, HALF_A_SECOND).await, (42, true));
        assert_eq!(awake(sleep(Duration::from_secs(3600)), HALF_A_SECOND).await, ((), true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_of_the_clock_is_noticed_wherever_it_comes() {
        for (before, jump, after, expected) in
            [(0, 2000, 0, false), (3000, 2000, 0, false), (0, 2000, 3000, false), (3000, 400, 3000, true)]
        {
            let work = async {
                sleep(Duration::from_millis(before)).await;
                advance(Duration::from_millis(jump)).await;
                sleep(Duration::from_millis(after)).await;
            };
            let ((), awake) = awake(work, HALF_A_SECOND).await;
            assert_eq!(awake, expected, "{jump} ms at once after {before} ms and before {after} ms");
        }
    }
}
