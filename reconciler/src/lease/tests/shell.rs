//! The async shell against scripted API servers, in virtual time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gamewarden_runtime::Shutdown;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, client::ClientBuilder};
use tokio::time::Instant;

use super::super::{ConfigError, Leadership, Lost, NotLeading, client_config, identity};
use super::*;

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A switch that a test throws, and the fates of requests before and after.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn throw(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn fate(&self, after: Fate) -> impl Fn() -> Fate + Send + Sync + 'static {
        let thrown = self.0.clone();
        move || {
            if thrown.load(Ordering::SeqCst) { after } else { SERVED }
        }
    }
}

async fn leading(elector: Elector) -> Leadership {
    elector.acquire(&Shutdown::new()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn creates_the_lease_when_there_is_none() {
    let api = FakeApi::default();
    let elector = api.elector("a", || SERVED);
    let metrics = elector.remote.metrics.clone();
    let leadership = leading(elector).await;
    assert_eq!(api.log(), [format!("GET {LEASES}/leader"), format!("POST {LEASES}")]);
    assert_eq!(api.spec()["holderIdentity"], "a");
    assert_eq!(api.spec()["leaseDurationSeconds"], 15);
    assert_eq!(api.spec()["leaseTransitions"], 0);
    assert_eq!(metrics.leader.get(), 1);
    drop(leadership);
    assert_eq!(metrics.leader.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn takes_a_dead_holders_lease_over_after_its_duration() {
    // Its clock is years ahead of ours; that says nothing.
    let api = FakeApi::with_lease(held_by("dead", "2099-01-01T00:00:00Z".parse().unwrap()));
    let begin = Instant::now();
    leading(api.elector("a", || SERVED)).await;
    let took = begin.elapsed();
    assert!(took >= seconds(15) && took < seconds(16), "{took:?}");
    assert_eq!(api.spec()["holderIdentity"], "a");
    assert_eq!(api.spec()["leaseTransitions"], 8);
}

#[tokio::test(start_paused = true)]
async fn never_takes_a_living_holders_lease() {
    // Renewed years ago by its clock, but it changes.
    let api = FakeApi::with_lease(held_by("alive", Timestamp::UNIX_EPOCH));
    let candidate = tokio::spawn(leading(api.elector("a", || SERVED)));
    for second in 1..60 {
        sleep(seconds(10)).await;
        let renewed = Timestamp::from_second(second).unwrap();
        api.write(held_by("alive", renewed));
    }
    assert!(!candidate.is_finished());
    assert!(api.log().iter().all(|line| line.starts_with("GET ")));
    // From two looks a second apart at least: no hot loop.
    assert!(api.log().len() < 300, "{} looks in ten minutes", api.log().len());
}

#[tokio::test(start_paused = true)]
async fn of_two_that_find_it_expired_one_wins() {
    let api = FakeApi::with_lease(held_by("dead", Timestamp::UNIX_EPOCH));
    // Both read before either writes.
    let slow = || Fate::Served(Duration::from_millis(500), Duration::from_millis(500));
    let one = tokio::spawn(leading(api.elector("a", slow)));
    let two = tokio::spawn(leading(api.elector("b", slow)));
    sleep(seconds(25)).await;
    assert_eq!(usize::from(one.is_finished()) + usize::from(two.is_finished()), 1);
    assert_eq!(api.spec()["leaseTransitions"], 8);
}

#[tokio::test(start_paused = true)]
async fn renews_every_retry_period_and_keeps_its_acquire_time() {
    let api = FakeApi::default();
    let mut leadership = leading(api.elector("a", || SERVED)).await;
    let first = api.spec();
    assert!(tokio::time::timeout(seconds(61), leadership.hold()).await.is_err());
    let last = api.spec();
    assert_eq!(first["acquireTime"], last["acquireTime"]);
    assert_ne!(first["renewTime"], last["renewTime"]);
    assert_eq!(last["leaseTransitions"], 0);
    let renewals = api.log().len() - 2;
    assert_eq!(renewals, 30, "{:?}", api.log());
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_is_no_take_over_is_renewed_at_once() {
    let api = FakeApi::default();
    let mut leadership = leading(api.elector("a", || SERVED)).await;
    api.touch();
    assert!(tokio::time::timeout(seconds(3), leadership.hold()).await.is_err());
    let log = api.log();
    let methods: Vec<&str> = log.iter().skip(2).map(|line| &line[..3]).collect();
    assert_eq!(methods, ["PUT", "GET", "PUT"]);
    assert_eq!(api.lease()["metadata"]["annotations"]["note"], "looked at");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_is_made_again() {
    let api = FakeApi::default();
    let mut leadership = leading(api.elector("a", || SERVED)).await;
    api.delete();
    assert!(tokio::time::timeout(seconds(8), leadership.hold()).await.is_err());
    assert_eq!(api.spec()["holderIdentity"], "a");
}

#[tokio::test(start_paused = true)]
async fn a_take_over_ends_leadership_at_the_next_renewal() {
    for holder in ["b", ""] {
        let api = FakeApi::default();
        let mut leadership = leading(api.elector("a", || SERVED)).await;
        api.write(held_by(holder, Timestamp::UNIX_EPOCH));
        let begin = Instant::now();
        let held = tokio::time::timeout(seconds(60), leadership.hold());
        let lost = held.await.expect("holds on to what is not its own");
        assert_eq!(lost.to_string(), format!("leader lease ns/leader was taken over by {holder:?}"));
        assert!(begin.elapsed() < seconds(3));
        assert_eq!(api.spec()["holderIdentity"], holder, "must be left alone");
    }
}

#[tokio::test(start_paused = true)]
async fn not_renewed_in_time_is_lost_at_the_deadline() {
    for (fate, cause) in [
        (Fate::Unavailable, "etcd is away"),
        (Fate::Lost, "no answer within 5s"),
        (Fate::AnswerLost, "no answer within 5s"),
    ] {
        let api = FakeApi::default();
        let switch = Switch::default();
        let elector = api.elector("a", switch.fate(fate));
        let metrics = elector.remote.metrics.clone();
        let mut leadership = leading(elector).await;
        let acquired = Instant::now();
        switch.throw();
        let lost = leadership.hold().await;
        assert_eq!(acquired.elapsed(), seconds(10), "{fate:?}");
        assert_eq!(lost.to_string(), "leader lease ns/leader was not renewed within its deadline");
        let Lost::Deadline { source: Some(error), .. } = lost else {
            panic!("{lost:?} does not say why");
        };
        assert!(format!("{error} {error:?}").contains(cause), "{error:?}");
        assert_eq!(metrics.leader.get(), 0);
        assert!(metrics.errors.get() >= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_from_when_the_write_was_sent() {
    for api in [FakeApi::default(), FakeApi::with_lease(held_by("", Timestamp::UNIX_EPOCH))] {
        let count = AtomicUsize::new(0);
        let fate = move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => SERVED,
            // Written at once; that is known only four seconds later.
            1 => Fate::Served(Duration::ZERO, seconds(4)),
            _ => Fate::Lost,
        };
        let mut leadership = leading(api.elector("a", fate)).await;
        let acquired = Instant::now();
        leadership.hold().await;
        assert_eq!(acquired.elapsed(), seconds(6));
    }
}

#[tokio::test(start_paused = true)]
async fn one_failed_renewal_is_not_the_end() {
    let api = FakeApi::default();
    let count = Arc::new(AtomicUsize::new(0));
    let fate = move || match count.fetch_add(1, Ordering::SeqCst) {
        // Found, created, renewed; then one refused, and one whose answer is lost.
        3 => Fate::Unavailable,
        7 => Fate::AnswerLost,
        _ => SERVED,
    };
    let mut leadership = leading(api.elector("a", fate)).await;
    assert!(tokio::time::timeout(seconds(120), leadership.hold()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn work_that_is_done_gives_the_lease_back() {
    let api = FakeApi::default();
    let leadership = leading(api.elector("a", || SERVED)).await;
    let output = leadership.run(async {
        sleep(seconds(30)).await;
        42
    });
    assert_eq!(output.await.unwrap(), 42);
    assert_eq!(api.spec()["holderIdentity"], "");
    assert_eq!(api.spec()["leaseDurationSeconds"], 1);

    let begin = Instant::now();
    leading(api.elector("b", || SERVED)).await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(api.spec()["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_while_a_renewal_is_under_way_gives_the_lease_back() {
    let api = FakeApi::default();
    let slow = || Fate::Served(Duration::from_millis(300), Duration::from_millis(300));
    let leadership = leading(api.elector("a", slow)).await;
    // 2 s after it began a renewal is sent, carried out at 2.3 s, answered at 2.6 s.
    leadership.run(sleep(Duration::from_millis(2100))).await.unwrap();
    assert_eq!(api.spec()["holderIdentity"], "");
}

#[tokio::test(start_paused = true)]
async fn work_is_dropped_when_the_lease_is_lost() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let api = FakeApi::default();
    let switch = Switch::default();
    let leadership = leading(api.elector("a", switch.fate(Fate::Lost))).await;
    switch.throw();
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = Dropped(dropped.clone());
    let work = async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    };
    let lost = leadership.run(work).await.unwrap_err();
    assert!(matches!(lost, Lost::Deadline { .. }), "{lost:?}");
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_the_wait() {
    let api = FakeApi::with_lease(held_by("b", Timestamp::UNIX_EPOCH));
    let shutdown = Shutdown::new();
    let elector = api.elector("a", || SERVED);
    let waiting = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { elector.acquire(&shutdown).await.is_none() }
    });
    sleep(seconds(5)).await;
    shutdown.drain();
    assert!(waiting.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_fence_is_open_while_it_leads() {
    let api = FakeApi::default();
    let switch = Switch::default();
    let elector = api.elector("a", switch.fate(Fate::Lost));
    let fence = elector.fence();
    assert!(!fence.is_open(), "it does not lead yet");
    let mut leadership = leading(elector).await;
    assert!(tokio::time::timeout(seconds(61), leadership.hold()).await.is_err());
    assert!(fence.is_open(), "renewed for a minute");
    // Renewed every other second, the last time one ago.
    switch.throw();
    tokio::time::advance(Duration::from_millis(8_900)).await;
    assert!(fence.is_open());
    tokio::time::advance(Duration::from_millis(200)).await;
    assert!(!fence.is_open(), "the deadline has passed, whoever has noticed");
    drop(leadership);
    assert!(!fence.is_open());
}

#[tokio::test(start_paused = true)]
async fn who_gives_the_lease_back_asks_for_nothing_more() {
    let api = FakeApi::default();
    let elector = api.elector("a", || SERVED);
    let fence = elector.fence();
    let leadership = leading(elector).await;
    assert!(leadership.run(async { fence.is_open() }).await.unwrap());
    assert!(!fence.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_request_of_one_that_no_longer_leads_is_not_sent() {
    let api = FakeApi::default();
    let elector = api.elector("a", || SERVED);
    let fence = elector.fence();
    let leadership = leading(elector).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let service = {
        let asked = asked.clone();
        tower::service_fn(move |_: Request<Body>| {
            asked.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, Infallible>(status(404, "NotFound", "no pod")) }
        })
    };
    let client = ClientBuilder::new(service, "ns").with_layer(&fence.layer()).build();
    let pods: Api<Pod> = Api::namespaced(client, "ns");
    assert!(pods.get_opt("game-0").await.unwrap().is_none());
    // Stopped in the middle of its work, for longer than the lease lasts.
    tokio::time::advance(seconds(30)).await;
    let error = pods.get_opt("game-0").await.unwrap_err();
    let kube::Error::Service(source) = &error else { panic!("{error:?}") };
    assert_eq!(source.downcast_ref(), Some(&NotLeading));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    drop(leadership);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_was_stopped_past_its_deadline_does_not_try_to_renew() {
    let api = FakeApi::default();
    let leadership = leading(api.elector("a", || SERVED)).await;
    let before = api.log();
    let work = async {
        tokio::time::advance(seconds(30)).await;
        std::future::pending::<()>().await;
    };
    let lost = leadership.run(work).await.unwrap_err();
    assert_eq!(lost.to_string(), "leader lease ns/leader was not renewed within its deadline");
    assert_eq!(api.log(), before, "nothing more was asked");
}

#[test]
fn lease_requests_are_not_retried_by_the_client() {
    let base = kube::Config::new("https://10.0.0.1".parse().unwrap());
    assert!(base.default_retry, "kube changed its default");
    let config = client_config(base, &Config::default());
    assert!(!config.default_retry);
    assert_eq!(config.read_timeout, Some(seconds(5)));
}

#[test]
fn unsafe_times_are_refused() {
    let with = |lease, renew, retry| {
        Config {
            lease_duration: Duration::from_millis(lease),
            renew_deadline: Duration::from_millis(renew),
            retry_period: Duration::from_millis(retry),
        }
        .validate()
    };
    assert_eq!(Config::default().validate(), Ok(()));
    assert_eq!(with(1_500, 1_000, 100), Err(ConfigError::WholeSeconds));
    assert_eq!(with(0, 1_000, 100), Err(ConfigError::WholeSeconds));
    assert_eq!(with(10_000, 10_000, 2_000), Err(ConfigError::RenewDeadline));
    assert_eq!(with(15_000, 2_400, 2_000), Err(ConfigError::RetryPeriod));
    assert_eq!(with(15_000, 10_000, 0), Err(ConfigError::RetryPeriod));
}

#[test]
fn identities_differ_between_processes_of_one_pod() {
    let (one, two) = (identity("pod-a"), identity("pod-a"));
    assert!(one.starts_with("pod-a_"), "{one}");
    assert_ne!(one, two);
}
