//! The counter by table and against a naive model.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn settings(success_threshold: u32, failure_threshold: u32) -> ProbeSettings {
    ProbeSettings {
        initial_delay: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        period: Duration::from_secs(3),
        success_threshold,
        failure_threshold,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Outcome(Outcome),
    Restart,
    NotRunning,
}

/// `+x` success, `-x` failure, `?x` unknown, `r` restart, `!` not running.
fn step(text: &str) -> Step {
    let rest = || text[1..].to_owned();
    match text.as_bytes()[0] {
        b'+' => Step::Outcome(Outcome::Success { result: rest() }),
        b'-' => Step::Outcome(Outcome::Failure { result: rest() }),
        b'?' => Step::Outcome(Outcome::Unknown { reason: rest() }),
        b'r' => Step::Restart,
        _ => Step::NotRunning,
    }
}

fn shown(verdict: Option<&Verdict>) -> String {
    match verdict {
        None => ".".to_owned(),
        Some(Verdict::True { result }) => format!("+{result}"),
        Some(Verdict::False { result }) => format!("-{result}"),
        Some(Verdict::Unknown { reason }) => format!("?{reason}"),
    }
}

fn take(counter: &mut Counter, settings: &ProbeSettings, step: Step) {
    match step {
        Step::Outcome(outcome) => _ = counter.record(settings, outcome),
        Step::Restart => counter.restarted(),
        Step::NotRunning => _ = counter.not_running("game"),
    }
}

#[test]
fn outcomes_become_verdicts_after_their_thresholds() {
    const DOWN: &str = "-Container game is not running";
    for (success, failure, steps, expected) in [
        (1, 3, "+a -b -b -b +c", vec!["+a", "+a", "+a", "-b", "+c"]),
        (1, 3, "-a -b -c", vec![".", ".", "-c"]),
        (1, 1, "-a +b", vec!["-a", "+b"]),
        (2, 2, "+a -b +c +d -e +f", vec![".", ".", ".", "+d", "+d", "+f"]),
        // The result follows the latest outcome of the state at once.
        (3, 3, "+a +b +c +d -x +e", vec![".", ".", "+c", "+d", "+d", "+e"]),
        (1, 3, "-a -b -c -d", vec![".", ".", "-c", "-d"]),
        // Not asked: neither counts nor breaks a row.
        (1, 3, "-a ?x -b ?x -c", vec![".", ".", ".", ".", "-c"]),
        (1, 3, "+a ?x ?y ?z +a", vec!["+a", "+a", "+a", "?z", "+a"]),
        // One answer ends it, even one below its threshold.
        (1, 2, "+a ?x ?y -b ?x -c", vec!["+a", "+a", "?y", "+a", "+a", "-c"]),
        (1, 2, "?x ?y -b -b", vec![".", "?y", ".", "-b"]),
        // §3.7: a restart restarts the counters, not the verdict.
        (1, 3, "+a -b -b r -b -b -b", vec!["+a", "+a", "+a", "+a", "+a", "+a", "-b"]),
        (1, 2, "+a ?x ?x r ?x +b", vec!["+a", "+a", "?x", "?x", "?x", "+b"]),
        // §3.1: a container that terminated by itself is false at once.
        (2, 3, "! +a +b", vec![DOWN, DOWN, "+b"]),
        (1, 1, "?x !", vec!["?x", DOWN]),
        (2, 3, "+a ! +a +a", vec![".", DOWN, DOWN, "+a"]),
    ] {
        let settings = settings(success, failure);
        let mut counter = Counter::new();
        let seen: Vec<String> = steps
            .split(' ')
            .map(|text| {
                take(&mut counter, &settings, step(text));
                shown(counter.verdict().as_ref())
            })
            .collect();
        assert_eq!(seen, expected, "{steps} with thresholds {success}/{failure}");
    }
}

/// The rule said the other way round, over the whole history: a state holds from the last place where as
/// many answers as its threshold were equal, without a restart between.
fn model(history: &[Step], success: u32, failure: u32) -> String {
    let mut state = None;
    for end in 1..=history.len() {
        if matches!(history[end - 1], Step::NotRunning) {
            state = Some(false);
        }
        for wanted in [true, false] {
            let threshold = if wanted { success } else { failure } as usize;
            let row = history[..end]
                .iter()
                .rev()
                .take_while(|step| !matches!(step, Step::Restart | Step::NotRunning))
                .filter_map(|step| match step {
                    Step::Outcome(Outcome::Success { .. }) => Some(true),
                    Step::Outcome(Outcome::Failure { .. }) => Some(false),
                    _ => None,
                })
                .take_while(|answer| *answer == wanted)
                .count();
            let answered =
                matches!(history[end - 1], Step::Outcome(Outcome::Success { .. } | Outcome::Failure { .. }));
            if answered && row >= threshold {
                state = Some(wanted);
            }
        }
    }
    let since_answer = history
        .iter()
        .rev()
        .take_while(|step| matches!(step, Step::Outcome(Outcome::Unknown { .. }) | Step::Restart));
    let mut unanswered: Vec<&Step> = since_answer.collect();
    unanswered.reverse();
    // The reason is that of the latest probe that completed or prolonged a row.
    let mut reason = None;
    for row in unanswered.split(|step| matches!(step, Step::Restart)) {
        if row.len() >= failure as usize
            && let Some(Step::Outcome(Outcome::Unknown { reason: last })) = row.last()
        {
            reason = Some(format!("?{last}"));
        }
    }
    if let Some(reason) = reason {
        return reason;
    }
    let latest = history.iter().rev().find_map(|step| match (step, state?) {
        (Step::Outcome(Outcome::Success { result }), true) => Some(format!("+{result}")),
        (Step::Outcome(Outcome::Failure { result }), false) => Some(format!("-{result}")),
        (Step::NotRunning, false) => Some("-Container game is not running".to_owned()),
        _ => None,
    });
    latest.unwrap_or_else(|| ".".to_owned())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => "[+][ab]".prop_map(|text| step(&text)),
        4 => "[-][ab]".prop_map(|text| step(&text)),
        3 => "[?][xy]".prop_map(|text| step(&text)),
        1 => Just(Step::Restart),
        1 => Just(Step::NotRunning),
    ];
    prop::collection::vec(step, 0..25)
}

proptest! {
    // §3.2, §3.3, §3.7
    #[test]
    fn the_counter_is_the_model(history in steps(), success in 1u32..4, failure in 1u32..4) {
        let settings = settings(success, failure);
        let mut counter = Counter::new();
        for end in 0..history.len() {
            take(&mut counter, &settings, history[end].clone());
            prop_assert_eq!(
                shown(counter.verdict().as_ref()),
                model(&history[..=end], success, failure),
                "after step {}", end
            );
        }
    }
}
