//! The shape of what a template holds: whether the API server could read a pod, and a claim, of it.
//!
//! ```text
//!   schema     the shapes, from the types of this build's Kubernetes API
//!   quantity   what the API server takes for a quantity
//! ```
//!
//! What no type allows is refused. A field that no type has is warned of, and kept: the API server may be newer than
//! this build.

mod quantity;
mod schema;

use serde_json::{Map, Value};

use super::{
    field::{Field, LIST, MAP, TEXT, TRUTH, WHOLE},
    finding::{About, Report},
    near::suggestion,
    way::{Step, Way},
};
use schema::{Kind, Others, Range, Schema};

/// Looks at a whole object of ours, but for the pods' part of a template. What is refused already is not said again.
pub(super) fn check_set(set: &Field<'_, '_>, report: &mut Report) {
    walk(schema::SET, set, report);
}

/// As [`check_set`].
pub(super) fn check_server(server: &Field<'_, '_>, report: &mut Report) {
    walk(schema::SERVER, server, report);
}

/// Looks at a template's metadata and pod spec, and at its volume claims. What is refused already is not said again.
pub(super) fn check(template: &Field<'_, '_>, report: &mut Report) {
    walk(schema::METADATA, &template.get("metadata"), report);
    walk(schema::POD, &template.get("spec"), report);
    for claim in template.get("volumeClaimTemplates").items() {
        walk(schema::CLAIM, &claim, report);
    }
}

/// Looks at the resources of a container.
pub(super) fn check_resources(resources: &Field<'_, '_>, report: &mut Report) {
    walk(schema::RESOURCES, resources, report);
}

fn walk(kind: Kind, field: &Field<'_, '_>, report: &mut Report) {
    Walk { schema: schema::kubernetes(), report }.check(kind, &field.way, field.value);
}

struct Walk<'r> {
    schema: &'static Schema,
    report: &'r mut Report,
}

