//! The rules of the queue (§6), as tables and as properties over random loads.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn the_first_probe_starts_within_one_period_of_the_initial_delay_and_never_before_it() {
    for key in 0..200_u32 {
        let mut schedule = Schedule::default();
        schedule.upsert(key, 3 * SECOND, 10 * SECOND);
        let due = schedule.next_wakeup().unwrap();
        assert!(due >= 10 * SECOND, "{key}: {due:?}");
        assert!(due < 13 * SECOND, "{key}: {due:?}");
        assert_eq!(schedule.poll(due - ms(1), 1), vec![]);
        assert_eq!(schedule.poll(due, 1), vec![Start { key, due }]);
    }
}

#[test]
fn phases_are_spread_over_the_period() {
    let mut schedule = Schedule::default();
    for key in 0..3000_u32 {
        schedule.upsert(key, 3 * SECOND, 7 * SECOND);
    }
    for tenth in 0..30 {
        let until = 7 * SECOND + ms(100) * (tenth + 1) - ms(1);
        let started = schedule.poll(until, usize::MAX).len();
        assert!((50..=160).contains(&started), "{tenth}: {started}");
    }
}

#[test]
fn a_probe_does_not_overlap_itself_and_keeps_its_phase_after_a_long_run() {
    let mut schedule = Schedule::default();
    schedule.upsert("a", 3 * SECOND, Duration::ZERO);
    let first = schedule.next_wakeup().unwrap();
    assert_eq!(schedule.poll(first, 9).len(), 1);
    assert_eq!(schedule.poll(first + 60 * SECOND, 9), vec![]);
    assert!(schedule.is_running(&"a"));

    schedule.finished(&"a", first + ms(61_500));
    assert_eq!(schedule.next_wakeup(), Some(first + 63 * SECOND));
    assert_eq!(
        schedule.poll(first + 100 * SECOND, 9).len(),
        1,
        "missed slots are skipped: one start, not a burst"
    );
}

#[test]
fn a_probe_that_ends_at_once_does_not_start_again_for_the_same_point() {
    let mut schedule = Schedule::default();
    schedule.upsert("a", SECOND, Duration::ZERO);
    let due = schedule.next_wakeup().unwrap();
    schedule.poll(due, 1);
    schedule.finished(&"a", due);
    assert_eq!(schedule.next_wakeup(), Some(due + SECOND));
}

#[test]
fn a_restarted_container_waits_for_its_initial_delay_again() {
    let mut schedule = Schedule::default();
    schedule.upsert("a", 3 * SECOND, Duration::ZERO);
    schedule.upsert("a", 3 * SECOND, 100 * SECOND);
    let due = schedule.next_wakeup().unwrap();
    assert!(due >= 100 * SECOND && due < 103 * SECOND, "{due:?}");

    schedule.poll(due, 1);
    schedule.upsert("a", 3 * SECOND, 200 * SECOND);
    assert!(schedule.is_running(&"a"), "what runs goes on");
    schedule.finished(&"a", due + SECOND);
    assert!(schedule.next_wakeup().unwrap() >= 200 * SECOND);
}

#[test]
fn a_new_period_holds_from_the_next_start() {
    let mut schedule = Schedule::default();
    schedule.upsert("a", 300 * SECOND, Duration::ZERO);
    schedule.upsert("a", SECOND, Duration::ZERO);
    assert!(schedule.next_wakeup().unwrap() < SECOND);
}

#[test]
fn a_removed_target_is_forgotten_also_while_it_runs() {
    let mut schedule = Schedule::default();
    schedule.upsert("a", SECOND, Duration::ZERO);
    schedule.remove(&"a");
    assert_eq!(schedule.next_wakeup(), None);

    schedule.upsert("a", SECOND, Duration::ZERO);
    schedule.poll(SECOND, 1);
    schedule.remove(&"a");
    schedule.finished(&"a", SECOND);
    assert!(schedule.is_empty());
    assert_eq!(schedule.next_wakeup(), None);
}

