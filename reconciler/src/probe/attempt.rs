//! One start of a probe, through to its end.
//!
//! A command that hangs cannot be stopped through the API, and one more would be left in the container with
//! every period. Therefore a probe that timed out stays open and its target is not asked again while it
//! hangs; its failure is said again each period (or each timeout, if that is longer), as if it had been asked
//! and had hung again, or that nobody can reach it now. After [`LET_GO`] it is given up, and the next one starts afresh.
//!
//! Times are only worth something to those who are awake: what comes of a probe during which this process
//! [stood still](awake) is told as such, and a repetition that comes too late is left out.

use std::time::Duration;

use futures::StreamExt;
use gamewarden_api::quality::{Outcome, ProbeSettings};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::{
    Answer, ProbeTarget, Prober,
    awake::{awake, tolerated},
};

/// How long after its timeout a hanging probe is kept.
pub(super) const LET_GO: Duration = Duration::from_secs(30);

/// An outcome of a probe that may go on.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) outcome: Outcome,
    /// From the start of the probe to its first outcome; none for the repeated ones.
    pub(super) took: Option<Duration>,
    /// The probe goes on after this.
    pub(super) hanging: bool,
    /// As in [`Answer`].
    pub(super) gone: bool,
    /// This process stood still meanwhile: the outcome is not to be heard.
    pub(super) asleep: bool,
}

/// Probes once and tells each outcome; returns when the probe has ended or is let go.
pub(super) async fn attempt<P: Prober>(
    prober: &P,
    target: &ProbeTarget,
    settings: &ProbeSettings,
    mut tell: impl FnMut(Report),
) {
    let start = Instant::now();
    let tolerated = tolerated(settings.timeout);
    let (answer, awake) = awake(prober.probe(target, settings.timeout), tolerated).await;
    let Answer { outcome, hanging, gone, .. } = answer;
    tell(Report {
        outcome: outcome.clone(),
        took: Some(start.elapsed()),
        hanging: hanging.is_some(),
        gone,
        asleep: !awake,
    });
    let Some(mut hanging) = hanging else {
        return;
    };
    let mut outcome = outcome;
    let failure = Answer::none_within(settings.timeout).outcome;
    let every = settings.period.max(settings.timeout);
    let mut again = interval_at(Instant::now() + every, every);
    // One failure for a long sleep, not as many as would have fitted into it.
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut let_go = std::pin::pin!(sleep(LET_GO));
    loop {
        tokio::select! {
            biased;
            reached = hanging.next() => match reached {
                Some(true) => outcome = failure.clone(),
                Some(false) => outcome = Answer::out_of_reach().outcome,
                None => return,
            },
            () = &mut let_go => return,
            due = again.tick() => {
                let asleep = due.elapsed() > tolerated;
                tell(Report { outcome: outcome.clone(), took: None, hanging: true, gone: false, asleep });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::stream;
    use gamewarden_api::types::ServiceQuality;

    use super::{
        super::{Handler, until},
        *,
    };

    /// Times out after the timeout, and cannot be reached from the second second after that to the fifth.
    #[derive(Clone)]
    struct OutOfSight;

    impl Prober for OutOfSight {
        async fn probe(&self, _: &ProbeTarget, timeout: Duration) -> Answer {
            sleep(timeout).await;
            let looks = [(2, false), (3, true), (10, true)];
            let hanging = stream::iter(looks).then(async |(after, reached)| {
                sleep(Duration::from_secs(after)).await;
                reached
            });
            Answer { hanging: Some(hanging.boxed()), ..Answer::none_within(timeout) }
        }
    }

    /// Times out after the timeout and ends so long after that.
    #[derive(Clone)]
    struct Hangs(Duration);

    impl Prober for Hangs {
        async fn probe(&self, _: &ProbeTarget, timeout: Duration) -> Answer {
            sleep(timeout).await;
            Answer { hanging: Some(until(sleep(self.0))), ..Answer::none_within(timeout) }
        }
    }

    fn target() -> ProbeTarget {
        ProbeTarget {
            namespace: "ns".to_owned(),
            pod: "pod".to_owned(),
            container: "game".to_owned(),
            container_id: "containerd://1".to_owned(),
            handler: Handler::Exec(vec!["idle".to_owned()]),
        }
    }

    /// When which reports came, and when it ended, in seconds after the start.
    async fn seconds(hang: u64, period: i32, timeout: i32) -> (Vec<u64>, u64) {
        let quality = ServiceQuality {
            period_seconds: Some(period),
            timeout_seconds: Some(timeout),
            ..ServiceQuality::default()
        };
        let target = target();
        let start = Instant::now();
        let mut told = Vec::new();
        let tell = |report: Report| {
            assert!(report.hanging && !report.asleep);
            assert!(matches!(report.outcome, Outcome::Failure { .. }));
            told.push(start.elapsed().as_secs());
        };
        let prober = Hangs(Duration::from_secs(hang));
        attempt(&prober, &target, &ProbeSettings::of(&quality), tell).await;
        (told, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_probe_fails_again_each_period_and_ends_with_the_command() {
        assert_eq!(seconds(10, 3, 1).await, (vec![1, 4, 7, 10], 11));
    }

    #[tokio::test(start_paused = true)]
    async fn while_nobody_can_reach_it_that_is_what_is_said() {
        let mut told = Vec::new();
        let tell = |report: Report| told.push(matches!(report.outcome, Outcome::Failure { .. }));
        let quality =
            ServiceQuality { period_seconds: Some(3), timeout_seconds: Some(1), ..ServiceQuality::default() };
        attempt(&OutOfSight, &target(), &ProbeSettings::of(&quality), tell).await;
        // After 1 s, 4 s, 7 s, 10 s, 13 s.
        assert_eq!(told, [true, false, true, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_timeout_longer_than_the_period_it_fails_each_timeout() {
        assert_eq!(seconds(12, 3, 5).await, (vec![5, 10, 15], 17));
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_never_ends_is_let_go() {
        assert_eq!(seconds(3600, 20, 1).await, (vec![1, 21], 31));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_is_told_once_and_counts_for_no_failure() {
        let told = Mutex::new(Vec::new());
        let start = Instant::now();
        let tell = |report: Report| told.lock().unwrap().push((start.elapsed().as_secs(), report.asleep));
        let quality = ServiceQuality { timeout_seconds: Some(1), ..ServiceQuality::default() };
        let settings = ProbeSettings::of(&quality);
        let prober = Hangs(Duration::from_secs(25));
        // It hangs from the first second on, and is said again each third; from the fifth to the 17th nobody
        // is awake.
        let sleeping = async {
            sleep(Duration::from_secs(5)).await;
            tokio::time::advance(Duration::from_secs(12)).await;
        };
        let target = target();
        tokio::join!(attempt(&prober, &target, &settings, tell), sleeping);
        assert_eq!(
            told.into_inner().unwrap(),
            [(1, false), (4, false), (17, true), (20, false), (23, false)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_of_a_probe_during_which_we_slept_is_told_as_such() {
        let told = Mutex::new(Vec::new());
        let tell = |report: Report| told.lock().unwrap().push((report.asleep, report.hanging));
        let sleeping = tokio::time::advance(Duration::from_secs(12));
        let (target, settings) = (target(), ProbeSettings::of(&ServiceQuality::default()));
        tokio::join!(attempt(&Hangs(Duration::ZERO), &target, &settings, tell), sleeping);
        assert_eq!(told.into_inner().unwrap(), [(true, true)]);
    }
}
