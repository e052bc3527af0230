//! Races told in a few words, and what is to be said of them.

use super::*;
use crate::race::{
    lives::DUE_AFTER,
    log::{ClaimSeen, What},
};

fn at(ms: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms)
}

/// A line such as `30 joins a 1`: the time in milliseconds, what, the pod, and the number of a visit or of a claim (1). A
/// claim is `claimed`, `looked`, `committed` or `unanswered`; with a `!` nothing is looked at.
fn entry(set: &str, line: &str) -> Entry {
    let mut words = line.split_whitespace();
    let ms: i64 = words.next().unwrap().parse().unwrap();
    let (what, pod) = (words.next().unwrap(), words.next().unwrap().to_owned());
    let number: u64 = words.next().map_or(1, |word| word.parse().unwrap());
    let claim = |phase| {
        let claimed = if phase == Phase::Claimed { at(ms) } else { at(ms - 50) };
        let due = (!what.ends_with('!')).then(|| claimed + DUE_AFTER);
        What::Claim(ClaimSeen { pod: pod.clone(), id: format!("{pod}/{number}"), phase, since: at(ms), due })
    };
    let state = |state: &str| What::State { pod: pod.clone(), state: state.to_owned() };
    let left = |thrown_out| What::Left { stay: number, pod: pod.clone(), thrown_out };
    let what = match what.trim_end_matches('!') {
        "made" => What::Made { set: set.to_owned(), server: pod.clone(), pod },
        "elsewhere" => What::Made { set: "another".to_owned(), server: pod.clone(), pod },
        "idle" => state(IDLE),
        "busy" => state("None"),
        "enters" => What::Enters { stay: number, pod },
        "joins" => What::Joined { stay: number, pod },
        "leaves" => left(false),
        "thrown" => left(true),
        "claimed" => claim(Phase::Claimed),
        "looked" => claim(Phase::Looked),
        "committed" => claim(Phase::Committed),
        "unanswered" => claim(Phase::Unanswered),
        "released" => What::Released { pod, phase: Phase::Committed },
        "deleted" => What::Deleted { pod, by: None },
        other => panic!("{other}"),
    };
    Entry { at: at(ms), what }
}

fn told(set: &str, story: &str) -> Judgement {
    let log: Vec<Entry> = story.split(',').map(|line| entry(set, line)).collect();
    let sets = [("strict".to_owned(), Protection::Strict), ("prefer".to_owned(), Protection::Prefer)];
    judge(&log, &sets.into())
}

/// What a removal of `a` came to: `wrong`, `right`; and how many visits were in use, and late.
fn outcome(set: &str, story: &str) -> (&'static str, usize, usize) {
    let judgement = told(set, story);
    let removed = judgement.removed.iter().find(|removed| removed.pod == "a").unwrap();
    let is_wrong = judgement.wrong.iter().any(|wrong| wrong.removed == *removed);
    (if is_wrong { "wrong" } else { "right" }, removed.in_use.len(), removed.late.len())
}

#[test]
fn who_is_there_from_before_the_look_until_the_delete_makes_it_wrong() {
    let gone = "100 claimed a, 150 looked a, 160 committed a, 170 deleted a";
    for (players, expected) in [
        ("", ("right", 0, 0)),
        ("99 joins a, 190 thrown a", ("wrong", 1, 0)),
        ("99 joins a, 98 joins a 2, 190 thrown a, 191 thrown a 2", ("wrong", 2, 0)),
        // At the end of the race the connection was still there.
        ("99 joins a", ("wrong", 1, 0)),
        // Left by themselves after the commit: who looked did not see them.
        ("99 joins a, 165 leaves a", ("wrong", 1, 0)),
        ("99 joins a, 159 leaves a", ("right", 0, 0)),
        // The watch was late: thrown out before the DELETE is seen.
        ("99 joins a, 155 thrown a", ("wrong", 1, 0)),
        // The window that remains.
        ("100 joins a, 190 thrown a", ("right", 0, 1)),
        ("165 joins a, 190 thrown a", ("right", 0, 1)),
        ("165 joins a, 190 leaves a", ("right", 0, 0)),
        // On the way in.
        ("99 enters a, 101 joins a, 190 thrown a", ("right", 0, 1)),
        // On another server.
        ("10 made b, 99 joins b, 190 leaves b", ("right", 0, 0)),
    ] {
        let story = ["0 made a, 1 idle a", gone, players].join(", ");
        let story = story.trim_end_matches(", ");
        assert_eq!(outcome("strict", story), expected, "{players}");
    }
}

