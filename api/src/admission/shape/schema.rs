//! The shapes of the Kubernetes API's types, from the schemas that the types of this build carry.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PodTemplateSpec};
use schemars::SchemaGenerator;
use serde_json::Value;

/// What may stand in a place. What it holds is looked up in the [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody says.
    Any,
    Text,
    Truth,
    Whole {
        least: i64,
        most: i64,
    },
    /// Text or a number, with more to it.
    Quantity,
    /// `IntOrString`.
    WholeOrText,
    /// Of what, which is a kind's number.
    List(usize),
    /// To what, which is a kind's number; the keys are anybody's.
    Map(usize),
    /// The number of its list of fields.
    Object(usize),
}

/// The metadata of a template.
pub(super) const METADATA: Kind = Kind::Object(0);
/// A pod's spec.
pub(super) const POD: Kind = Kind::Object(1);
/// A volume claim.
pub(super) const CLAIM: Kind = Kind::Object(2);

/// What a container may use.
pub(super) const RESOURCES: Kind = Kind::Object(3);

const META_TYPE: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const POD_TYPE: &str = "io.k8s.api.core.v1.PodSpec";
const CLAIM_TYPE: &str = "io.k8s.api.core.v1.PersistentVolumeClaim";
const RESOURCES_TYPE: &str = "io.k8s.api.core.v1.ResourceRequirements";
const QUANTITY_TYPE: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/// The fields of an object, each with the number of its kind.
type Fields = BTreeMap<String, usize>;

/// All shapes.
#[derive(Debug, Default)]
pub(super) struct Schema {
    kinds: Vec<Kind>,
    objects: Vec<Fields>,
}

/// Those of a pod template and a volume claim, made when the first is asked for.
pub(super) fn kubernetes() -> &'static Schema {
    static KUBERNETES: LazyLock<Schema> = LazyLock::new(Schema::read);
    &KUBERNETES
}

impl Schema {
    /// The kind of a number.
    pub(super) fn kind(&self, number: usize) -> Kind {
        self.kinds.get(number).copied().unwrap_or(Kind::Any)
    }

    /// The fields of an object.
    pub(super) fn fields(&self, number: usize) -> &Fields {
        static NONE: Fields = Fields::new();
        self.objects.get(number).unwrap_or(&NONE)
    }

    fn read() -> Self {
        let mut generator = SchemaGenerator::default();
        generator.subschema_for::<PodTemplateSpec>();
        generator.subschema_for::<PersistentVolumeClaim>();
        let definitions = generator.take_definitions(true);
        let mut reading =
            Reading { definitions: &definitions, schema: Self::default(), known: HashMap::new() };
        // In the order of the constants.
        for name in [META_TYPE, POD_TYPE, CLAIM_TYPE, RESOURCES_TYPE] {
            reading.object_of(name);
        }
        for name in [META_TYPE, POD_TYPE, CLAIM_TYPE, RESOURCES_TYPE] {
            reading.fill(name);
        }
        reading.schema
    }
}

struct Reading<'d> {
    definitions: &'d serde_json::Map<String, Value>,
    schema: Schema,
    /// The objects that have a number already: types may hold themselves.
    known: HashMap<String, usize>,
}

impl Reading<'_> {
    fn object_of(&mut self, name: &str) -> usize {
        let number = self.schema.objects.len();
        self.schema.objects.push(Fields::new());
        self.known.insert(name.to_owned(), number);
        number
    }

    fn fill(&mut self, name: &str) {
        let number = self.known.get(name).copied();
        let properties = self.definitions.get(name).and_then(|schema| schema["properties"].as_object());
        let (Some(number), Some(properties)) = (number, properties) else { return };
        let mut fields = Fields::new();
        for (field, schema) in properties {
            let kind = self.kind(schema);
            fields.insert(field.clone(), self.number(kind));
        }
        self.schema.objects[number] = fields;
    }

    fn number(&mut self, kind: Kind) -> usize {
        let found = self.schema.kinds.iter().position(|known| *known == kind);
        found.unwrap_or_else(|| {
            self.schema.kinds.push(kind);
            self.schema.kinds.len() - 1
        })
    }

    fn kind(&mut self, schema: &Value) -> Kind {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            return self.named(name);
        }
        if schema["x-kubernetes-int-or-string"] == true {
            return Kind::WholeOrText;
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("string"), _) => Kind::Text,
            (Some("boolean"), _) => Kind::Truth,
            (Some("integer"), Some("int32")) => Kind::Whole { least: i32::MIN.into(), most: i32::MAX.into() },
            (Some("integer"), _) => Kind::Whole { least: i64::MIN, most: i64::MAX },
            (Some("array"), _) => {
                let of = self.kind(&schema["items"]);
                Kind::List(self.number(of))
            }
            (Some("object"), _) if schema["additionalProperties"].is_object() => {
                let of = self.kind(&schema["additionalProperties"]);
                Kind::Map(self.number(of))
            }
            _ => Kind::Any,
        }
    }

    fn named(&mut self, name: &str) -> Kind {
        if name == QUANTITY_TYPE {
            return Kind::Quantity;
        }
        let definitions = self.definitions;
        let Some(schema) = definitions.get(name) else { return Kind::Any };
        if !schema["properties"].is_object() {
            return self.kind(schema);
        }
        if let Some(number) = self.known.get(name) {
            return Kind::Object(*number);
        }
        let number = self.object_of(name);
        self.fill(name);
        Kind::Object(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_read() {
        let schema = kubernetes();
        let field = |object: Kind, name: &str| {
            let Kind::Object(object) = object else { panic!("{object:?} has no fields") };
            schema.kind(schema.fields(object)[name])
        };
        let item = |kind: Kind| match kind {
            Kind::List(of) | Kind::Map(of) => schema.kind(of),
            other => panic!("{other:?} holds nothing"),
        };
        assert_eq!(item(field(METADATA, "labels")), Kind::Text);
        let container = item(field(POD, "containers"));
        assert_eq!(field(container, "image"), Kind::Text);
        assert_eq!(field(container, "tty"), Kind::Truth);
        let limits = field(field(container, "resources"), "limits");
        assert_eq!(item(limits), Kind::Quantity);
        assert_eq!(field(field(field(container, "livenessProbe"), "httpGet"), "port"), Kind::WholeOrText);
        let most = i64::from(i32::MAX);
        assert_eq!(
            field(item(field(container, "ports")), "hostPort"),
            Kind::Whole { least: -most - 1, most }
        );
        assert_eq!(item(field(field(CLAIM, "spec"), "accessModes")), Kind::Text);
        // Each of the API's types once, and none of them lost.
        assert!((100..200).contains(&schema.objects.len()), "{}", schema.objects.len());
        assert!(schema.objects.iter().all(|fields| !fields.is_empty()));
    }
}
