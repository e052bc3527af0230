//! What to do about the certificates: a rule over what there is, pure, time an argument.
//!
//! ```text
//!   stage a next CA ─▶ publish old + new ─▶ read back, wait ─▶ promote ─▶ issue the leaf ─▶ … ─▶ forget the old CA
//!   (CA Secret)        (caBundles)          (API servers       (CA         (serving Secret)      (its last leaf
//!                                            look at caches)    Secret)                           has expired)
//! ```
//!
//! Everything rests on one invariant: **the current CA is one that every API server trusts already.** A CA becomes
//! current only by way of `next`, or when there is nobody whom the change could hurt. So a leaf that the current CA
//! signs may be served at once, and renewing or healing the leaf needs no change of bundles.
//!
//! A CA whose key is lost goes on being trusted as `earlier`, as long as a leaf of it may be in service: deleting a
//! Secret costs no request. Its certificate is found in the serving Secret (`ca.crt`) and in the published bundles.
//!
//! Clocks may jump. A CA that is not valid *now* is replaced, but goes on being trusted: the leaf that webhooks still
//! serve (they do not take one that is not valid by their clock) may well be valid for the API servers.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::issue::BACKDATED;

/// How many earlier CAs are trusted at most. There is one in ordinary life; more come from Secrets that are broken and
/// rotations that are asked for while the last leaf of the one before lives.
const EARLIER: usize = 8;

/// The longest until the next look: clocks jump, and not everything that changes is watched.
const LOOK: Duration = Duration::from_secs(60);

/// What a certificate is known by: the SHA-256 of its DER form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// A CA's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ca {
    /// Which one.
    pub id: Fingerprint,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
}

/// A CA that signs no more, and is trusted for what it has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Which one.
    pub ca: Ca,
    /// When its last leaf has expired.
    pub until: Timestamp,
}

/// The CA Secret, as far as it can be read. One that is not there is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Signs leaves. With its key, or it would not be here.
    pub current: Option<Ca>,
    /// Will sign leaves, once every API server trusts it. With its key.
    pub next: Option<Ca>,
    /// Those before.
    pub earlier: Vec<Earlier>,
    /// Somebody asks for another CA.
    pub rotate: bool,
    /// There is also something in it that cannot be read: an earlier CA, or the next one, may be lost.
    pub garbage: bool,
}

/// The serving certificate, if it can be read and its key fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// Of those that are known, the CA that signed it. `None` also where it is not a certificate for our names.
    pub issuer: Option<Ca>,
}

/// What one webhook's `caBundle` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The CAs in it.
    pub cas: BTreeSet<Ca>,
    /// There is also something in it that cannot be read.
    pub garbage: bool,
}

/// Everything that a decision is made on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The CA Secret.
    pub stored: Stored,
    /// The serving Secret's certificate.
    pub leaf: Option<Leaf>,
    /// Somebody asks for another serving certificate.
    pub rotate_leaf: bool,
    /// What the serving Secret says of who signed it cannot be read, or is not so.
    pub garbage_leaf: bool,
    /// The bundle of every webhook of our configurations.
    pub bundles: Vec<Bundle>,
    /// For how long this process has seen them be what they should be.
    pub agreed_for: Duration,
}

/// Settings of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a CA is valid.
    pub ca_validity: Duration,
    /// How long a serving certificate is valid.
    pub serving_validity: Duration,
    /// How long it may take until every API server uses a changed bundle.
    pub propagation: Duration,
}

/// Where a CA of the Secret that is to be written comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// There is to be none.
    Nowhere,
    /// What is the current one now.
    Current,
    /// What is the next one now.
    Next,
    /// To be made.
    New,
}

/// What is to be in the CA Secret. Requests to rotate are granted with it, and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The CA that signs.
    pub current: Source,
    /// The CA that will.
    pub next: Source,
    /// Those before.
    pub earlier: Vec<Earlier>,
}

/// The one next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the CA Secret.
    Store(Authority),
    /// Write the bundle into every webhook of the configurations.
    Publish,
    /// Let the current CA sign a serving certificate.
    Issue,
    /// Nothing, until something changes or the time has come.
    Wait,
}

/// What to do, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The next step.
    pub step: Step,
    /// For the log and for people.
    pub why: &'static str,
    /// What every caBundle should hold as things are.
    pub bundle: BTreeSet<Ca>,
    /// Look again after this long at the latest.
    pub again: Duration,
}

