//! Schema fragments that the derive cannot express: objects whose unknown fields the API server keeps.

use schemars::{Schema, SchemaGenerator, json_schema};

/// An object of any shape, unknown fields kept.
pub(super) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Resources of a container: as the pod takes them, numbers where a quantity is due included.
pub(super) fn resources(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "description": "Its resources; they take effect when the pod is made again.",
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// A value of any type. OpenKruiseGame's documentation writes `value: true` where its own schema wants text.
pub(super) fn any_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-preserve-unknown-fields": true,
        "description": "Its value: text; a bare true or 5 is taken as it is.",
    })
}

/// A list of objects of any shape.
pub(super) fn any_objects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}})
}

/// The metadata of a pod template: labels and annotations are text, the rest is kept as it is.
pub(super) fn template_metadata(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "description": "Metadata of the pods. Its labels and annotations are also those of a new GameServer.",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    })
}

/// A pod spec. Only the containers' names are declared (so that rules can hold `containerName` against
/// them); the API server judges the rest when the pod is made, with the fields that *it* knows.
pub(super) fn pod_spec(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "description": "The pod spec of a game server, as in a Pod.",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "containers": {
                "type": "array",
                "maxItems": 64,
                "items": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {"name": {"type": "string", "maxLength": 63}},
                },
            },
        },
    })
}