impl Walk<'_> {
    fn check(&mut self, kind: Kind, at: &Way<'_>, value: &Value) {
        // What is null is not there, as the API server reads it.
        if value.is_null() || self.report.is_full() {
            return;
        }
        match kind {
            Kind::Any => {}
            Kind::Text => self.expect(value.is_string(), TEXT, at, value),
            Kind::Truth => self.expect(value.is_boolean(), TRUTH, at, value),
            Kind::Whole(range) => self.whole(range, at, value),
            Kind::Quantity => {
                let fits = value.is_number() || value.as_str().is_some_and(quantity::is_one);
                self.expect(fits, "a quantity; write one, as 500m, 2 or 1Gi", at, value);
            }
            Kind::WholeOrText => {
                let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
                let fits = value.is_string() || number.is_some();
                self.expect(fits, "a whole number or text; write one of them", at, value);
            }
            Kind::List(of) => match value.as_array() {
                Some(items) => {
                    for (index, item) in items.iter().enumerate() {
                        self.check(self.schema.kind(of), &at.then(Step::Index(index)), item);
                    }
                }
                None => self.expect(false, LIST, at, value),
            },
            Kind::Map(of) => match value.as_object() {
                Some(entries) => {
                    for (key, item) in entries {
                        self.check(self.schema.kind(of), &at.then(Step::Key(key)), item);
                    }
                }
                None => self.expect(false, MAP, at, value),
            },
            Kind::Object(of) => match value.as_object() {
                Some(entries) => self.object(of, at, entries),
                None => self.expect(false, MAP, at, value),
            },
        }
    }

    fn object(&mut self, of: usize, at: &Way<'_>, entries: &Map<String, Value>) {
        let fields = self.schema.fields(of);
        for field in fields.required.iter().filter(|field| entries.get(*field).is_none_or(Value::is_null)) {
            let field = Field { way: at.then(Step::Field(field)), value: &Value::Null };
            if !self.report.is_full() && !self.report.refuses(&field.path()) {
                self.report.refuse(&field, "missing; write it");
            }
        }
        for (name, value) in entries {
            if self.report.is_full() {
                return;
            }
            let at = at.then(Step::Field(name));
            if let Some(kind) = fields.known.get(name) {
                self.check(*kind, &at, value);
            } else if !value.is_null() && fields.others != Others::JudgedElsewhere && !self.report.is_full() {
                let near = suggestion(name, fields.known.keys().map(String::as_str), self.report);
                let field = Field { way: at, value };
                match fields.others {
                    Others::Refused => self.report.refuse(&field, format!("unknown field{near}")),
                    _ => self.report.warn(About::Unknown, &field, format!("unknown field{near}")),
                }
            }
        }
    }

    fn whole(&mut self, range: Range, at: &Way<'_>, value: &Value) {
        let (least, most) = range.ends();
        if value.as_i64().is_some_and(|number| (least..=most).contains(&number)) {
            return;
        }
        if value.is_i64() || value.is_u64() {
            self.expect(false, &format!("from {least} to {most}; write a number that is"), at, value);
        } else {
            self.expect(false, WHOLE, at, value);
        }
    }

    /// Refuses what does not fit, unless it is refused already.
    fn expect(&mut self, fits: bool, wanted: &str, at: &Way<'_>, value: &Value) {
        if fits {
            return;
        }
        let field = Field { way: *at, value };
        if !self.report.refuses(&field.path()) {
            field.expect(false, wanted, self.report);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(template: &Value) -> Vec<String> {
        let mut report = Report::default();
        check(&Field::root(template), &mut report);
        report.into_findings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_pod_can_be_is_not_spoken_of() {
        let template = json!({
            "metadata": {"creationTimestamp": null, "labels": {"a": "b"}, "finalizers": ["a/b"]},
            "spec": {
                "terminationGracePeriodSeconds": 60,
                "nodeSelector": {"a": "b"},
                "containers": [{
                    "name": "game", "image": "i", "stdin": true,
                    "resources": {"limits": {"cpu": 2, "memory": "1Gi"}, "requests": {"cpu": 0.5, "memory": "512Mi"}},
                    "ports": [{"containerPort": 80, "name": "game"}],
                    "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": 1}}}],
                    "livenessProbe": {"httpGet": {"port": "game"}},
                    "startupProbe": {"tcpSocket": {"port": 80}},
                }],
                "volumes": [{"name": "v", "emptyDir": {"sizeLimit": 1_000_000}}],
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "v"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": 1}}},
            }],
            "reclaimPolicy": 7,
        });
        assert_eq!(said(&template), [""; 0]);
        assert_eq!(said(&json!({})), [""; 0]);
    }

    #[test]
    fn what_no_pod_can_be_is_refused_with_its_path() {
        for (template, wanted) in [
            (json!({"spec": 7}), "spec: 7 is not a map of fields; write \"name: value\""),
            (
                json!({"spec": {"containers": [{"env": [{"name": "A", "value": 5}]}]}}),
                "spec.containers[0].env[0].value: 5 is not text; write it in quotes",
            ),
            (
                json!({"spec": {"containers": [{"command": "bash"}]}}),
                "spec.containers[0].command: \"bash\" is not a list; begin each entry with \"- \"",
            ),
            (
                json!({"spec": {"containers": [{}, {"ports": [{"containerPort": "80"}]}]}}),
                "spec.containers[1].ports[0].containerPort: \"80\" is not a whole number; write one, as 5, without quotes",
            ),
            (
                json!({"spec": {"containers": [{"ports": [{"containerPort": 3_000_000_000_u64}]}]}}),
                "spec.containers[0].ports[0].containerPort: 3000000000 is not from -2147483648 to 2147483647; write a number \
                 that is",
            ),
            (
                json!({"spec": {"containers": [{"resources": {"limits": {"memory": "1Gib"}}}]}}),
                "spec.containers[0].resources.limits[memory]: \"1Gib\" is not a quantity; write one, as 500m, 2 or 1Gi",
            ),
            (
                json!({"spec": {"hostNetwork": "true"}}),
                "spec.hostNetwork: \"true\" is not true or false; write one of them, without quotes",
            ),
            (
                json!({"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": 1.5}}}]}}),
                "spec.containers[0].livenessProbe.httpGet.port: 1.5 is not a whole number or text; write one of them",
            ),
            (
                json!({"spec": {"nodeSelector": ["a"]}}),
                "spec.nodeSelector: a list is not a map of fields; write \"name: value\"",
            ),
            (
                json!({"volumeClaimTemplates": [{"spec": {"accessModes": "ReadWriteOnce"}}]}),
                "volumeClaimTemplates[0].spec.accessModes: \"ReadWriteOnce\" is not a list; begin each entry with \"- \"",
            ),
            (
                json!({"spec": {"containers": [{"imagePullPolcy": "Always"}]}}),
                "spec.containers[0].imagePullPolcy: unknown field; did you mean \"imagePullPolicy\"?",
            ),
            (json!({"spec": {"fromTheFuture": {"a": 1}}}), "spec.fromTheFuture: unknown field"),
        ] {
            assert_eq!(said(&template), [wanted], "{template}");
        }
    }

    #[test]
    fn all_of_it_is_said_at_once() {
        let template =
            json!({"spec": {"hostNetwork": 1, "containers": [{"name": 7, "tty": "y"}], "volumes": {}}});
        assert_eq!(said(&template).len(), 4);
    }
}
