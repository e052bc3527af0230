//! What the API server itself refuses: the CRDs' bounds and CEL rules, written onto the generated schemas.
//!
//! They speak where no webhook does (design, I6), so they hold the mistakes after which a set cannot work.
//! Three things shape every rule:
//!
//! - *Cost.* The API server estimates what a rule costs at worst and refuses a CRD over 10,000,000 a rule. What
//!   a rule walks over therefore has a bound (see [`bounds`]). Text in an int-or-string counts as three
//!   megabytes whatever bound it has: inside lists it gets a pattern instead of a rule.
//! - *Ratcheting.* The API server judges a part of an object only where the part changes, so an object that was
//!   admitted before a rule existed can still be scaled, annotated and finalised. A rule that sits above what it
//!   speaks of (the container's name against the template; all rules at the root) is judged again at every
//!   write; it excuses what was the same and as wrong in the old object.
//! - *Words.* A message names the field, what is there, and what to write instead.

mod bounds;
mod server;
mod set;
mod set_names;
mod template;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};

/// A rule or a bound for a field that the types do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} has no field {path:?} to put a rule on")]
pub struct NoSuchField {
    kind: String,
    path: String,
}

/// A CEL rule on one field.
pub(super) struct Rule {
    /// The field, as `spec.serviceQualities[].exec`; empty: the object.
    path: &'static str,
    /// Below it, the field that the message is about, as `.command`.
    about: Option<&'static str>,
    /// What must hold of `self`.
    holds: String,
    says: Says,
    /// Whether `holds` speaks of `oldSelf`, which is an optional then.
    with_old: bool,
}

/// The words of a refusal.
enum Says {
    /// As they are.
    Text(&'static str),
    /// A CEL expression, for words that name what is there.
    Cel(String),
}

impl Rule {
    fn new(path: &'static str, holds: impl Into<String>, says: Says) -> Self {
        Self { path, about: None, holds: holds.into(), says, with_old: false }
    }

    fn about(self, field: &'static str) -> Self {
        Self { about: Some(field), ..self }
    }

    fn with_old(self) -> Self {
        Self { with_old: true, ..self }
    }

    fn into_validation(self) -> ValidationRule {
        let (message, message_expression) = match self.says {
            Says::Text(text) => (Some(text.to_owned()), None),
            Says::Cel(expression) => (None, Some(expression)),
        };
        ValidationRule {
            rule: self.holds,
            message,
            message_expression,
            field_path: self.about.map(str::to_owned),
            optional_old_self: self.with_old.then_some(true),
            ..ValidationRule::default()
        }
    }
}

/// Writes the bounds and rules of its kind onto a CRD.
///
/// # Errors
/// One of them is for a field that the types do not have.
pub(super) fn add(crd: &mut CustomResourceDefinition) -> Result<(), NoSuchField> {
    let kind = crd.spec.names.kind.clone();
    let (bounds, rules) = match kind.as_str() {
        "GameServerSet" => {
            let rules = [set::rules(), set_names::rules(), template::rules()];
            (bounds::of_sets(), rules.into_iter().flatten().collect())
        }
        "GameServer" => (bounds::of_servers(), server::rules()),
        _ => (Vec::new(), Vec::new()),
    };
    let versions = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for schema in versions.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        for (path, bound) in bounds.clone() {
            bound.put_on(at(schema, path, &kind)?);
        }
    }
    put(crd, rules, &kind)
}

fn put(crd: &mut CustomResourceDefinition, rules: Vec<Rule>, kind: &str) -> Result<(), NoSuchField> {
    let schema = crd.spec.versions.first_mut().and_then(|version| version.schema.as_mut());
    let Some(schema) = schema.and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
        return Ok(());
    };
    for rule in rules {
        let field = at(schema, rule.path, kind)?;
        field.x_kubernetes_validations.get_or_insert_default().push(rule.into_validation());
    }
    Ok(())
}

/// The schema of a field.
fn at<'s>(
    root: &'s mut JSONSchemaProps,
    path: &str,
    kind: &str,
) -> Result<&'s mut JSONSchemaProps, NoSuchField> {
    let mut schema = root;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let none = || NoSuchField { kind: kind.to_owned(), path: path.to_owned() };
        let name = step.trim_end_matches("[]").trim_end_matches("{}");
        schema = schema.properties.as_mut().and_then(|p| p.get_mut(name)).ok_or_else(none)?;
        if step.ends_with("[]") {
            schema = match schema.items.as_mut() {
                Some(JSONSchemaPropsOrArray::Schema(items)) => items,
                _ => return Err(none()),
            };
        } else if step.ends_with("{}") {
            schema = match schema.additional_properties.as_mut() {
                Some(JSONSchemaPropsOrBool::Schema(values)) => values,
                _ => return Err(none()),
            };
        }
    }
    Ok(schema)
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;

    use super::*;
    use crate::types::GameServerSet;

    #[test]
    fn a_rule_for_a_field_that_is_not_there_is_an_error() {
        for path in ["spec.replica", "spec.replicas[]", "spec.serviceQualities[].exec{}"] {
            let rule = Rule::new("", "true", Says::Text("never"));
            let rule = Rule { path, ..rule };
            let error = put(&mut GameServerSet::crd(), vec![rule], "GameServerSet").unwrap_err();
            assert_eq!(error.to_string(), format!("GameServerSet has no field {path:?} to put a rule on"));
        }
    }
}
