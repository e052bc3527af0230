//! Refusals in words: what, why, and what to do instead.

use std::fmt;

use super::cache::Sight;
use crate::types::OpsState;

/// A server, as it is named to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it is good for; `None` where it has no GameServer that says so.
    pub state: Option<OpsState>,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            Some(state) => write!(f, "{} ({})", self.name, short(state)),
            None => write!(f, "{} (no GameServer yet)", self.name),
        }
    }
}

/// A state of somebody's own may be long, and have anything in it.
pub(super) fn short(state: &OpsState) -> String {
    const MOST: usize = 24;
    let text = state.as_str().replace(|c: char| c.is_control(), " ");
    match text.char_indices().nth(MOST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A server's pod or GameServer is to be deleted, and it may be in use.
    #[error(
        "{server} may be in use, and set {set} is Strict (gamewarden.dev/protection): its {what} is not deleted. It can be as \
         soon as its opsState is WaitToBeDeleted or Kill, or now after `kubectl annotate gs -n {namespace} {name} \
         gamewarden.dev/allow-removal=true`. To have fewer servers, shrink the set instead, which takes those that nobody \
         uses: `kubectl scale gss -n {namespace} {set} --replicas=<number>`", name = .server.name
    )]
    InUse {
        /// `pod` or `GameServer`.
        what: &'static str,
        /// The server.
        server: Named,
        /// Its set.
        set: String,
        /// Where they are.
        namespace: String,
    },
    /// The pod of a server that may be in use is to be evicted. Whoever drains a node tries again.
    #[error(
        "{server} may be in use, and set {set} is Strict (gamewarden.dev/protection): its pod is evicted when its opsState is \
         WaitToBeDeleted or Kill, so wait until its players have left; or let it go now: `kubectl annotate gs -n {namespace} \
         {name} gamewarden.dev/allow-removal=true`", name = .server.name
    )]
    Evicted {
        /// The server.
        server: Named,
        /// Its set.
        set: String,
        /// Where they are.
        namespace: String,
    },
    /// A label is to be taken off the pod of a server that may be in use.
    #[error(
        "{server} may be in use, and set {set} is Strict (gamewarden.dev/protection): label {label} stays on its pod, for \
         without it the server would not be protected. Annotate the server if it may go: `kubectl annotate gs -n {namespace} \
         {name} gamewarden.dev/allow-removal=true`", name = .server.name
    )]
    Unlabelled {
        /// The label.
        label: &'static str,
        /// The server.
        server: Named,
        /// Its set.
        set: String,
        /// Where they are.
        namespace: String,
    },
    /// The owners of a set, of a server's pod or of its GameServer are to be exchanged, and it may be in use.
    #[error(
        "{servers} of set {set} may be in use, and it is Strict (gamewarden.dev/protection): the ownerReferences of {what} \
         {name} are not exchanged, for where none of the new owners exists, the garbage collector deletes it. Let it go first \
         if it may: `kubectl annotate {kind} -n {namespace} {name} gamewarden.dev/allow-removal=true`"
    )]
    Reowned {
        /// Those servers.
        servers: List,
        /// Their set.
        set: String,
        /// `pod`, `GameServer`, `GameServerSet`.
        what: &'static str,
        /// What is annotated, as a person types it.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Where they are.
        namespace: String,
    },
    /// A label of a pod is to be changed by hand that decides who goes (external mode).
    #[error(
        "set {set} is Strict (gamewarden.dev/protection), and OpenKruiseGame's controller takes servers by the label {label} \
         of their pods: it is not changed by hand. Change the GameServer instead, and the label follows: `kubectl patch gs -n \
         {namespace} {name} --type=merge -p '{{\"spec\":{{\"{field}\":\"<value>\"}}}}'`"
    )]
    Relabelled {
        /// The label.
        label: &'static str,
        /// The field of the GameServer that it stands for.
        field: &'static str,
        /// The pod.
        name: String,
        /// Its set.
        set: String,
        /// Where they are.
        namespace: String,
    },
    /// A server is to be deleted while the set shrinks and another one should go.
    #[error(
        "set {set} is shrinking to {replicas}, and {sibling} goes before {server}, which may be in use: its {what} is not \
         deleted now. Leave it to the set, or delete {first} instead. If it has to be this one: `kubectl annotate gs -n \
         {namespace} {name} gamewarden.dev/allow-removal=true`", first = .sibling.name, name = .server.name
    )]
    NotItsTurn {
        /// `pod` or `GameServer`.
        what: &'static str,
        /// The server.
        server: Named,
        /// Who goes first.
        sibling: Named,
        /// Their set.
        set: String,
        /// How many there are to be.
        replicas: i32,
        /// Where they are.
        namespace: String,
    },
    /// A set is to be deleted, and some of its servers may be in use.
    #[error(
        "{servers} of set {set} may be in use, and it is Strict (gamewarden.dev/protection): it is not deleted. Shrink it \
         {shrink}: `kubectl scale gss -n {namespace} {set} --replicas={replicas}`; or let all of them go now: `kubectl \
         annotate gss -n {namespace} {set} gamewarden.dev/allow-removal=true`"
    )]
    SetInUse {
        /// Those servers.
        servers: List,
        /// When it can shrink.
        shrink: &'static str,
        /// To what, as a person types it.
        replicas: &'static str,
        /// The set.
        set: String,
        /// Where it is.
        namespace: String,
    },
    /// A set is to shrink that others would shrink at once (external mode).
    #[error(
        "set {set} would lose {servers}, which may be in use, and it is Strict (gamewarden.dev/protection). It can be as soon \
         as their opsState is WaitToBeDeleted or Kill; {instead}; `kubectl annotate gs -n {namespace} <name> \
         gamewarden.dev/allow-removal=true` lets a server go before that"
    )]
    WouldLose {
        /// Those servers.
        servers: List,
        /// The set.
        set: String,
        /// What can be done now.
        instead: String,
        /// Where it is.
        namespace: String,
    },
    /// Kruise's StatefulSet of a set is to be changed or deleted by somebody else than the controllers (external mode).
    #[error(
        "{servers} of set {set} may be in use, and it is Strict (gamewarden.dev/protection): its StatefulSet is not {what} by \
         hand, for that would take them. Change the set instead: `kubectl scale gss -n {namespace} {set} --replicas=<number>`; \
         or let all of them go now: `kubectl annotate gss -n {namespace} {set} gamewarden.dev/allow-removal=true`"
    )]
    Workload {
        /// Those servers.
        servers: List,
        /// `shrunk`, `deleted` …
        what: &'static str,
        /// The set.
        set: String,
        /// Where they are.
        namespace: String,
    },
    /// Nobody knows what would be lost.
    #[error("whether {what} may be in use cannot be told now: {}. {why}, so nothing is lost meanwhile: try again in a moment. If \
             that lasts, see whether the pods of gamewarden-webhook are well and reach the API server", lost(.sight))]
    Blind {
        /// What is to go.
        what: String,
        /// Why it is refused then.
        why: String,
        /// How long that has been so.
        sight: Sight,
        /// It is an eviction, which is tried again.
        evicted: bool,
    },
}

