//! A probe's outcome → verdict → action → opsState (design §3).
//!
//! ```text
//!   stdout, exit code ─ outcome ─ verdict::Counter ─ Verdict ─┐
//!   settings (periods, thresholds)                            ▼
//!   GameServer with its record ────────────────────────────► decide ─► one merge patch, events
//!                                        action: which fire, what they set
//!                                        merge:  the opsState of all qualities and of people
//!   GameServer with its record ── conditions ─► status and pod conditions, written afterwards
//! ```
//!
//! The record, an annotation of the GameServer, is written together with the spec it explains. It alone
//! says which verdicts have had their effect, so that a crash neither repeats nor loses an action.

mod action;
mod conditions;
mod decide;
mod keys;
mod look;
mod merge;
mod notice;
mod outcome;
mod owed;
mod record;
mod settings;
mod verdict;

pub use conditions::{PodCondition, Texts, conditions, pod_conditions};
pub use decide::{Decision, Input, decide};
pub use keys::{dns_label_problem, is_reserved, key_problem, label_value_problem};
pub use look::{Looked, Reply, looked, made_removable_by};
pub(crate) use merge::wins;
pub use notice::Notice;
pub use outcome::{MAX_RESULT, Outcome, result_text};
pub(crate) use owed::settled;
pub use settings::ProbeSettings;
pub(crate) use settings::{FAILURE_THRESHOLD, INITIAL_DELAY, PERIOD, SUCCESS_THRESHOLD, TIMEOUT};
pub use verdict::{Counter, Verdict};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod walkthroughs;
