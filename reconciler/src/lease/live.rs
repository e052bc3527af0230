//! Which of many leases are live, for somebody who wants none of them: the controller, which leaves a node to the prober
//! that holds the node's lease.
//!
//! As in an election nobody compares clocks. A lease is live while it changes: it is given up when this process has itself
//! seen it unchanged for the time that its holder promised, *and* the API server has then said once more that it is so. A
//! watch that has stopped telling makes nobody seem dead, and where the API server does not answer, nothing changes hands.
//! (That it refuses to say is an answer: who may not ask would wait for ever.) One that was never seen before is live until
//! then; one that its holder has given back, or that is gone, is not. Nor does a watch that is behind bring anybody back to
//! life: what is older than what is known already is no sign of it.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;

use super::decide::{Observed, promised, spec_of};

/// Longest promise that is believed: whoever may write a lease must not keep its node from being looked after for long.
pub const LONGEST_PROMISE: Duration = Duration::from_secs(60);
/// The shortest.
const SHORTEST_PROMISE: Duration = Duration::from_secs(1);

/// What has been seen of leases, by name.
#[derive(Debug, Default)]
pub struct Live(BTreeMap<String, Seen>);

#[derive(Debug)]
struct Seen {
    lease: Lease,
    observed: Observed,
    given_up: bool,
}

impl Live {
    /// Takes note of a lease as a watch shows it at `now`, on this process' monotonic clock.
    pub fn see(&mut self, lease: &Lease, now: Duration) {
        let known = lease.metadata.name.as_ref().and_then(|name| self.0.get(name));
        if known.is_some_and(|known| is_older(lease, &known.lease)) {
            return;
        }
        self.take(lease, now);
    }

    fn take(&mut self, lease: &Lease, now: Duration) {
        let name = lease.metadata.name.clone().unwrap_or_default();
        let seen = self.0.entry(name).or_insert_with(|| Seen {
            lease: lease.clone(),
            observed: Observed::default(),
            given_up: false,
        });
        seen.observed.see(Some(lease), now);
        if spec_of(&seen.lease) != spec_of(lease) {
            seen.given_up = false;
        }
        seen.lease = lease.clone();
    }

    /// Takes note that a lease is gone.
    pub fn gone(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Takes note that these are all leases that there are.
    pub fn only(&mut self, names: &BTreeSet<String>) {
        self.0.retain(|name, _| names.contains(name));
    }

    /// Takes note of what the API server says of a lease that was [due](Self::due): that is the newest.
    pub fn confirm(&mut self, name: &str, lease: Option<&Lease>, now: Duration) {
        let Some(lease) = lease else { return self.gone(name) };
        self.take(lease, now);
        self.give_up(name, now);
    }

    /// Takes note that the API server refuses to say how a lease is that was [due](Self::due).
    pub fn refused(&mut self, name: &str, now: Duration) {
        self.give_up(name, now);
    }

    fn give_up(&mut self, name: &str, now: Duration) {
        if let Some(seen) = self.0.get_mut(name) {
            seen.given_up |= seen.left(now).is_some_and(|left| left.is_zero());
        }
    }

    /// The names of those that are live.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.0.iter().filter(|(_, seen)| seen.is_live()).map(|(name, _)| name.clone()).collect()
    }

    /// The names of those to ask the API server about: they are live, and have not changed for too long.
    #[must_use]
    pub fn due(&self, now: Duration) -> Vec<String> {
        let due = self.0.iter().filter(|(_, seen)| seen.left(now).is_some_and(|left| left.is_zero()));
        due.map(|(name, _)| name.clone()).collect()
    }

    /// How long until the next is due; `None` while none is live.
    #[must_use]
    pub fn next(&self, now: Duration) -> Option<Duration> {
        self.0.values().filter_map(|seen| seen.left(now)).min()
    }
}

impl Seen {
    fn is_live(&self) -> bool {
        let holder = self.lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        !self.given_up && holder.is_some_and(|holder| !holder.is_empty())
    }

    /// How long it may yet be unchanged; `None` where it is not live.
    fn left(&self, now: Duration) -> Option<Duration> {
        let spec = spec_of(&self.lease);
        let promised = promised(&spec).unwrap_or(LONGEST_PROMISE).clamp(SHORTEST_PROMISE, LONGEST_PROMISE);
        self.is_live().then(|| promised.saturating_sub(self.observed.unchanged_for(&spec, now)))
    }
}

