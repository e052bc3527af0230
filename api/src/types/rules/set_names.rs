//! Rules of a set's name: those at the root, where alone the name can be seen.
//!
//! A name never changes, and rules at the root are judged at every write, those of status and finalizers
//! included: so they speak at creation only.

use super::{Rule, Says};

/// Longest name of a set: `<name>-<ordinal>` is a host name and a label value, of 63 characters at most, and the
/// highest ordinal, 2147483647, has ten digits. A StatefulSet has the same limit, unsaid: its revision
/// `<name>-<hash>` is a label value too.
const LONGEST: usize = 52;

pub(super) fn rules() -> Vec<Rule> {
    vec![length(), characters(), owner()]
}

fn length() -> Rule {
    Rule::new(
        "",
        format!("oldSelf.hasValue() || self.metadata.name.size() <= {LONGEST}"),
        Says::Cel(format!(
            "'metadata.name: %d characters; its servers are named <name>-<ordinal>, which must fit into 63: write \
             at most {LONGEST} (47 in generateName)'.format([self.metadata.name.size()])"
        )),
    )
    .with_old()
}

fn characters() -> Rule {
    Rule::new(
        "",
        "oldSelf.hasValue() || !self.metadata.name.contains('.')",
        Says::Cel(
            "'metadata.name ' + self.metadata.name + ': has a dot, and its servers\\' names are host names; \
             write dashes instead'"
                .into(),
        ),
    )
    .with_old()
}

/// The label by which a set knows its servers.
fn owner() -> Rule {
    let key = crate::names::OWNER_GSS;
    let metadata = |of: &str| format!("{of}.spec.gameServerTemplate.metadata");
    let has = |of: &str| {
        let metadata = metadata(of);
        format!("has({metadata}) && has({metadata}.labels) && '{key}' in {metadata}.labels")
    };
    let label = |of: &str| format!("{}.labels['{key}']", metadata(of));
    let (new, old) = ("self", "oldSelf.value()");
    Rule::new(
        "",
        format!(
            "!({}) || {} == self.metadata.name || (oldSelf.hasValue() && {} && {} == {})",
            has(new),
            label(new),
            has(old),
            label(old),
            label(new)
        ),
        Says::Cel(format!(
            "'label {key} is ' + {} + ', the name of another set, which would take the servers for its own; leave \
             the label out'",
            label(new)
        )),
    )
    .about(".spec.gameServerTemplate.metadata.labels")
    .with_old()
}
