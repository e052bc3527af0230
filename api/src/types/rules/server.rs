//! Rules of GameServers.
//!
//! `opsState` stays free: a state that cannot stand in the pod's label is left out there with a Warning event, and
//! a rule here would hold up all else that a verdict writes with it.

use super::{Rule, Says};

pub(super) fn rules() -> Vec<Rule> {
    vec![Rule::new(
        "spec.containers",
        "self.all(c, self.exists_one(d, d.name == c.name))",
        Says::Cel(
            "'containers: named more than once in %s; write each container once, with all that differs in \
             it'.format([self.map(c, c.name)])"
                .into(),
        ),
    )]
}
