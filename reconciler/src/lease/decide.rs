//! The rule of the election, as a pure function: what to do about a lease that was just read.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Unique to the process.
    pub identity: String,
    /// What it promises when it holds the lease; whole seconds.
    pub lease_duration: Duration,
}

/// What this process has itself seen of the lease: its content, and since when it is the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    seen: Option<(LeaseSpec, Duration)>,
}

impl Observed {
    /// Takes note of a lease that was read (or found missing) at `now_mono`, on this process'
    /// monotonic clock. Only content that differs from the last one counts as a sign of life.
    pub fn see(&mut self, lease: Option<&Lease>, now_mono: Duration) {
        let spec = lease.map(spec_of);
        if self.seen.as_ref().map(|(seen, _)| seen) != spec.as_ref() {
            self.seen = spec.map(|spec| (spec, now_mono));
        }
    }

    /// How long `spec` has been seen unchanged at `now_mono`; zero if it was not what was last seen.
    pub(super) fn unchanged_for(&self, spec: &LeaseSpec, now_mono: Duration) -> Duration {
        match &self.seen {
            Some((seen, since)) if seen == spec => now_mono.saturating_sub(*since),
            _ => Duration::ZERO,
        }
    }
}

/// What to do about the lease. The writes carry the resourceVersion of the lease that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// There is none: POST one with this spec.
    Create(LeaseSpec),
    /// It is the candidate's own: PUT this spec.
    Renew(LeaseSpec),
    /// It is nobody's, or its holder has shown no sign of life: PUT this spec.
    Acquire(LeaseSpec),
    /// It is another's, who may be alive for this long yet. Look again then at the latest.
    Wait(Duration),
}

/// Decides about a lease that was just read, and that `observed` has [seen](Observed::see).
///
/// `now_mono` is this process' monotonic clock and the only time that decides. `now_wall` is what is
/// written; where the wall clock stands still or jumps back, `renewTime` moves on by a microsecond
/// all the same, because its change is the sign of life.
#[must_use]
pub fn decide(
    lease: Option<&Lease>,
    observed: &Observed,
    me: &Candidate,
    now_mono: Duration,
    now_wall: Timestamp,
) -> Step {
    let Some(lease) = lease else {
        return Step::Create(me.fresh(&LeaseSpec::default(), now_wall, 0));
    };
    let spec = spec_of(lease);
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    if holder == me.identity {
        return Step::Renew(me.renewed(&spec, now_wall));
    }
    if !holder.is_empty() {
        let left = me.duration_of(&spec).saturating_sub(observed.unchanged_for(&spec, now_mono));
        if !left.is_zero() {
            return Step::Wait(left);
        }
    }
    let transitions = spec.lease_transitions.unwrap_or(0).saturating_add(1);
    Step::Acquire(me.fresh(&spec, now_wall, transitions))
}

impl Candidate {
    /// The spec with which a holder renews: everything kept but `renewTime`.
    #[must_use]
    pub fn renewed(&self, old: &LeaseSpec, now_wall: Timestamp) -> LeaseSpec {
        LeaseSpec {
            lease_duration_seconds: Some(whole_seconds(self.lease_duration)),
            renew_time: Some(after(old.renew_time.as_ref(), now_wall)),
            ..old.clone()
        }
    }

    /// The spec with which a holder gives the lease back: nobody's, and for one second only, so that
    /// others acquire it at once. client-go's `ReleaseOnCancel`.
    #[must_use]
    pub fn released(old: &LeaseSpec, now_wall: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            acquire_time: Some(after(None, now_wall)),
            renew_time: Some(after(old.renew_time.as_ref(), now_wall)),
            ..old.clone()
        }
    }

    fn fresh(&self, old: &LeaseSpec, now_wall: Timestamp, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_transitions: Some(transitions),
            acquire_time: Some(after(None, now_wall)),
            ..self.renewed(old, now_wall)
        }
    }

    /// What the lease's holder promised; where the lease does not say, what everybody here does.
    fn duration_of(&self, spec: &LeaseSpec) -> Duration {
        promised(spec).unwrap_or(self.lease_duration)
    }
}

/// What a lease's holder promised, if it says so.
pub(super) fn promised(spec: &LeaseSpec) -> Option<Duration> {
    let seconds = u64::try_from(spec.lease_duration_seconds?).ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// The lease's spec; one without is nobody's.
pub(super) fn spec_of(lease: &Lease) -> LeaseSpec {
    lease.spec.clone().unwrap_or_default()
}

/// `now`, or a microsecond after `old` if that is later. The API keeps microseconds.
fn after(old: Option<&MicroTime>, now: Timestamp) -> MicroTime {
    let micros = |time: Timestamp| {
        let floor = TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Trunc);
        time.round(floor).unwrap_or(time)
    };
    let now = micros(now);
    let next = old.and_then(|old| {
        let step = SignedDuration::from_micros(1);
        micros(old.0).checked_add(step).ok()
    });
    MicroTime(next.map_or(now, |next| next.max(now)))
}

fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