impl Ca {
    /// Whether it is valid at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// Until when it is to be trusted when it signs no more from `now` on.
    fn until(&self, now: Timestamp, settings: &Settings) -> Timestamp {
        let last_leaf = later(now, settings.serving_validity);
        if now < self.not_before {
            // This clock is behind, and says nothing about the time of others.
            self.not_after
        } else if now < self.not_after {
            last_leaf.min(self.not_after)
        } else {
            // Expired, so that trusting it means nothing; or this clock is ahead, and it means a lot.
            last_leaf
        }
    }
}

impl Leaf {
    fn is_good(&self, now: Timestamp) -> bool {
        self.issuer.is_some() && self.not_before <= now && now < self.not_after
    }
}

/// What to do next. Carrying out one step after another comes to [`Step::Wait`].
#[must_use]
pub fn plan(seen: &Snapshot, now: Timestamp, settings: &Settings) -> Plan {
    let stored = &seen.stored;
    let valid = |ca: &Ca| ca.is_valid(now);
    let (current, next) = (stored.current.filter(valid), stored.next.filter(valid));
    let bundle = bundle(seen);
    let does = |step, why| Plan { step, why, bundle: bundle.clone(), again: Duration::ZERO };

    if current.is_none() && next.is_none() {
        return does(Step::Store(beginning(seen, now, settings)), "there is no CA that could sign");
    }
    let earlier = earlier(seen, now, settings);
    if current.is_some() && next.is_none() {
        let why = match (&stored.next, current.map(|ca| due(ca.not_before, ca.not_after))) {
            _ if stored.rotate => Some("another CA was asked for"),
            (Some(_), _) => Some("the next CA is not valid now"),
            (None, Some(due)) if due <= now => Some("the CA is at two thirds of its life"),
            _ => None,
        };
        if let Some(why) = why {
            return does(
                Step::Store(Authority { current: Source::Current, next: Source::New, earlier }),
                why,
            );
        }
    }
    if earlier != stored.earlier || stored.rotate || stored.garbage {
        let source = |ca: Option<Ca>, source| if ca.is_some() { source } else { Source::Nowhere };
        let (current, next) = (source(stored.current, Source::Current), source(stored.next, Source::Next));
        let why = match stored.garbage {
            true => "a part of the Secret cannot be read",
            false => "what the Secret says of earlier CAs or of requests is over",
        };
        return does(Step::Store(Authority { current, next, earlier }), why);
    }
    if seen.bundles.iter().any(|found| found.garbage || found.cas != bundle) {
        return does(Step::Publish, "a caBundle is not what it should be");
    }
    let mut again = LOOK;
    let good = seen.leaf.filter(|leaf| leaf.is_good(now));
    if let Some(current) = current {
        if let Some(why) = wants_leaf(good.as_ref(), &current, seen, now, settings) {
            return does(Step::Issue, why);
        }
        again = again.min(ahead(now, due(current.not_before, current.not_after)));
    }
    if next.is_some() {
        // Without a CA that signs, a leaf, and a CA that anybody may be served by, waiting protects nobody.
        let urgent = current.is_none() && good.is_none() && earlier.is_empty();
        if urgent || seen.agreed_for >= settings.propagation {
            let displaced = stored.current.into_iter().chain(issuer(seen));
            let earlier = with(earlier, displaced, stored.next, seen, now, settings);
            let authority = Authority { current: Source::Next, next: Source::Nowhere, earlier };
            return does(Step::Store(authority), "every API server trusts the next CA");
        }
        again = again.min(settings.propagation.saturating_sub(seen.agreed_for));
    }
    if let Some(leaf) = &good {
        again = again.min(ahead(now, due(leaf.not_before, leaf.not_after)));
    }
    Plan { step: Step::Wait, why: "all is as it should be", bundle, again }
}

/// What every caBundle should hold.
fn bundle(seen: &Snapshot) -> BTreeSet<Ca> {
    let stored = &seen.stored;
    let all = stored.current.into_iter().chain(stored.next).chain(stored.earlier.iter().map(|e| e.ca));
    all.chain(issuer(seen)).collect()
}

/// Who signed the leaf that is in service, whatever clocks say about it.
/// It gets published, so whoever may write the serving Secret may have a CA trusted (docs/certificates.md says so).
fn issuer(seen: &Snapshot) -> Option<Ca> {
    seen.leaf.and_then(|leaf| leaf.issuer)
}

