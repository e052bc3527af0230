use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_session_is_used_again_and_one_more_is_opened_for_a_second_command_at_once() {
    let (mut pool, now) = (Pool::default(), Instant::now());
    assert_eq!(pool.take("1", now), Way::Open);
    pool.give_back("1", Some("a"), now);
    assert_eq!(pool.take("1", now), Way::Session("a"));
    assert_eq!(pool.take("1", now), Way::Open);
    pool.give_back("1", Some("b"), now);
    assert_eq!(pool.take("1", now), Way::Session("b"));
    // Another container has nothing of it.
    assert_eq!(pool.take("2", now), Way::Open);
}

#[test]
fn a_lost_session_makes_room_for_another() {
    let (mut pool, now) = (Pool::<&str>::default(), Instant::now());
    for _ in 0..MOST {
        assert_eq!(pool.take("1", now), Way::Open);
    }
    assert_eq!(pool.take("1", now), Way::Without);
    pool.give_back("1", None, now);
    assert_eq!(pool.take("1", now), Way::Open);
}

#[test]
fn a_container_without_a_shell_is_never_asked_again_and_one_that_failed_later() {
    let (mut pool, now) = (Pool::<&str>::default(), Instant::now());
    for id in ["1", "2"] {
        assert_eq!(pool.take(id, now), Way::Open);
        pool.give_back(id, None, now);
    }
    pool.no_shell("1", now);
    pool.not_opened("1", now);
    pool.not_opened("2", now);
    assert_eq!((pool.take("1", now), pool.take("2", now)), (Way::Without, Way::Without));
    assert_eq!((pool.take("1", now + MINUTE), pool.take("2", now + MINUTE)), (Way::Without, Way::Open));
}

#[test]
fn a_container_that_loses_one_session_after_another_gets_none_for_a_while() {
    let (mut pool, start) = (Pool::<&str>::default(), Instant::now());
    // Tries each three seconds, each loses its session: how many are tried in an hour.
    let tries = |pool: &mut Pool<&str>, id: &str, loses: fn(u64) -> bool| {
        let mut tried = 0;
        for step in 0..1200 {
            let now = start + Duration::from_secs(3 * step);
            if pool.take(id, now) == Way::Open {
                tried += 1;
                if loses(step) {
                    pool.lost(id, now);
                }
                pool.give_back(id, None, now);
            }
        }
        tried
    };
    let always = tries(&mut pool, "1", |_| true);
    assert!((12..20).contains(&always), "{always}");
    // Nor does another command help that loses none.
    let each_second = tries(&mut pool, "2", |step| step % 2 == 0);
    assert!(each_second < 60, "{each_second}");
    assert_eq!(tries(&mut pool, "3", |_| false), 1200);
    // The runtime was restarted.
    assert_eq!(tries(&mut pool, "4", |step| step == 100), 1200);
    // Long ago.
    let (mut pool, mut now) = (Pool::<&str>::default(), start);
    for _ in 0..5 {
        assert_eq!(pool.take("1", now), Way::Open);
        pool.lost("1", now);
        pool.give_back("1", None, now);
        now += 11 * MINUTE;
    }
}

#[test]
fn what_is_not_needed_is_closed_and_what_is_gone_forgotten() {
    let (mut pool, start) = (Pool::default(), Instant::now());
    assert_eq!((pool.take("1", start), pool.take("1", start)), (Way::Open, Way::Open));
    pool.give_back("1", Some("a"), start);
    pool.give_back("1", Some("b"), start);
    // The one that is used stays, the other one gets old.
    let mut now = start;
    for _ in 0..3 {
        assert_eq!(pool.sweep(now), Vec::<&str>::new());
        now += MINUTE;
        assert_eq!(pool.take("1", now), Way::Session("b"));
        pool.give_back("1", Some("b"), now);
    }
    assert_eq!(pool.sweep(now), ["a"]);
    assert_eq!(pool.sweep(now + 3 * MINUTE), ["b"]);
    assert_eq!(pool.containers.len(), 1);
    assert_eq!(pool.sweep(now + 61 * MINUTE), Vec::<&str>::new());
    assert!(pool.containers.is_empty());
}

proptest! {
    /// No session is given to two at once, none is lost, and there are never too many.
    #[test]
    fn each_session_is_in_one_place(steps in prop::collection::vec((0..5_u8, 0..2_u8, 0..200_u64), 1..200)) {
        let mut pool = Pool::<u32>::default();
        let mut now = Instant::now();
        let mut made = 0;
        let mut busy: Vec<(String, u32)> = Vec::new();
        let mut alive = 0;
        for (step, id, seconds) in steps {
            let id = id.to_string();
            now += Duration::from_secs(seconds);
            match step {
                0 | 1 => {
                    let session = match pool.take(&id, now) {
                        Way::Session(session) => session,
                        Way::Open => {
                            made += 1;
                            alive += 1;
                            made
                        }
                        Way::Without => {
                            prop_assert!(busy.iter().filter(|(other, _)| *other == id).count() >= MOST);
                            continue;
                        }
                    };
                    prop_assert!(busy.iter().all(|(_, other)| *other != session), "{} twice", session);
                    busy.push((id, session));
                }
                2 | 3 if !busy.is_empty() => {
                    let (id, session) = busy.remove(0);
                    alive -= u32::from(step == 2);
                    pool.give_back(&id, (step == 3).then_some(session), now);
                }
                _ => alive -= u32::try_from(pool.sweep(now).len()).unwrap(),
            }
            let idle: usize = pool.containers.values().map(|sessions| sessions.idle.len()).sum();
            prop_assert_eq!((idle + busy.len(), pool.open()), (alive as usize, alive as usize));
            for sessions in pool.containers.values() {
                prop_assert!(sessions.busy <= MOST && sessions.idle.len() <= MOST);
            }
        }
    }
}
