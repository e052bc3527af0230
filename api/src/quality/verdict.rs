//! Outcomes counted into verdicts, as kubelet's prober worker counts them (design §3.2, §3.3, §3.7).

use super::{Outcome, ProbeSettings};

/// What a quality says of a server, after thresholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The probe succeeds.
    True {
        /// Text of the latest success.
        result: String,
    },
    /// The probe fails.
    False {
        /// Text of the latest failure.
        result: String,
    },
    /// It cannot be asked.
    Unknown {
        /// Why, for people.
        reason: String,
    },
}

impl From<Outcome> for Verdict {
    /// The verdict where thresholds do not apply.
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success { result } => Self::True { result },
            Outcome::Failure { result } => Self::False { result },
            Outcome::Unknown { reason } => Self::Unknown { reason },
        }
    }
}

/// Counts the outcomes of one quality on one pod. Kept in memory by whoever probes; begun afresh with a
/// new pod, and after a restart of the prober (the record on the GameServer knows what was said before).
#[derive(Clone, Debug, Default)]
pub struct Counter {
    /// Whether the outcomes counted in `run` are successes.
    success: bool,
    run: u32,
    unanswered: u32,
    /// Why it could not be asked, once that has lasted for failureThreshold probes.
    unknown: Option<String>,
    /// The latest verdict that is true or false.
    answer: Option<Verdict>,
}

impl Counter {
    /// One that has counted nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an outcome; gives the verdict that holds after it, if there is one.
    ///
    /// A state takes as many equal outcomes in a row as its threshold says; the result text follows the
    /// latest outcome of the state that holds at once. A probe that could not be asked neither counts nor
    /// breaks a row; failureThreshold of them in a row are Unknown, until the next answer.
    pub fn record(&mut self, settings: &ProbeSettings, outcome: Outcome) -> Option<Verdict> {
        let (success, threshold) = match &outcome {
            Outcome::Success { .. } => (true, settings.success_threshold),
            Outcome::Failure { .. } => (false, settings.failure_threshold),
            Outcome::Unknown { reason } => {
                self.unanswered = self.unanswered.saturating_add(1);
                if self.unanswered >= settings.failure_threshold {
                    self.unknown = Some(reason.clone());
                }
                return self.verdict();
            }
        };
        self.unanswered = 0;
        self.unknown = None;
        self.run = if self.success == success { self.run.saturating_add(1) } else { 1 };
        self.success = success;
        let holds = match &self.answer {
            Some(Verdict::True { .. }) => success,
            Some(Verdict::False { .. }) => !success,
            _ => false,
        };
        if holds || self.run >= threshold {
            self.answer = Some(outcome.into());
        }
        self.verdict()
    }

    /// The container ran and has terminated by itself: false at once, whatever the thresholds say.
    pub fn not_running(&mut self, container: &str) -> Verdict {
        *self = Self::new();
        let verdict = Verdict::False { result: format!("Container {container} is not running") };
        self.answer = Some(verdict.clone());
        verdict
    }

    /// One outcome that counts at once, whatever the thresholds say: what a last look has found (design §4, I3). One
    /// that could not be asked changes nothing.
    pub fn answered(&mut self, outcome: Outcome) {
        let success = match &outcome {
            Outcome::Success { .. } => true,
            Outcome::Failure { .. } => false,
            Outcome::Unknown { .. } => return,
        };
        *self = Self { success, run: 1, answer: Some(outcome.into()), ..Self::new() };
    }

    /// The container was restarted: counting begins again, the verdict stays.
    pub fn restarted(&mut self) {
        self.run = 0;
        self.unanswered = 0;
    }

    /// The verdict that holds, if there is one yet.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match &self.unknown {
            Some(reason) => Some(Verdict::Unknown { reason: reason.clone() }),
            None => self.answer.clone(),
        }
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
