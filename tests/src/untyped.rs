//! Sets as JSON, with what the types cannot hold.

use anyhow::{Context, Result, bail};
use gamewarden_api::GameServerSet;
use kube::{
    Api, Error,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::{Value, json};

use crate::Namespace;

impl Namespace {
    /// The namespace's sets, untyped.
    #[must_use]
    pub fn untyped_sets(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &ApiResource::erase::<GameServerSet>(&()))
    }
}

/// The smallest set there is, with a merge patch.
#[must_use]
pub fn smallest(patch: Value) -> Value {
    let mut set = json!({
        "apiVersion": "game.kruise.io/v1alpha1",
        "kind": "GameServerSet",
        "metadata": {"name": "game"},
        "spec": {
            "replicas": 0,
            "gameServerTemplate": {"spec": {"containers": [{"name": "main", "image": "none"}]}},
        },
    });
    crate::manifest::merge(&mut set, patch);
    set
}

/// What the API server says to this object, which it does not keep: why it refuses it, if it does.
///
/// # Errors
/// It cannot be asked.
pub async fn refusal(api: &Api<DynamicObject>, object: &Value) -> Result<Option<String>> {
    let object = serde_json::from_value(object.clone())?;
    let asked = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&asked, &object).await {
        Ok(_) => Ok(None),
        Err(error) => why(error).map(Some),
    }
}

/// The API server's words; an error if it is no refusal.
///
/// # Errors
/// It could not be asked.
pub fn why(error: Error) -> Result<String> {
    match error {
        Error::Api(status) if status.code == 422 => Ok(status.message),
        Error::Api(status) => bail!("not refused as invalid, but with {}: {}", status.code, status.message),
        other => Err(other).context("asking the API server"),
    }
}

/// Whether a refusal says `wanted`. Kubernetes 1.33 writes the type of what a rule refuses, or nothing, where
/// later ones write the value (which our own messages repeat), and Go's notation for duplicates.
#[must_use]
pub fn says(said: &str, wanted: &str) -> bool {
    let said = said.replace("map[string]interface {}", "");
    said.contains(wanted) || without_values(&said).contains(&without_values(wanted))
}

/// The text without the JSON between `Invalid value: ` and the next `: `.
fn without_values(text: &str) -> String {
    const MARK: &str = "Invalid value: ";
    let mut pieces = text.split(MARK);
    let mut all = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let mut values = serde_json::Deserializer::from_str(piece).into_iter::<Value>();
        let value = values.next().and_then(Result::ok);
        let rest = piece.get(values.byte_offset()..).and_then(|rest| rest.strip_prefix(": "));
        all += MARK;
        all += rest.filter(|_| value.is_some()).unwrap_or(piece);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn what_is_said_is_the_same_in_every_version() {
        let wanted = r#"spec.a: Invalid value: 0: a 0: write 1 or "20%""#;
        for said in [
            r#"x is invalid: spec.a: Invalid value: 0: a 0: write 1 or "20%""#,
            r#"x is invalid: spec.a: Invalid value: "": a 0: write 1 or "20%""#,
            r#"x is invalid: [spec.b: Invalid value: "q", spec.a: Invalid value: "integer": a 0: write 1 or "20%"]"#,
        ] {
            assert!(says(said, wanted), "{said}");
        }
        for said in [
            r#"spec.b: Invalid value: 0: a 0: write 1 or "20%""#,
            r#"spec.a: Invalid value: 0: a 1: write 1 or "20%""#,
            "",
        ] {
            assert!(!says(said, wanted), "{said}");
        }
        assert!(says(
            r#"[1]: Duplicate value: map[string]interface {}{"name":"a"}"#,
            r#"Duplicate value: {"name":"a"}"#
        ));
        assert!(!says(r#"a: Invalid value: "x""#, r#"a: Invalid value: "y""#));
    }
}