/// Whether the lease is what the known one was before: the same object, by an earlier holder or an earlier renewal. Both
/// numbers only grow, as whoever writes them has read the ones before.
fn is_older(lease: &Lease, known: &Lease) -> bool {
    let (spec, known_spec) = (spec_of(lease), spec_of(known));
    let renewals = spec.renew_time.zip(known_spec.renew_time);
    lease.metadata.uid == known.metadata.uid
        && match spec.lease_transitions.cmp(&known_spec.lease_transitions) {
            Ordering::Less => true,
            Ordering::Equal => {
                spec.holder_identity == known_spec.holder_identity
                    && renewals.is_some_and(|(renewed, known)| renewed.0 < known.0)
            }
            Ordering::Greater => false,
        }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn lease(holder: &str, renewal: u32, promise: i32) -> Lease {
        let renewed = format!("2026-01-01T00:00:00.{renewal:06}Z");
        serde_json::from_value(json!({
            "metadata": {"name": "node-0", "resourceVersion": renewal.to_string()},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": promise, "renewTime": renewed},
        }))
        .unwrap()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn is_live(live: &Live) -> bool {
        live.names().contains("node-0")
    }

    #[test]
    fn a_holder_is_given_up_when_the_api_server_too_says_that_nothing_has_changed() {
        let mut live = Live::default();
        assert_eq!((is_live(&live), live.next(at(0))), (false, None), "nobody has said anything");
        live.see(&lease("prober", 1, 10), at(100));
        assert!(is_live(&live), "one that is seen for the first time has its time");
        assert_eq!(live.next(at(103)), Some(at(7)));
        live.see(&lease("prober", 2, 10), at(103));
        assert_eq!((live.due(at(112)), live.next(at(112))), (vec![], Some(at(1))));
        assert_eq!(live.due(at(113)), ["node-0"]);
        assert!(is_live(&live), "the watch alone gives nobody up");
        // The watch was behind.
        live.confirm("node-0", Some(&lease("prober", 3, 10)), at(114));
        assert_eq!((is_live(&live), live.due(at(123))), (true, vec![]));
        live.confirm("node-0", Some(&lease("prober", 3, 10)), at(124));
        assert_eq!((is_live(&live), live.next(at(500))), (false, None));
        // An old event says nothing new, a new renewal does.
        live.see(&lease("prober", 3, 10), at(500));
        assert!(!is_live(&live));
        live.see(&lease("another", 4, 10), at(501));
        assert!(is_live(&live));
    }

    #[test]
    fn who_gives_the_lease_back_is_believed_at_once() {
        let mut live = Live::default();
        live.see(&lease("prober", 1, 10), at(0));
        live.see(&lease("", 2, 1), at(1));
        assert!(!is_live(&live));
        live.see(&lease("next", 3, 10), at(2));
        assert!(is_live(&live));
        live.gone("node-0");
        assert!(!is_live(&live));
        live.see(&lease("next", 3, 10), at(3));
        live.confirm("node-0", None, at(4));
        assert!(!is_live(&live), "the API server has none");
        live.see(&lease("next", 3, 10), at(5));
        live.only(&BTreeSet::from(["node-1".to_owned()]));
        assert!(!is_live(&live), "the list has none");
    }

    #[test]
    fn a_watch_that_is_behind_brings_nobody_back_to_life() {
        let of_term = |term: i32, lease: Lease| {
            let mut lease = lease;
            lease.spec.get_or_insert_default().lease_transitions = Some(term);
            lease
        };
        let dead = || {
            let mut live = Live::default();
            live.see(&of_term(4, lease("prober", 1, 10)), at(0));
            live.confirm("node-0", Some(&of_term(4, lease("prober", 5, 10))), at(10));
            live.confirm("node-0", Some(&of_term(4, lease("prober", 5, 10))), at(20));
            assert!(!is_live(&live));
            live
        };
        for (what, late, lives) in [
            ("an earlier renewal", of_term(4, lease("prober", 3, 10)), false),
            ("the last one", of_term(4, lease("prober", 5, 10)), false),
            ("an earlier holder", of_term(3, lease("another", 9, 10)), false),
            ("a later renewal", of_term(4, lease("prober", 6, 10)), true),
            ("the next holder, whose clock is behind", of_term(5, lease("next", 2, 10)), true),
            (
                "another of that name",
                {
                    let mut new = of_term(0, lease("next", 1, 10));
                    new.metadata.uid = Some("another".to_owned());
                    new
                },
                true,
            ),
        ] {
            let mut live = dead();
            live.see(&late, at(21));
            assert_eq!(is_live(&live), lives, "{what}");
        }
        // What the API server says is the newest, whatever it looks like.
        let mut live = dead();
        live.confirm("node-0", Some(&of_term(0, lease("next", 1, 10))), at(21));
        assert!(is_live(&live));
    }

    #[test]
    fn that_the_api_server_refuses_to_say_is_an_answer() {
        let mut live = Live::default();
        live.see(&lease("prober", 1, 10), at(0));
        live.refused("node-0", at(9));
        assert!(is_live(&live), "it has its time");
        live.refused("node-0", at(10));
        assert!(!is_live(&live));
        live.see(&lease("prober", 2, 10), at(11));
        assert!(is_live(&live), "the watch goes on");
    }

    #[test]
    fn promises_are_believed_within_reason() {
        for (promise, believed) in [(10, 10), (1, 1), (0, 60), (-3, 60), (i32::MAX, 60)] {
            let mut live = Live::default();
            live.see(&lease("prober", 1, promise), at(0));
            assert_eq!(live.next(at(0)), Some(at(believed)), "{promise}");
        }
    }

    proptest! {
        /// Whatever the watch shows and however late: while the holder renews, it is not given up.
        #[test]
        fn who_renews_is_never_given_up(lags in prop::collection::vec(0_u32..40, 1..60)) {
            let mut live = Live::default();
            let mut shown = 0;
            for (second, lag) in (0_u32..).zip(lags) {
                let now = at(second.into());
                // The watch never goes back, and may stand still.
                shown = shown.max(second.saturating_sub(lag));
                live.see(&lease("prober", shown, 10), now);
                for name in live.due(now) {
                    live.confirm(&name, Some(&lease("prober", second, 10)), now);
                }
                prop_assert!(is_live(&live), "second {second}");
                prop_assert!(live.next(now).is_some_and(|next| next <= at(10)));
            }
        }
    }
}
