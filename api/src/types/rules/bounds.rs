//! Bounds: what plain JSON schema can say. Some are there for the cost of the rules alone; none is one that a
//! real set comes near.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSON, JSONSchemaProps};
use serde_json::json;

/// Label values, container names, quality names.
const NAME: i64 = 63;

/// A port's name (RFC 6335, as Kubernetes reads it): at most 15 of a-z, 0-9 and single dashes inside, with a
/// letter among them.
const PORT_NAME: &str = "^([0-9]+-)*[0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$";

/// A reserved ordinal as text, or a range of them.
const RESERVED: &str = "^ *[0-9]{1,10} *(- *[0-9]{1,10} *)?$";

/// One more limit of a field.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Range(i32, i32),
    Items(i64),
    Properties(i64),
    Length(i64, i64),
    Pattern(&'static str),
    OneOf(&'static [&'static str]),
}

impl Bound {
    pub(super) fn put_on(self, schema: &mut JSONSchemaProps) {
        match self {
            Self::Range(min, max) => {
                schema.minimum = Some(min.into());
                schema.maximum = Some(max.into());
            }
            Self::Items(max) => schema.max_items = Some(max),
            Self::Properties(max) => schema.max_properties = Some(max),
            Self::Length(min, max) => {
                schema.min_length = (min > 0).then_some(min);
                schema.max_length = Some(max);
            }
            Self::Pattern(pattern) => schema.pattern = Some(pattern.to_owned()),
            Self::OneOf(values) => {
                schema.enum_ = Some(values.iter().map(|value| JSON(json!(value))).collect());
            }
        }
    }
}

/// Those of GameServerSets.
pub(super) fn of_sets() -> Vec<(&'static str, Bound)> {
    use Bound::{Items, Length, OneOf, Pattern, Properties, Range};
    vec![
        ("spec.reserveGameServerIds[]", Range(0, i32::MAX)),
        ("spec.reserveGameServerIds[]", Pattern(RESERVED)),
        ("spec.serviceName", Length(0, NAME)),
        ("spec.serviceQualities[].containerName", Length(0, NAME)),
        ("spec.serviceQualities[].httpGet.port", Range(1, 65_535)),
        ("spec.serviceQualities[].httpGet.port", Pattern(PORT_NAME)),
        ("spec.serviceQualities[].httpGet.port", Length(1, 15)),
        ("spec.serviceQualities[].httpGet.scheme", OneOf(&["HTTP", "HTTPS"])),
        ("spec.serviceQualities[].tcpSocket.port", Range(1, 65_535)),
        ("spec.serviceQualities[].tcpSocket.port", Pattern(PORT_NAME)),
        ("spec.serviceQualities[].tcpSocket.port", Length(1, 15)),
        ("spec.serviceQualities[].grpc.port", Range(1, 65_535)),
        ("spec.serviceQualities[].serviceQualityAction", Items(256)),
        ("spec.serviceQualities[].serviceQualityAction[].labels", Properties(32)),
        ("spec.serviceQualities[].serviceQualityAction[].annotations", Properties(32)),
        ("spec.serviceQualities[].serviceQualityAction[].containers", Items(64)),
        ("spec.serviceQualities[].serviceQualityAction[].containers[].name", Length(1, NAME)),
        ("spec.updateStrategy.rollingUpdate.inPlaceUpdateStrategy.gracePeriodSeconds", Range(0, i32::MAX)),
    ]
}

/// Those of GameServers.
pub(super) fn of_servers() -> Vec<(&'static str, Bound)> {
    vec![("spec.containers", Bound::Items(64)), ("spec.containers[].name", Bound::Length(1, NAME))]
}
