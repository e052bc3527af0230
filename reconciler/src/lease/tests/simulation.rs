//! I7, as far as the lease goes: whatever the network and the wall clocks do, and however long a process is
//! stopped, no two candidates lead at the same time. The real shell, an API server in memory, in virtual time.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use gamewarden_runtime::Shutdown;
use proptest::prelude::*;
use tokio::time::{Instant, timeout};

use super::*;

const CANDIDATES: usize = 3;
const DURATION: Duration = Duration::from_secs(10 * 60);

/// How one candidate's network is for a while.
#[derive(Debug, Clone, Copy)]
enum Weather {
    Fair,
    Slow,
    Flaky,
    Cut,
}

/// The weather changes about twice a minute, for each candidate by itself.
fn weather(current: &Mutex<(Weather, Instant)>) -> Weather {
    let mut current = current.lock().unwrap();
    if Instant::now() >= current.1 {
        let next = [Weather::Fair, Weather::Fair, Weather::Slow, Weather::Flaky, Weather::Cut];
        let lasts = Duration::from_millis(fastrand::u64(1_000..40_000));
        *current = (next[fastrand::usize(..next.len())], Instant::now() + lasts);
    }
    current.0
}

fn fate(weather: Weather) -> Fate {
    let upto = |most| Duration::from_millis(fastrand::u64(0..=most));
    match (weather, fastrand::u8(0..10)) {
        (Weather::Fair, _) | (Weather::Flaky, 0..=4) => Fate::Served(upto(20), upto(20)),
        (Weather::Slow, _) => Fate::Served(upto(9_000), upto(9_000)),
        (Weather::Flaky, 5 | 6) => Fate::Unavailable,
        (Weather::Flaky, 7 | 8) => Fate::AnswerLost,
        (Weather::Flaky, _) | (Weather::Cut, _) => Fate::Lost,
    }
}

/// A wall clock that stands still, runs and jumps, years at a time.
fn wild_clock() -> Timestamp {
    thread_local!(static NOW: Cell<i64> = const { Cell::new(1_700_000_000) });
    let jump = match fastrand::u8(0..4) {
        0 => 0,
        1 => 2,
        2 => fastrand::i64(-100_000_000..100_000_000),
        _ => -1,
    };
    NOW.set((NOW.get() + jump).clamp(0, 9_000_000_000));
    Timestamp::from_second(NOW.get()).unwrap()
}

/// A process that is stopped every now and then, for up to a minute: it does nothing, however much is ready.
struct Stoppable<F> {
    process: Pin<Box<F>>,
    /// When it is stopped next, or goes on.
    change: Pin<Box<tokio::time::Sleep>>,
    stopped: bool,
}

impl<F: Future> Stoppable<F> {
    fn new(process: F) -> Self {
        Self { process: Box::pin(process), change: Box::pin(upto(90)), stopped: false }
    }
}

fn upto(seconds: u64) -> tokio::time::Sleep {
    sleep(Duration::from_millis(fastrand::u64(0..seconds * 1000)))
}

impl<F: Future> Future for Stoppable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        while self.change.as_mut().poll(context).is_ready() {
            self.stopped = !self.stopped;
            self.change = Box::pin(upto(if self.stopped { 60 } else { 90 }));
        }
        if self.stopped { Poll::Pending } else { self.process.as_mut().poll(context) }
    }
}

/// When a process believed that it led.
#[derive(Debug, Clone)]
struct Reign {
    identity: String,
    from: Instant,
    to: Instant,
    lost: bool,
}

/// One replica: its process is started again whenever it ends.
async fn replica(api: FakeApi, number: usize, reigns: Arc<Mutex<Vec<Reign>>>, fences: Fences) {
    let current = Arc::new(Mutex::new((Weather::Fair, Instant::now())));
    for life in 0.. {
        let identity = format!("{number}_{life}");
        let current = current.clone();
        let mut elector = api.elector(&identity, move || fate(weather(&current)));
        elector.wall = wild_clock;
        fences.lock().unwrap().push(elector.fence());
        let mut leadership = elector.acquire(&Shutdown::new()).await.unwrap();
        let from = Instant::now();
        let work = Duration::from_millis(fastrand::u64(0..120_000));
        let lost = timeout(work, leadership.hold()).await.is_ok();
        let to = Instant::now();
        reigns.lock().unwrap().push(Reign { identity, from, to, lost });
        // Some give the lease back, some crash.
        if !lost && fastrand::bool() {
            // Whether that works is the network's matter.
            let _ = leadership.release().await;
        }
    }
}

/// Those of all processes that ever lived.
type Fences = Arc<Mutex<Vec<Fence>>>;

/// Gives how many fences were open at most at any time.
fn simulate_stops(seed: u64) -> (usize, Vec<Reign>) {
    fastrand::seed(seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (api, reigns, fences) = (FakeApi::default(), Arc::default(), Fences::default());
        for number in 0..CANDIDATES {
            let process = replica(api.clone(), number, Arc::clone(&reigns), fences.clone());
            tokio::spawn(Stoppable::new(process));
        }
        let mut most = 0;
        let end = Instant::now() + DURATION;
        while Instant::now() < end {
            sleep(Duration::from_millis(20)).await;
            let open = fences.lock().unwrap().iter().filter(|fence| fence.is_open()).count();
            most = most.max(open);
        }
        let reigns = reigns.lock().unwrap().clone();
        (most, reigns)
    })
}

fn simulate(seed: u64) -> Vec<Reign> {
    fastrand::seed(seed);
    let reigns = Arc::new(Mutex::new(Vec::new()));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let api = FakeApi::default();
        for number in 0..CANDIDATES {
            tokio::spawn(replica(api.clone(), number, reigns.clone(), Fences::default()));
        }
        sleep(DURATION).await;
    });
    let mut reigns = reigns.lock().unwrap().clone();
    reigns.sort_by_key(|reign| reign.from);
    reigns
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_two_lead_at_the_same_time(seed: u64) {
        let reigns = simulate(seed);
        for pair in reigns.windows(2) {
            prop_assert!(
                pair[0].to <= pair[1].from,
                "{} and {} both lead: {:?}", pair[0].identity, pair[1].identity, pair
            );
        }
        // Nor may nobody ever lead.
        prop_assert!(reigns.len() >= 3, "{} reigns in {:?}", reigns.len(), DURATION);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_two_fences_are_open_at_the_same_time_though_processes_are_stopped(seed: u64) {
        let (most, _) = simulate_stops(seed);
        prop_assert_eq!(most, 1);
    }
}

#[test]
fn stopped_processes_believe_that_they_lead_when_others_do() {
    let overlap = |seed| {
        let (_, mut reigns) = simulate_stops(seed);
        reigns.sort_by_key(|reign| reign.from);
        reigns.windows(2).any(|pair| pair[0].to > pair[1].from)
    };
    assert!((0..8).any(overlap), "the simulation has not met what the fence is for");
}

#[test]
fn the_simulation_meets_what_it_is_about() {
    let reigns: Vec<Reign> = (0..4).flat_map(simulate).collect();
    assert!(reigns.iter().any(|reign| reign.lost), "nobody ever lost the lease");
    assert!(reigns.iter().any(|reign| !reign.lost), "nobody ever gave it back");
    let reigned = |number: usize| {
        let prefix = format!("{number}_");
        reigns.iter().filter(move |reign| reign.identity.starts_with(&prefix)).count()
    };
    for number in 0..CANDIDATES {
        assert!(reigned(number) > 0, "{number} never ever led");
    }
}
