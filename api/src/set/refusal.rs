//! What the API server refuses on a server that is to go: another webhook or a policy forbids the DELETE of its pod, or the
//! writes that lead there.
//!
//! Whoever carries removals out remembers it, and tries again after a while, each time a longer one. Until then the server
//! counts as one that does not answer: others of its state go in its place, and nobody else. What was committed for it is
//! withdrawn. Nothing of this is written on the GameServer, for that may be what is refused; a controller that starts anew
//! tries once more.

use jiff::Timestamp;

/// What is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// To delete its pod, or to mark it for that.
    Delete,
    /// To write its GameServer.
    Write,
    /// To write its pod: what was committed cannot be withdrawn.
    Withdraw,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of what.
    pub what: Refused,
    /// In the words of the API server.
    pub words: String,
    /// When it was last refused.
    pub since: Timestamp,
    /// When it is tried again. It is told for longer, until that goes well.
    pub until: Timestamp,
}
