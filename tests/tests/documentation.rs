//! What the documentation shows is true: its YAML is read by the types, its tables are those of the chart.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::{Context, Result, bail};
use gamewarden_api::GameServerSet;
use gamewarden_tests::{
    cluster,
    documentation::{shown, unknown_fields},
};
use k8s_openapi::api::{
    autoscaling::v2::HorizontalPodAutoscaler, core::v1::ConfigMap, core::v1::PersistentVolumeClaim,
    core::v1::PodTemplateSpec,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The fields of `object` that `T` does not know.
fn unknown<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Vec<String>> {
    let read: T = serde_json::from_value(object.clone())?;
    Ok(unknown_fields(object, &serde_json::to_value(read)?))
}

#[test]
fn every_object_that_is_shown_has_only_fields_that_there_are() {
    let mut sets = 0;
    for shown in shown().unwrap() {
        let object = &shown.object;
        let unknown = match object["kind"].as_str() {
            Some("GameServerSet") => {
                sets += 1;
                let mut unknown = unknown::<GameServerSet>(object).context("GameServerSet").unwrap();
                // The set's type keeps the template as it is; the pods' type knows what may be in it.
                let mut template = object["spec"]["gameServerTemplate"].clone();
                let claims = template["volumeClaimTemplates"].take();
                for claim in claims.as_array().into_iter().flatten() {
                    unknown.extend(self::unknown::<PersistentVolumeClaim>(claim).unwrap());
                }
                if let Some(template) = template.as_object_mut() {
                    template.remove("volumeClaimTemplates");
                    template.remove("reclaimPolicy");
                }
                unknown.extend(self::unknown::<PodTemplateSpec>(&template).unwrap());
                unknown
            }
            Some("HorizontalPodAutoscaler") => unknown::<HorizontalPodAutoscaler>(object).unwrap(),
            Some("ConfigMap") => unknown::<ConfigMap>(object).unwrap(),
            // Other people's kinds; what they know is theirs.
            _ => Vec::new(),
        };
        assert!(unknown.is_empty(), "{}: unknown fields {unknown:?}", shown.place);
    }
    assert!(sets > 10, "only {sets} sets were found in the documentation");
}

/// A row of the table of values: path, default and meaning.
type Rows = BTreeMap<String, (String, String)>;

/// The values of the chart, where the schema describes them and values.yaml has a default.
fn rows(schema: &Value, defaults: &Value, path: &str, rows: &mut Rows) -> Result<()> {
    let properties = schema["properties"].as_object().with_context(|| format!("{path}: no properties"))?;
    for (key, property) in properties {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let Some(default) = defaults.get(key) else {
            // Helm's own.
            if path == "global" {
                continue;
            }
            bail!("{path} is in the schema and not in values.yaml");
        };
        if property.get("properties").is_some() {
            self::rows(property, default, &path, rows)?;
            continue;
        }
        let text = property["description"].as_str().with_context(|| format!("{path} has no description"))?;
        rows.insert(path, (serde_json::to_string(default)?, text.to_owned()));
    }
    Ok(())
}

/// Every value that values.yaml has; the schema must have it, too.
fn leaves(schema: &Value, defaults: &Value, path: &str, missing: &mut Vec<String>) {
    let Some(fields) = defaults.as_object() else { return };
    for (key, value) in fields {
        let path = format!("{path}.{key}");
        match schema["properties"].get(key) {
            None => missing.push(path),
            Some(property) if property.get("properties").is_some() => leaves(property, value, &path, missing),
            Some(_) => {}
        }
    }
}

const BEGIN: &str = "<!-- values: begin -->\n";
const END: &str = "<!-- values: end -->\n";

/// `GAMEWARDEN_GENERATE=1` writes the table instead of comparing it.
#[test]
fn the_table_of_values_is_the_charts() -> Result<()> {
    let root = cluster::repository();
    let chart = root.join("charts/gamewarden");
    let schema: Value = serde_json::from_str(&fs::read_to_string(chart.join("values.schema.json"))?)?;
    let defaults: Value = serde_yaml_ng::from_str(&fs::read_to_string(chart.join("values.yaml"))?)?;
    let mut missing = Vec::new();
    leaves(&schema, &defaults, "", &mut missing);
    assert!(missing.is_empty(), "not in values.schema.json: {missing:?}");

    let mut values = Rows::new();
    rows(&schema, &defaults, "", &mut values)?;
    let mut table = String::from("| value | default | |\n|---|---|---|\n");
    for (path, (default, text)) in &values {
        // A bar would end the cell.
        writeln!(table, "| `{path}` | `{default}` | {} |", text.replace('|', "\\|"))?;
    }
    let page = root.join("docs/install.md");
    let text = fs::read_to_string(&page)?;
    let (before, rest) = text.split_once(BEGIN).context("docs/install.md has no place for the table")?;
    let (shown, after) = rest.split_once(END).context("the table has no end")?;
    if std::env::var_os("GAMEWARDEN_GENERATE").is_some() {
        fs::write(&page, format!("{before}{BEGIN}{table}{END}{after}"))?;
        return Ok(());
    }
    assert_eq!(shown, table, "docs/install.md drifted: run `make generate`");
    Ok(())
}

#[test]
fn chart_crates_and_images_have_one_version() -> Result<()> {
    let root = cluster::repository();
    let chart: Value =
        serde_yaml_ng::from_str(&fs::read_to_string(root.join("charts/gamewarden/Chart.yaml"))?)?;
    // Of this crate, and so of the workspace.
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(chart["version"], version, "Chart.yaml's version");
    assert_eq!(chart["appVersion"], version, "Chart.yaml's appVersion");
    let dockerfile = fs::read_to_string(root.join("Dockerfile"))?;
    for program in ["webhook", "reconciler"] {
        let image = format!("ghcr.io/gamewarden/{program}:{version} ");
        assert!(dockerfile.contains(&image), "the Dockerfile makes no {image}");
    }
    let changelog = fs::read_to_string(root.join("CHANGELOG.md"))?;
    assert!(changelog.contains(&format!("\n## {version}")), "CHANGELOG.md has no section {version}");
    // By default images carry the chart's appVersion; tests/images/build takes theirs from Cargo.toml.
    let values: Value =
        serde_yaml_ng::from_str(&fs::read_to_string(root.join("charts/gamewarden/values.yaml"))?)?;
    assert_eq!(values["image"]["tag"], "", "image.tag");
    Ok(())
}

#[test]
fn every_link_between_pages_leads_somewhere() -> Result<()> {
    let root = cluster::repository();
    let mut broken = Vec::new();
    for page in [
        "README.md",
        "docs/install.md",
        "docs/first-quality.md",
        "docs/recipes.md",
        "docs/matchmaking.md",
        "docs/okg-differences.md",
        "docs/probing.md",
        "docs/node-prober.md",
        "docs/resident-probes.md",
        "docs/certificates.md",
        "docs/webhook.md",
        "docs/checking.md",
        "docs/validation.md",
        "docs/troubleshooting.md",
    ] {
        let path = root.join(page);
        let text = fs::read_to_string(&path)?;
        let folder = path.parent().context("a page lies in a folder")?;
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { folder.join(file) };
            let Ok(target) = fs::read_to_string(&target) else {
                broken.push(format!("{page}: {link}"));
                continue;
            };
            if !anchor.is_empty() && !target.lines().any(|line| line.starts_with('#') && slug(line) == anchor)
            {
                broken.push(format!("{page}: {link} (no such heading)"));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
    Ok(())
}

/// A heading's anchor, as GitHub makes it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