/// Why the current CA should sign another leaf, if it should.
fn wants_leaf(
    good: Option<&Leaf>,
    current: &Ca,
    seen: &Snapshot,
    now: Timestamp,
    settings: &Settings,
) -> Option<&'static str> {
    let Some(leaf) = good else { return Some("there is no serving certificate that could be used now") };
    if leaf.issuer != Some(*current) {
        return Some("the serving certificate is another CA's");
    }
    if seen.rotate_leaf {
        return Some("another serving certificate was asked for");
    }
    if seen.garbage_leaf {
        return Some("the serving Secret does not say who signed it");
    }
    let lasts_longer = later(now, settings.serving_validity).min(current.not_after) > leaf.not_after;
    (due(leaf.not_before, leaf.not_after) <= now && lasts_longer)
        .then_some("the serving certificate is at two thirds of its life")
}

/// The CA Secret where there is nothing to go on with.
fn beginning(seen: &Snapshot, now: Timestamp, settings: &Settings) -> Authority {
    let displaced = seen.stored.current.into_iter().chain(issuer(seen));
    let earlier = with(earlier(seen, now, settings), displaced, None, seen, now, settings);
    if earlier.is_empty() {
        return Authority { current: Source::New, next: Source::Nowhere, earlier };
    }
    Authority { current: Source::Nowhere, next: Source::New, earlier }
}

/// The earlier CAs that are still to be trusted. Where something of the Secret is lost, they are also what is known from
/// elsewhere: who signed what is served, and what was published, which tells whom others may be served by.
fn earlier(seen: &Snapshot, now: Timestamp, settings: &Settings) -> Vec<Earlier> {
    let stored = &seen.stored;
    let is_other = |ca: Ca| ![stored.current, stored.next].contains(&Some(ca));
    let others = stored.earlier.iter().filter(|earlier| is_other(earlier.ca)).copied();
    if stored.current.is_some() && !stored.garbage {
        let is_used = |earlier: &Earlier| now < earlier.until || issuer(seen) == Some(earlier.ca);
        return others.filter(is_used).collect();
    }
    let served = issuer(seen).into_iter().filter(|ca| is_other(*ca));
    let mut earlier = with(others.collect(), served, None, seen, now, settings);
    let mut published: Vec<Ca> = seen.bundles.iter().flat_map(|bundle| &bundle.cas).copied().collect();
    published.sort_by_key(|ca| Reverse(ca.not_after));
    for ca in published {
        let is_new = is_other(ca) && earlier.iter().all(|known| known.ca != ca);
        if is_new && earlier.len() < EARLIER {
            earlier.push(Earlier { ca, until: ca.until(now, settings) });
        }
    }
    earlier
}

/// `earlier` and those that sign no more, but for the one that is to sign; if there are too many, without those whose
/// time comes first.
fn with(
    mut earlier: Vec<Earlier>,
    displaced: impl Iterator<Item = Ca>,
    signs: Option<Ca>,
    seen: &Snapshot,
    now: Timestamp,
    settings: &Settings,
) -> Vec<Earlier> {
    for ca in displaced {
        if Some(ca) != signs && earlier.iter().all(|known| known.ca != ca) {
            earlier.push(Earlier { ca, until: ca.until(now, settings) });
        }
    }
    while earlier.len() > EARLIER {
        let unused = earlier.iter().enumerate().filter(|(_, e)| issuer(seen) != Some(e.ca));
        let Some((first, _)) = unused.min_by_key(|(_, e)| e.until) else { break };
        earlier.remove(first);
    }
    earlier
}

/// When a certificate has lived for two thirds of its time, not counting how far it is backdated.
fn due(not_before: Timestamp, not_after: Timestamp) -> Timestamp {
    let begin = not_before.checked_add(BACKDATED).unwrap_or(not_before);
    let third = not_after.duration_since(begin) / 3;
    not_after.checked_sub(third).unwrap_or(not_after)
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// From `now` until `then`. What is past and yet not done waits for something else, and is no reason to look.
fn ahead(now: Timestamp, then: Timestamp) -> Duration {
    let left: SignedDuration = then.duration_since(now);
    left.try_into().ok().filter(|left: &Duration| !left.is_zero()).unwrap_or(LOOK)
}

#[cfg(test)]
#[path = "policy_properties.rs"]
mod properties;

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