/// Runs `n` targets of one period on `slots` slots for a while; each probe takes `cost(key, turn)`.
/// Gives, for each target, when it was due and when it started.
fn simulate(
    n: u32,
    slots: usize,
    period: Duration,
    until: Duration,
    cost: impl Fn(u32, usize) -> Duration,
) -> BTreeMap<u32, Vec<(Duration, Duration)>> {
    let mut schedule = Schedule::default();
    let mut starts: BTreeMap<u32, Vec<(Duration, Duration)>> = BTreeMap::new();
    for key in 0..n {
        schedule.upsert(key, period, Duration::ZERO);
        starts.insert(key, Vec::new());
    }
    let mut running: BTreeSet<(Duration, u32)> = BTreeSet::new();
    let mut now = Duration::ZERO;
    while now < until {
        for start in schedule.poll(now, slots - running.len()) {
            let turns = starts.get_mut(&start.key).unwrap();
            running.insert((now + cost(start.key, turns.len()), start.key));
            turns.push((start.due, now));
        }
        let ends = running.first().map(|(end, _)| *end);
        let wakes = (running.len() < slots).then(|| schedule.next_wakeup()).flatten();
        let Some(next) = ends.into_iter().chain(wakes).min() else {
            break;
        };
        now = now.max(next);
        while let Some((end, key)) = running.first().copied()
            && end <= now
        {
            running.pop_first();
            schedule.finished(&key, now);
        }
    }
    starts
}

proptest! {
    /// §6: under overload every server gets its fair turn: turns go round.
    #[test]
    fn under_overload_turns_go_round(
        slots in 1..8_u32, per_slot in 2..10_u32, more in 0..8_u32, cost in 200..2000_u64,
    ) {
        let (n, cost) = (slots * per_slot + more.min(slots - 1), ms(cost));
        // One round takes four periods.
        let round = cost * n / slots;
        let period = (round / 4).max(ms(1));
        let starts = simulate(n, slots as usize, period, round * 20, |_, _| cost);

        let counts: Vec<usize> = starts.values().map(Vec::len).collect();
        let (least, most) = (*counts.iter().min().unwrap(), *counts.iter().max().unwrap());
        // One for where the count ends, one for where it began: a first turn counts from its due time.
        prop_assert!(most - least <= 2, "starts per target differ by {}: {counts:?}", most - least);

        let turns = n.div_ceil(slots);
        for (key, times) in &starts {
            for (due, started) in times {
                prop_assert!(
                    *started - *due <= cost * turns,
                    "{key} waited {:?}, more than {turns} turns of {cost:?}", *started - *due
                );
            }
        }
    }

    /// §6: nobody waits for more than one turn of each other target, whatever the probes cost and however
    /// their number compares to the slots.
    #[test]
    fn nobody_waits_longer_than_everybody_elses_turn(
        n in 2..15_u32, slots in 1..6_usize, costs in proptest::collection::vec(1..5000_u64, 1..20),
    ) {
        let starts = simulate(n, slots, SECOND, 30 * SECOND, |key, turn| {
            ms(costs[(key as usize + turn) % costs.len()])
        });
        let all: Vec<(u32, Duration)> = starts
            .iter()
            .flat_map(|(key, times)| times.iter().map(|(_, started)| (*key, *started)))
            .collect();
        for (key, times) in &starts {
            for (due, started) in times {
                for other in starts.keys().filter(|other| *other != key) {
                    let between = all.iter().filter(|(k, t)| k == other && due < t && t < started);
                    prop_assert!(between.count() <= 1, "{other} went twice while {key} waited");
                }
            }
        }
    }

    /// §6: a slow probe delays only itself, as long as there is a slot for each.
    #[test]
    fn a_slow_one_delays_only_itself(n in 2..20_u32, slow_cost in 1..100_u64) {
        let starts = simulate(n, n as usize, SECOND, 60 * SECOND, |key, _| {
            if key == 0 { SECOND * u32::try_from(slow_cost).unwrap() } else { ms(10) }
        });
        for (key, times) in &starts {
            for (due, started) in times {
                prop_assert_eq!(due, started, "{} was late", key);
            }
            if *key != 0 {
                prop_assert!(times.len() >= 59, "{key} started {} times in 60 periods", times.len());
            }
        }
    }

    /// §6: starts of one target are never closer than its grid, whatever its probes cost: no bursts.
    #[test]
    fn due_times_stay_on_the_grid(costs in proptest::collection::vec(0..5000_u64, 1..20), n in 1..10_u32) {
        let starts = simulate(n, 1, SECOND, 100 * SECOND, |key, turn| {
            ms(costs[(key as usize + turn) % costs.len()])
        });
        for times in starts.values() {
            for pair in times.windows(2) {
                let step = pair[1].0 - pair[0].0;
                prop_assert!(step >= SECOND, "{:?} apart", step);
                prop_assert_eq!(step.as_nanos() % SECOND.as_nanos(), 0, "off the grid by {:?}", step);
            }
        }
    }
}
