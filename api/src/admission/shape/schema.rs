//! The shapes of the Kubernetes API's types, from the schemas that the types of this build carry, and of ours, from their
//! definitions.

use std::sync::LazyLock;

use foldhash::HashMap;
use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PodTemplateSpec},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::CustomResourceExt;
use schemars::SchemaGenerator;
use serde_json::Value;

use crate::{GameServer, GameServerSet};

/// What may stand in a place. What it holds is looked up in the [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody says.
    Any,
    Text,
    Truth,
    Whole(Range),
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

/// Which whole numbers a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Int32,
    Int64,
}

impl Range {
    /// The least and the greatest.
    pub(super) fn ends(self) -> (i64, i64) {
        match self {
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Int64 => (i64::MIN, i64::MAX),
        }
    }
}

/// The metadata of a template.
pub(super) const METADATA: Kind = Kind::Object(0);
/// A pod's spec.
pub(super) const POD: Kind = Kind::Object(1);
/// A volume claim.
pub(super) const CLAIM: Kind = Kind::Object(2);

/// What a container may use.
pub(super) const RESOURCES: Kind = Kind::Object(3);
/// A GameServerSet, by its definition.
pub(super) const SET: Kind = Kind::Object(4);
/// A GameServer, by its definition.
pub(super) const SERVER: Kind = Kind::Object(5);

const META_TYPE: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const POD_TYPE: &str = "io.k8s.api.core.v1.PodSpec";
const CLAIM_TYPE: &str = "io.k8s.api.core.v1.PersistentVolumeClaim";
const RESOURCES_TYPE: &str = "io.k8s.api.core.v1.ResourceRequirements";
const QUANTITY_TYPE: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/// The fields of an object.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Looked up for each field of each object: a map whose hashes are made quickly.
    pub(super) known: HashMap<String, Kind>,
    /// Those that have to be there.
    pub(super) required: Vec<String>,
    /// What becomes of others.
    pub(super) others: Others,
}

/// What becomes of fields that are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Others {
    /// They are kept, and the API server may know them.
    #[default]
    Kept,
    /// They are kept, and judged elsewhere.
    JudgedElsewhere,
    /// kubectl refuses them, and the API server drops them.
    Refused,
}

/// All shapes.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// What lists and maps hold.
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
        static NONE: LazyLock<Fields> =
            LazyLock::new(|| Fields { others: Others::JudgedElsewhere, ..Fields::default() });
        self.objects.get(number).unwrap_or_else(|| &NONE)
    }

    fn read() -> Self {
        let mut generator = SchemaGenerator::default();
        generator.subschema_for::<PodTemplateSpec>();
        generator.subschema_for::<PersistentVolumeClaim>();
        let definitions = generator.take_definitions(true);
        let mut reading = Reading {
            definitions: &definitions,
            others: Others::Kept,
            schema: Self::default(),
            known: HashMap::default(),
        };
        // In the order of the constants.
        let types = [META_TYPE, POD_TYPE, CLAIM_TYPE, RESOURCES_TYPE];
        types.iter().for_each(|name| {
            reading.object_of(name);
        });
        let [set, server] = ["GameServerSet", "GameServer"].map(|name| reading.object_of(name));
        types.iter().for_each(|name| reading.fill(name));
        // Ours are in the form of the API server.
        reading.others = Others::Refused;
        reading.definition(set, GameServerSet::crd());
        reading.definition(server, GameServer::crd());
        reading.schema
    }
}

struct Reading<'d> {
    definitions: &'d serde_json::Map<String, Value>,
    /// What becomes of unknown fields of what is read now.
    others: Others,
    schema: Schema,
    /// The objects that have a number already: types may hold themselves.
    known: HashMap<String, usize>,
}

impl Reading<'_> {
    fn object_of(&mut self, name: &str) -> usize {
        let number = self.schema.objects.len();
        self.schema.objects.push(Fields::default());
        self.known.insert(name.to_owned(), number);
        number
    }

    fn fill(&mut self, name: &str) {
        let definitions = self.definitions;
        if let (Some(number), Some(schema)) = (self.known.get(name).copied(), definitions.get(name)) {
            self.fill_from(number, schema);
            if let Some(object) = self.schema.objects.get_mut(number) {
                object.required.retain(|field| is_due(name, field));
            }
        }
    }

    fn fill_from(&mut self, number: usize, schema: &Value) {
        let mut known = HashMap::default();
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            known.insert(field.clone(), self.kind(schema));
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let required = required.map(str::to_owned).collect();
        let kept = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let others = if kept { Others::JudgedElsewhere } else { self.others };
        if let Some(object) = self.schema.objects.get_mut(number) {
            *object = Fields { known, required, others };
        }
    }

    /// One of ours, whose metadata the definition leaves to the API server, as it does `apiVersion` and `kind`.
    fn definition(&mut self, number: usize, crd: CustomResourceDefinition) {
        let version = crd.spec.versions.into_iter().next();
        let schema = version.and_then(|version| version.schema?.open_api_v3_schema);
        // A schema has no keys that are not text.
        let mut schema = serde_json::to_value(schema).unwrap_or_default();
        if let Some(properties) = schema["properties"].as_object_mut() {
            // Nobody writes it but the controller.
            properties.insert("status".to_owned(), Value::Null);
        }
        self.fill_from(number, &schema);
        let fields = [("apiVersion", Kind::Text), ("kind", Kind::Text), ("metadata", METADATA)];
        for (field, kind) in fields {
            if let Some(object) = self.schema.objects.get_mut(number) {
                object.known.insert(field.to_owned(), kind);
            }
        }
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
            (Some("integer"), Some("int32")) => Kind::Whole(Range::Int32),
            (Some("integer"), _) => Kind::Whole(Range::Int64),
            (Some("array"), _) => {
                let of = self.kind(&schema["items"]);
                Kind::List(self.number(of))
            }
            (Some("object"), _) if schema["properties"].is_object() => {
                let number = self.schema.objects.len();
                self.schema.objects.push(Fields::default());
                self.fill_from(number, schema);
                Kind::Object(number)
            }
            (Some("object"), _) => {
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

/// Whether the API server misses a field that its types call required. It does not miss names that may be empty, and
/// containers have a rule of their own.
fn is_due(of: &str, field: &str) -> bool {
    const NAMED: [&str; 4] = ["EnvVar", "Volume", "VolumeDevice", "VolumeMount"];
    let of = of.rsplit('.').next().unwrap_or_default();
    match field {
        "containers" | "metadata" | "value" => false,
        "name" => NAMED.contains(&of),
        _ => true,
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
            schema.fields(object).known[name]
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
        assert_eq!(field(item(field(container, "ports")), "hostPort"), Kind::Whole(Range::Int32));
        assert_eq!(item(field(field(CLAIM, "spec"), "accessModes")), Kind::Text);
        // Each of the API's types once, and none of them lost.
        assert!((100..200).contains(&schema.objects.len()), "{}", schema.objects.len());
        assert!(schema.objects.iter().all(|fields| !fields.known.is_empty()));
    }
}
