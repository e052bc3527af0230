//! What both roles tell a scraper.

use anyhow::{Context, Result, bail};
use gamewarden_tests::{Gss, Manifest, cluster, controller, in_namespace};
use kube::{Client, ResourceExt};

/// `/metrics` of every pod of a role, through the API server.
async fn scrape(client: &Client, role: &str) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for pod in controller::pods(client, role).await? {
        texts.push(controller::ask(client, &format!("{}:8080", pod.name_any()), "metrics").await?);
    }
    Ok(texts)
}

fn has(text: &str, family: &str) -> bool {
    text.lines().any(|line| line.starts_with(&format!("# TYPE {family} ")))
}

#[tokio::test]
async fn the_controller_tells_what_it_does() -> Result<()> {
    in_namespace("metrics", async |namespace| {
        // What has never happened is not told: let everything happen once.
        let set = Gss::create(namespace, &Manifest::idle("game", 1)?).await?;
        set.wait_states(&[(0, "WaitToBeDeleted")]).await?;
        let texts = scrape(&namespace.client, "controller").await?;
        for text in &texts {
            for family in ["gamewarden_build", "gamewarden_leader", "process_cpu_seconds"] {
                assert!(has(text, family), "{family} is missing in\n{text}");
            }
        }
        let mut leaders = texts.iter().filter(|text| text.contains("\ngamewarden_leader 1\n"));
        let (leader, None) = (leaders.next().context("nobody leads")?, leaders.next()) else {
            bail!("more than one leads");
        };
        for family in [
            "gamewarden_reconcile_duration_seconds",
            "gamewarden_pods_created",
            "gamewarden_probes",
            "gamewarden_probe_lag_seconds",
            "gamewarden_verdict_writes",
        ] {
            assert!(has(leader, family), "{family} is missing in\n{leader}");
        }
        // What dashboards made for OpenKruiseGame ask for.
        for series in [
            format!(
                r#"okg_gameservers_opsState_count{{opsState="WaitToBeDeleted",gssName="game",namespace="{}"}} 1"#,
                namespace.name
            ),
            format!(
                r#"okg_gameserversets_replicas_count{{gssName="game",gssNs="{}",gsStatus="current"}} 1"#,
                namespace.name
            ),
        ] {
            assert!(leader.lines().any(|line| line == series), "{series} is missing in\n{leader}");
        }
        for text in texts.iter().filter(|text| *text != leader) {
            assert!(!has(text, "okg_gameservers_opsState_count"), "only the leader tells it:\n{text}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_webhook_tells_what_it_was_asked() -> Result<()> {
    let client = cluster::client().await?;
    for pod in controller::pods(&client, "webhook").await? {
        // Somebody who has lost their way is enough.
        let stray = controller::ask(&client, &format!("https:{}:8443", pod.name_any()), "nowhere").await;
        let refusal = format!("{:#}", stray.err().context("the webhook answers anything")?);
        assert!(refusal.contains("there are /validate and /mutate here"), "{refusal}");
    }
    for text in scrape(&client, "webhook").await? {
        for family in [
            "gamewarden_build",
            "process_cpu_seconds",
            "gamewarden_webhook_requests",
            "gamewarden_webhook_cache_age_seconds",
            "gamewarden_webhook_unguarded_requests",
        ] {
            assert!(has(&text, family), "{family} is missing in\n{text}");
        }
    }
    Ok(())
}
