//! The way to a place in an object. Of most places nothing is said: a step is a link to the one before it, and text is
//! made of them only where something is.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// The way to a place. Each step lives as long as what is looked at from there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'t> {
    /// The object itself.
    Begin,
    /// One step further.
    Then(&'t Way<'t>, Step<'t>),
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'t> {
    /// A field of an object.
    Field(&'t str),
    /// A key of a map. It stands in brackets, as it may have dots.
    Key(&'t str),
    /// A place in a list.
    Index(usize),
}

impl<'t> Way<'t> {
    pub(super) fn then(&'t self, step: Step<'t>) -> Self {
        Self::Then(self, step)
    }

    /// What stays the same of a way wherever something stands in its lists: its steps without the places in lists.
    pub(super) fn hash_names(&self, hasher: &mut impl Hasher) {
        if let Self::Then(before, step) = self {
            before.hash_names(hasher);
            match step {
                Step::Field(name) | Step::Key(name) => name.hash(hasher),
                Step::Index(_) => {}
            }
        }
    }
}

/// As Kubernetes writes it: `spec.serviceQualities[0].exec.command`.
impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Then(before, step) = self else { return Ok(()) };
        before.fmt(f)?;
        match (step, before) {
            (Step::Field(name), Self::Begin) => f.write_str(name),
            (Step::Field(name), _) => write!(f, ".{name}"),
            (Step::Key(key), _) => write!(f, "[{key}]"),
            (Step::Index(index), _) => write!(f, "[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;

    #[test]
    fn it_is_written_as_kubernetes_does() {
        let spec = Way::Begin.then(Step::Field("spec"));
        let labels = spec.then(Step::Field("labels"));
        assert_eq!(labels.then(Step::Key("a.b/c")).to_string(), "spec.labels[a.b/c]");
        assert_eq!(spec.then(Step::Index(7)).to_string(), "spec[7]");
        assert_eq!(Way::Begin.to_string(), "");
    }

    #[test]
    fn places_in_lists_make_no_difference_and_names_do() {
        let hash = |way: Way<'_>| {
            let mut hasher = DefaultHasher::new();
            way.hash_names(&mut hasher);
            hasher.finish()
        };
        let list = Way::Begin.then(Step::Field("list"));
        let of = |index: usize, name: &str| {
            let entry = list.then(Step::Index(index));
            let labels = entry.then(Step::Field("labels"));
            hash(labels.then(Step::Key(name)))
        };
        assert_eq!(of(0, "x"), of(12, "x"));
        assert_ne!(of(0, "1"), of(0, "2"), "a key of digits is no place in a list");
    }
}
