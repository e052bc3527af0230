//! Schema fragments that the derive cannot express: objects whose unknown fields the API server keeps.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A container's or a volume's name.
const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// Longest annotation of a template, for the cost of the rule that reads one. Kubernetes allows 262,144 bytes
/// for all annotations of an object together.
const ANNOTATION: u32 = 131_072;

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

/// The metadata of a pod template: labels and annotations are text, the rest is kept as it is.
pub(super) fn template_metadata(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "description": "Metadata of the pods. Its labels and annotations are also those of a new GameServer.",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "labels": {
                "type": "object",
                "description": "Labels of the pods and of new GameServers.",
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "annotations": {
                "type": "object",
                "description": "Annotations of the pods and of new GameServers.",
                "additionalProperties": {"type": "string", "maxLength": ANNOTATION},
            },
        },
    })
}

/// A pod spec. Only what rules speak of is declared (the names of containers, so that `containerName` can be
/// held against them); the API server judges the rest when the pod is made, with the fields that *it* knows.
pub(super) fn pod_spec(_: &mut SchemaGenerator) -> Schema {
    let name = json_schema!({
        "type": "string",
        "description": "Name of the container, unique in the pod.",
        "maxLength": 63,
        "pattern": DNS_LABEL,
    });
    json_schema!({
        "type": "object",
        "description": "The pod spec of a game server, as in a Pod.",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "containers": {
                "type": "array",
                "description": "The containers, as in a Pod.",
                "nullable": true,
                "maxItems": 64,
                "items": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                    "required": ["name"],
                    "properties": {"name": name},
                },
            },
            "initContainers": {
                "type": "array",
                "description": "The init containers, as in a Pod. One with restartPolicy Always is a sidecar, and \
                                can be probed.",
                "nullable": true,
                "maxItems": 64,
                "items": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                    "required": ["name"],
                    "properties": {
                        "name": name,
                        "restartPolicy": {
                            "type": "string",
                            "description": "Always makes it a sidecar.",
                            "nullable": true,
                            "maxLength": 63,
                        },
                    },
                },
            },
            "restartPolicy": {
                "type": "string",
                "description": "Always, which is the default.",
                "nullable": true,
                "maxLength": 63,
            },
            "activeDeadlineSeconds": {
                "type": "integer",
                "description": "Refused: it would end the game server whoever plays on it.",
                "nullable": true,
            },
        },
    })
}

/// Volume claims. Their names are volumes of the pod; the API server judges the rest when it makes them.
pub(super) fn volume_claims(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
            "required": ["metadata"],
            "properties": {
                "metadata": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                    "required": ["name"],
                    "properties": {
                        "name": {
                            "type": "string",
                            "description": "Name of the claim and of the pod's volume.",
                            "maxLength": 63,
                            "pattern": DNS_LABEL,
                        },
                    },
                },
            },
        },
    })
}
