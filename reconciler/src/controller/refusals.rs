//! What the API server has refused on servers that are to go: remembered, so that people are told, and that it is tried again
//! after a while and not at once, each time a longer one.
//!
//! Another webhook or a policy says no (403, 422, …): so it is. An API server that cannot just now (429, 5xx) says nothing of
//! the server, unless it says so three times in a row: a webhook that is down, say, or an object that cannot be read. No
//! answer at all says nothing of it either.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use gamewarden_api::{
    event::cut,
    removal::backoff,
    set::{Refusal, Refused},
};
use jiff::{SignedDuration, Timestamp};

use crate::write::WriteError;

/// How often in a row an API server that cannot just now is taken for one that refuses.
const HICCUPS: u32 = 3;

/// What was last refused so long ago is forgotten. Longer than the longest wait.
const FORGOTTEN: Duration = Duration::from_secs(900);

/// Longest quotation of the API server's words, in bytes.
const MAX_WORDS: usize = 512;

/// Refusals by the uid of the server's pod, and by what is refused: each plan asks about every pod, and of most there is
/// nothing.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<String, HashMap<Refused, Times>>>);

/// How often one thing was refused, and when.
#[derive(Debug)]
struct Times {
    words: String,
    hiccups: u32,
    /// Refusals in a row.
    times: u32,
    last: Instant,
    until: Instant,
}

impl Refusals {
    /// Notes a write or a DELETE that failed; whether it counts as refused from now on.
    pub(super) fn failed(&self, uid: &str, what: Refused, error: &WriteError, now: Instant) -> bool {
        let stale = error.is_conflict() || error.is_not_found() || error.is_namespace_gone();
        if stale || error.code().is_none() {
            return false;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, of_pod| {
            of_pod.retain(|_, times| now.duration_since(times.last) < FORGOTTEN);
            !of_pod.is_empty()
        });
        let times = all.entry(uid.to_owned()).or_default().entry(what).or_insert_with(|| Times {
            words: String::new(),
            hiccups: 0,
            times: 0,
            last: now,
            until: now,
        });
        times.last = now;
        if error.is_passing() {
            times.hiccups = times.hiccups.saturating_add(1);
            if times.hiccups < HICCUPS {
                return false;
            }
        }
        times.words = cut(&error.reason(), MAX_WORDS).to_owned();
        times.until = now + Duration::try_from(backoff(times.times)).unwrap_or_default();
        times.times = times.times.saturating_add(1);
        true
    }

    /// Notes that it went well: what was refused of this kind is not any more.
    pub(super) fn done(&self, uid: &str, what: Refused) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_pod) = all.get_mut(uid) {
            of_pod.remove(&what);
        }
    }

    /// Whether nothing of this kind is to be tried on the server now.
    pub(super) fn stands(&self, uid: &str, what: Refused, now: Instant) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(uid).and_then(|of_pod| of_pod.get(&what)).is_some_and(|times| now < times.until)
    }

    /// What is refused, for plans and people: of several things the one that is left alone for longest.
    pub(super) fn told(&self, uid: &str, now: Instant, time: Timestamp) -> Option<Refusal> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told =
            |times: &Times| times.times > 0 && now.saturating_duration_since(times.last) < FORGOTTEN;
        let told = all.get(uid)?.iter().filter(|(_, times)| is_told(times));
        let (what, times) = told.max_by_key(|(what, times)| (times.until, **what))?;
        let span = |span: Duration| SignedDuration::try_from(span).unwrap_or(SignedDuration::ZERO);
        let (ago, left) =
            (now.saturating_duration_since(times.last), times.until.saturating_duration_since(now));
        let since = time.checked_sub(span(ago)).unwrap_or(Timestamp::MIN);
        let until = time.checked_add(span(left)).unwrap_or(Timestamp::MAX);
        Some(Refusal { what: *what, words: times.words.clone(), since, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timestamp = Timestamp::UNIX_EPOCH;

    fn seconds(refusals: &Refusals, now: Instant) -> Option<i64> {
        refusals.told("pod", now, T).map(|refusal| refusal.until.duration_since(T).as_secs())
    }

    fn answered(code: u16) -> WriteError {
        WriteError::answered(code, "no pods are deleted here")
    }

    #[test]
    fn what_is_refused_waits_longer_each_time_and_is_told_until_it_goes_well() {
        let refusals = Refusals::default();
        let mut now = Instant::now();
        for wait in [10, 20, 40, 80, 160, 300, 300] {
            assert!(refusals.failed("pod", Refused::Delete, &answered(403), now));
            assert_eq!(seconds(&refusals, now), Some(wait));
            assert!(refusals.stands("pod", Refused::Delete, now));
            assert!(!refusals.stands("pod", Refused::Write, now), "that is another thing");
            now += Duration::from_secs(wait.unsigned_abs());
            assert_eq!(seconds(&refusals, now), Some(0), "its turn has come, and nothing has gone well yet");
            assert!(!refusals.stands("pod", Refused::Delete, now));
        }
        let told = refusals.told("pod", now, T).unwrap();
        assert_eq!((told.what, told.words.as_str()), (Refused::Delete, "no pods are deleted here"));
        refusals.done("pod", Refused::Write);
        assert!(refusals.told("pod", now, T).is_some(), "a claim that is written deletes nothing");
        refusals.done("pod", Refused::Delete);
        assert_eq!(refusals.told("pod", now, T), None);
    }

    #[test]
    fn an_api_server_that_cannot_just_now_refuses_when_it_says_so_three_times_in_a_row() {
        let refusals = Refusals::default();
        let now = Instant::now();
        for code in [500, 429] {
            assert!(!refusals.failed("pod", Refused::Write, &answered(code), now), "{code}");
            assert_eq!(refusals.told("pod", now, T), None);
        }
        refusals.done("pod", Refused::Write);
        for code in [500, 503] {
            assert!(
                !refusals.failed("pod", Refused::Write, &answered(code), now),
                "{code}: it went well before"
            );
        }
        assert!(refusals.failed("pod", Refused::Write, &answered(500), now));
        assert_eq!(seconds(&refusals, now), Some(10));
    }

    #[test]
    fn what_says_nothing_of_the_server_is_no_refusal() {
        let refusals = Refusals::default();
        let now = Instant::now();
        for error in [answered(409), answered(404), WriteError::unanswered()] {
            for _ in 0..5 {
                assert!(!refusals.failed("pod", Refused::Delete, &error, now), "{error}");
            }
        }
        assert_eq!(refusals.told("pod", now, T), None);
    }

    #[test]
    fn what_was_refused_long_ago_is_forgotten() {
        let refusals = Refusals::default();
        let now = Instant::now();
        refusals.failed("gone", Refused::Delete, &answered(403), now);
        refusals.failed("pod", Refused::Delete, &answered(403), now + FORGOTTEN);
        assert_eq!(refusals.0.lock().unwrap().len(), 1);
    }
}