/// How it came that nothing is known.
pub(super) fn lost(sight: &Sight) -> String {
    match sight {
        Sight::Lost(time) => format!("the webhook lost sight of the cluster {} s ago", time.as_secs()),
        Sight::Never | Sight::Clear => "the webhook has not seen the cluster's game servers yet".to_owned(),
    }
}

impl Refusal {
    /// The reason and code by which Kubernetes knows it.
    #[must_use]
    pub fn status(&self) -> (&'static str, u16) {
        match self {
            // As the API server itself says of a budget that does not allow it.
            Self::Evicted { .. } | Self::Blind { evicted: true, .. } => ("TooManyRequests", 429),
            Self::Blind { .. } => ("ServiceUnavailable", 503),
            Self::InUse { .. }
            | Self::Unlabelled { .. }
            | Self::Reowned { .. }
            | Self::Relabelled { .. }
            | Self::NotItsTurn { .. }
            | Self::SetInUse { .. }
            | Self::WouldLose { .. }
            | Self::Workload { .. } => ("Forbidden", 403),
        }
    }
}

/// Servers as people are told of them: at most ten names, then a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List(pub Vec<Named>);

/// How many names are told.
pub(super) const MOST_NAMES: usize = 10;

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().take(MOST_NAMES).map(ToString::to_string).collect();
        f.write_str(&names.join(", "))?;
        match self.0.len().checked_sub(MOST_NAMES) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}
