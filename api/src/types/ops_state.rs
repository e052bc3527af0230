//! What a server is good for, in the eyes of those who operate it.

use std::{borrow::Cow, convert::Infallible, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The operations state. Free-form, as OpenKruiseGame has it: any text that is not a known state is
/// [`OpsState::Custom`] and ranks with `None` in scale-down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum OpsState {
    /// No opinion: an ordinary server.
    #[default]
    None,
    /// Nobody needs it; scale-down takes it before others.
    WaitToBeDeleted,
    /// Something is wrong with it; scale-down takes it last.
    Maintaining,
    /// In use by a match; scale-down takes it after ordinary ones.
    Allocated,
    /// To be removed at once.
    Kill,
    /// A state of the user's own.
    Custom(String),
}

impl OpsState {
    /// Those that mean something to scale-down.
    pub const KNOWN: [Self; 5] =
        [Self::None, Self::WaitToBeDeleted, Self::Maintaining, Self::Allocated, Self::Kill];

    /// The text as people write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::None => "None",
            Self::WaitToBeDeleted => "WaitToBeDeleted",
            Self::Maintaining => "Maintaining",
            Self::Allocated => "Allocated",
            Self::Kill => "Kill",
            Self::Custom(other) => other,
        }
    }
}

impl From<String> for OpsState {
    /// The empty text is `None`: a GameServer that says nothing has no operations state.
    fn from(text: String) -> Self {
        match text.as_str() {
            "" | "None" => Self::None,
            "WaitToBeDeleted" => Self::WaitToBeDeleted,
            "Maintaining" => Self::Maintaining,
            "Allocated" => Self::Allocated,
            "Kill" => Self::Kill,
            _ => Self::Custom(text),
        }
    }
}

impl From<&str> for OpsState {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl FromStr for OpsState {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text))
    }
}

impl From<OpsState> for String {
    fn from(state: OpsState) -> Self {
        match state {
            OpsState::Custom(other) => other,
            known => known.as_str().to_owned(),
        }
    }
}

impl fmt::Display for OpsState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JsonSchema for OpsState {
    fn schema_name() -> Cow<'static, str> {
        "OpsState".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}