#[test]
fn the_look_is_that_of_the_commit_that_the_delete_followed() {
    for (story, expected) in [
        // A first look was given up, the second one counts.
        (
            "100 claimed a, 150 looked a, 2300 claimed a 2, 2350 looked a 2, 2360 committed a 2, 2370 deleted a",
            "wrong",
        ),
        ("1600 claimed a, 1650 looked a, 1660 committed a, 1670 deleted a", "wrong"),
        ("1400 claimed a, 1650 looked a, 1660 committed a, 1670 deleted a", "right"),
        // A later claim, after the commit, is none that the DELETE followed.
        ("1400 claimed a, 1450 looked a, 1460 committed a, 1600 claimed a 2, 1670 deleted a", "right"),
        // The claim was not seen: it follows from when the answer was due.
        ("1660 looked a, 1670 committed a, 1680 deleted a", "wrong"),
        ("1540 looked a, 1670 committed a, 1680 deleted a", "right"),
        // Nothing to look at: the claim counts.
        ("1600 looked! a, 1610 committed! a, 1620 deleted a", "wrong"),
        ("1400 looked! a, 1610 committed! a, 1620 deleted a", "right"),
        // Never committed, as far as anybody saw, or not even claimed.
        ("1600 claimed a, 1670 deleted a", "wrong"),
        ("1670 deleted a", "wrong"),
        // GameServers are seen a little later than pods.
        ("1670 deleted a, 1600 claimed a, 1650 looked a, 1660 committed a", "wrong"),
    ] {
        let story = format!("0 made a, 1 idle a, 1500 joins a, {story}, 9000 thrown a");
        assert_eq!(outcome("strict", &story).0, expected, "{story}");
    }
}

#[test]
fn a_prefer_set_may_take_who_is_in_use_when_nobody_idle_stays() {
    for (sibling, expected) in [
        ("", "right"),
        ("10 made b, 20 idle b", "wrong"),
        ("10 made b, 20 busy b", "right"),
        ("10 made b", "right"),
        // Idle too late, or no more.
        ("10 made b, 20 busy b, 101 idle b", "right"),
        ("10 made b, 20 idle b, 120 busy b", "right"),
        ("10 made b, 20 busy b, 30 idle b, 300 busy b", "wrong"),
        // Somebody plays there, although its opsState does not say so yet, or did until just now, or comes.
        ("10 made b, 20 idle b, 50 enters b 2, 51 joins b 2, 400 leaves b 2", "right"),
        ("10 made b, 20 idle b, 50 enters b 2, 51 joins b 2, 110 leaves b 2", "right"),
        ("10 made b, 20 idle b, 50 enters b 2, 51 joins b 2, 90 leaves b 2", "wrong"),
        ("10 made b, 20 idle b, 130 enters b 2, 131 joins b 2", "right"),
        // It was gone, or goes itself.
        ("10 made b, 20 idle b, 90 deleted b", "right"),
        ("10 made b, 20 idle b, 99 committed b, 150 deleted b", "right"),
        ("10 made b, 20 idle b, 99 committed b, 300 deleted b", "right"),
        ("10 made b, 20 idle b, 99 committed b, 105 released b, 300 deleted b", "wrong"),
        ("10 made b, 20 idle b, 99 claimed b, 300 deleted b", "wrong"),
        ("10 made b, 20 idle b, 300 committed b, 400 deleted b", "wrong"),
        // It did not answer.
        ("10 made b, 20 idle b, 60 claimed b, 90 unanswered b", "right"),
        ("120 made b, 121 idle b", "right"),
        // Of another set.
        ("10 elsewhere b, 20 idle b", "right"),
    ] {
        let story =
            "0 made a, 1 busy a, 40 joins a, 100 looked! a, 160 committed! a, 170 deleted a, 190 thrown a";
        let story = [story, sibling].join(", ");
        assert_eq!(outcome("prefer", story.trim_end_matches(", ")).0, expected, "{sibling}");
    }
}

#[test]
fn it_is_said_who_stayed_instead_and_since_when() {
    let judgement = told(
        "prefer",
        "0 made a, 1 busy a, 10 made b, 20 idle b, 40 joins a, 100 looked! a, 160 committed! a, 170 deleted a",
    );
    let wrong = &judgement.wrong[0];
    assert_eq!(wrong.instead_of, [("b".to_owned(), SignedDuration::from_millis(80))]);
    assert_eq!(wrong.removed.window(), None, "there was no look");
}

#[test]
fn the_window_is_from_the_look_to_the_delete() {
    let judgement = told("strict", "0 made a, 100 claimed a, 150 looked a, 160 committed a, 170 deleted a");
    assert_eq!(judgement.removed[0].window(), Some(SignedDuration::from_millis(70)));
}

#[test]
fn a_watch_that_was_cut_off_does_not_make_the_window_longer() {
    let lines = ["0 made a", "100 claimed a", "150 looked a", "160 committed a", "9000 deleted a"];
    let mut log: Vec<Entry> = lines.iter().map(|line| entry("strict", line)).collect();
    let window = |by: i64, log: &mut Vec<Entry>| {
        log[4].what = What::Deleted { pod: "a".to_owned(), by: Some(at(by)) };
        judge(log, &BTreeMap::new()).removed[0].window()
    };
    assert_eq!(window(1000, &mut log), Some(SignedDuration::from_millis(900)));
    assert_eq!(window(9500, &mut log), Some(SignedDuration::from_millis(8900)));
}

#[test]
fn who_is_thrown_out_of_a_server_that_stays_is_named() {
    let judgement = told("strict", "0 made a, 40 joins a 7, 50 thrown a 7, 60 joins a 8, 70 leaves a 8");
    assert_eq!((judgement.removed.len(), judgement.unexplained), (0, vec![7]));
}
