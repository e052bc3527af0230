//! Pods that could not be made. Only whoever tried knows; it says so here.

use std::collections::BTreeMap;

use super::{Kind, Trouble};
use crate::names::{reason, server_name};

/// Why the pod of a server (or one of its volume claims) could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A ResourceQuota leaves no room; the API server's words.
    Quota(String),
    /// The API server, or an admission webhook, has refused it or could not be asked; its words.
    Refused(String),
    /// A pod that is not the set's has the name, and belongs to this (`Job cleanup`, or `nobody`).
    NameTaken(String),
}

impl Failure {
    /// What an answer of the API server means. `code`: its HTTP status, if there was any answer.
    ///
    /// Quotas answer 403 with a text that begins so (Kubernetes' admission plugin ResourceQuota).
    #[must_use]
    pub fn of_answer(code: Option<u16>, words: &str) -> Self {
        if code == Some(403) && words.contains("exceeded quota") {
            Self::Quota(words.to_owned())
        } else {
            Self::Refused(words.to_owned())
        }
    }
}

/// The troubles that the failures of a set's ordinals make: one for quota and refusals, one for names that are taken.
/// Where some pods meet a quota and others are refused, the quota is told: it is what lets some through.
#[must_use]
pub fn failed_creates(set: &str, failures: &BTreeMap<u32, Failure>) -> Vec<Trouble> {
    let trouble = |kind, reason, what: &str, advice, words: &dyn Fn(&Failure) -> Option<String>| {
        let fits: Vec<(u32, String)> =
            failures.iter().filter_map(|(ordinal, failure)| Some((*ordinal, words(failure)?))).collect();
        let (_, words) = fits.first()?.clone();
        let servers = fits.iter().map(|(ordinal, _)| server_name(set, *ordinal)).collect();
        Some(Trouble { kind, reason, servers, what: what.to_owned(), words, advice })
    };
    let quota = || {
        trouble(
            Kind::ReplicaFailure,
            reason::EXCEEDED_QUOTA,
            "pods cannot be made",
            "raise the quota or lower spec.replicas; it is tried again within a minute, and at once when the spec changes",
            &|failure| match failure {
                Failure::Quota(words) => Some(words.clone()),
                _ => None,
            },
        )
    };
    let refused = || {
        trouble(
            Kind::ReplicaFailure,
            reason::FAILED_CREATE,
            "pods cannot be made",
            "correct spec.gameServerTemplate, or what refuses it; it is tried again within a minute, and at once when \
             the spec changes",
            &|failure| match failure {
                Failure::Refused(words) => Some(words.clone()),
                _ => None,
            },
        )
    };
    let taken = trouble(
        Kind::NameConflict,
        reason::NAME_CONFLICT,
        "a pod that is not the set's has the name of a server",
        super::spec::NAME_ADVICE,
        &|failure| match failure {
            Failure::NameTaken(by) => Some(format!("it belongs to {by}")),
            _ => None,
        },
    );
    [quota().or_else(refused), taken].into_iter().flatten().collect()
}
