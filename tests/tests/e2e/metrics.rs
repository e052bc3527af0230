//! What both roles tell a scraper.

use anyhow::{Context, Result};
use gamewarden_tests::{cluster, controller};
use kube::{Client, ResourceExt, api::GetParams, core::Request};

/// Asks a pod through the API server.
async fn get(client: &Client, pod: &str, path: &str) -> Result<String> {
    let proxy = format!("/api/v1/namespaces/{}/pods/{pod}/proxy", controller::NAMESPACE);
    let request = Request::new(proxy).get(path, &GetParams::default())?;
    Ok(client.request_text(request).await?)
}

/// `/metrics` of every pod of a role, through the API server.
async fn scrape(client: &Client, role: &str) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for pod in controller::pods(client, role).await? {
        texts.push(get(client, &format!("{}:8080", pod.name_any()), "metrics").await?);
    }
    Ok(texts)
}

fn has(text: &str, family: &str) -> bool {
    text.lines().any(|line| line.starts_with(&format!("# TYPE {family} ")))
}

#[tokio::test]
async fn both_roles_tell_how_they_are() -> Result<()> {
    let client = cluster::client().await?;
    let controllers = scrape(&client, "controller").await?;
    for text in &controllers {
        for family in ["gamewarden_build", "process_cpu_seconds", "process_resident_memory_bytes"] {
            assert!(has(text, family), "{family} is missing in\n{text}");
        }
    }
    // A replica that waits for the lease has no others.
    for family in [
        "gamewarden_reconcile_duration_seconds",
        "gamewarden_pods_created",
        "gamewarden_probes",
        "gamewarden_probe_lag_seconds",
        "gamewarden_verdict_writes",
    ] {
        assert!(controllers.iter().any(|text| has(text, family)), "{family} is missing in\n{controllers:?}");
    }
    for pod in controller::pods(&client, "webhook").await? {
        // It counts by what it was asked; somebody who has lost their way is enough.
        let stray = get(&client, &format!("https:{}:8443", pod.name_any()), "nowhere").await;
        let refusal = format!("{:#}", stray.err().context("the webhook answers anything")?);
        assert!(refusal.contains("there are /validate and /mutate here"), "{refusal}");
    }
    for text in scrape(&client, "webhook").await? {
        for family in ["gamewarden_build", "process_cpu_seconds", "gamewarden_webhook_requests"] {
            assert!(has(&text, family), "{family} is missing in\n{text}");
        }
    }
    Ok(())
}
