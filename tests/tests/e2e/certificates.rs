//! The webhook's certificates: rotated, deleted and garbled while requests go through the webhook, of which none fails.

use anyhow::{Context, Result, bail, ensure};
use gamewarden_tests::{
    Namespace,
    admissions::Admissions,
    certificates::{CA_SECRET, CONFIGURATION, Certificates, SERVING_SECRET, garbage},
    cluster::nodes_are_ours,
    controller::{another_leads, kill_leader, replace_killed},
    in_namespace, wait,
};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Secret};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

/// Everything is as it should be, and there is one CA that signs.
async fn settled(certificates: &Certificates) -> Result<String> {
    let done = |secret: &Secret| {
        let has = |key: &str| secret.data.as_ref().is_some_and(|data| data.contains_key(key));
        has("ca.crt") && has("ca.key") && !has("next.crt")
    };
    wait::one(&certificates.secrets(), CA_SECRET, "no rotation is under way", done).await?;
    let ca = certificates.text(CA_SECRET, "ca.crt").await?;
    let what = "the serving certificate is the CA's";
    wait::one(&certificates.secrets(), SERVING_SECRET, what, |secret: &Secret| {
        secret.data.as_ref().and_then(|data| data.get("ca.crt")).is_some_and(|found| found.0 == ca.as_bytes())
    })
    .await?;
    let bundle = certificates.published(&ca).await?;
    certificates.served(&bundle).await?;
    Ok(ca)
}

async fn leaf(certificates: &Certificates) -> Result<String> {
    certificates.text(SERVING_SECRET, "tls.crt").await
}

#[tokio::test]
async fn rotating_ca_and_certificate_fails_no_request() -> Result<()> {
    in_namespace("certificates", async |namespace| {
        let certificates = Certificates::new(&namespace.client);
        let (ca, first) = (settled(&certificates).await?, leaf(&certificates).await?);
        let told = certificates.told().await?;
        let admissions = Admissions::begin(namespace).await?;

        certificates.rotate(SERVING_SECRET).await?;
        let second = certificates.another(SERVING_SECRET, "tls.crt", &first).await?;
        ensure!(settled(&certificates).await? == ca, "the CA was another's turn");

        certificates.rotate(CA_SECRET).await?;
        let next = certificates.another(CA_SECRET, "ca.crt", &ca).await?;
        certificates.another(SERVING_SECRET, "tls.crt", &second).await?;
        ensure!(settled(&certificates).await? == next, "another CA than the one that was asked for");
        // The old one is trusted for what it has signed.
        let bundle = certificates.published(&ca).await?;
        ensure!(bundle.contains(next.trim()), "{bundle}");

        admissions.all_granted().await?;
        let serving = "There is another serving certificate, valid until ";
        certificates
            .told_since(&told, &[serving, serving, "Another CA signs serving certificates now: "])
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_leader_that_is_killed_in_the_middle_of_a_rotation_fails_no_request() -> Result<()> {
    if !nodes_are_ours()? {
        return Ok(());
    }
    in_namespace("certificates", async |namespace| {
        let certificates = Certificates::new(&namespace.client);
        let (ca, first) = (settled(&certificates).await?, leaf(&certificates).await?);
        let admissions = Admissions::begin(namespace).await?;
        certificates.rotate(CA_SECRET).await?;
        let staged = |secret: &Secret| secret.data.as_ref().is_some_and(|data| data.contains_key("next.crt"));
        wait::one(&certificates.secrets(), CA_SECRET, "the next CA is staged", staged).await?;
        let killed = kill_leader(&namespace.client).await?;
        another_leads(&namespace.client, &killed).await?;
        certificates.another(CA_SECRET, "ca.crt", &ca).await?;
        certificates.another(SERVING_SECRET, "tls.crt", &first).await?;
        settled(&certificates).await?;
        admissions.all_granted().await?;
        replace_killed(&namespace.client).await
    })
    .await
}

#[tokio::test]
async fn what_people_delete_and_garble_is_healed_and_fails_no_request() -> Result<()> {
    in_namespace("certificates", async |namespace| {
        let certificates = Certificates::new(&namespace.client);
        let (mut ca, mut leaf) = (settled(&certificates).await?, leaf(&certificates).await?);
        let admissions = Admissions::begin(namespace).await?;
        let secrets = certificates.secrets();
        let merge = async |name: &str, patch| {
            secrets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
        };

        // The serving Secret: gone, garbled, and with a key that is not the certificate's.
        secrets.delete(SERVING_SECRET, &DeleteParams::default()).await?;
        leaf = certificates.another(SERVING_SECRET, "tls.crt", &leaf).await?;
        merge(SERVING_SECRET, json!({"stringData": garbage(&["tls.crt", "tls.key", "ca.crt"])})).await?;
        settled(&certificates).await?;
        leaf = certificates.another(SERVING_SECRET, "tls.crt", &leaf).await?;
        let foreign = certificates.text(CA_SECRET, "ca.key").await?;
        merge(SERVING_SECRET, json!({"stringData": {"tls.key": foreign}})).await?;
        leaf = certificates.another(SERVING_SECRET, "tls.crt", &leaf).await?;
        ensure!(settled(&certificates).await? == ca, "the CA was not in need of another");

        // The CA Secret: gone, garbled.
        secrets.delete(CA_SECRET, &DeleteParams::default()).await?;
        ca = certificates.another(CA_SECRET, "ca.crt", &ca).await?;
        leaf = certificates.another(SERVING_SECRET, "tls.crt", &leaf).await?;
        ensure!(settled(&certificates).await? == ca, "another CA");
        merge(CA_SECRET, json!({"stringData": garbage(&["ca.crt", "ca.key"])})).await?;
        leaf = certificates.another(SERVING_SECRET, "tls.crt", &leaf).await?;
        ca = settled(&certificates).await?;

        // Both at once.
        for name in [CA_SECRET, SERVING_SECRET] {
            secrets.delete(name, &DeleteParams::default()).await?;
        }
        certificates.another(SERVING_SECRET, "tls.crt", &leaf).await?;
        ensure!(settled(&certificates).await? != ca, "the CA's key was gone");
        admissions.all_granted().await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_empty_ca_bundle_is_filled_in_again() -> Result<()> {
    in_namespace("certificates", async |namespace| {
        let certificates = Certificates::new(&namespace.client);
        let ca = settled(&certificates).await?;
        let api: Api<MutatingWebhookConfiguration> = certificates.mutating();
        let webhooks = api.get(CONFIGURATION).await?.webhooks.context("webhooks")?;
        let operations = (0..webhooks.len())
            .map(|index| json!({"op": "remove", "path": format!("/webhooks/{index}/clientConfig/caBundle")}));
        let operations = serde_json::Value::Array(operations.collect());
        let patch: Patch<()> = Patch::Json(serde_json::from_value(operations)?);
        let blank = api.patch(CONFIGURATION, &PatchParams::default(), &patch).await?;
        let is_blank = |w: &k8s_openapi::api::admissionregistration::v1::MutatingWebhook| {
            w.client_config.ca_bundle.as_ref().is_none_or(|bundle| bundle.0.is_empty())
        };
        ensure!(blank.webhooks.iter().flatten().all(is_blank), "not blank");
        certificates.published(&ca).await?;
        Ok(())
    })
    .await
}

/// The webhook may read its one Secret, and the controller what it keeps.
#[tokio::test]
async fn nobody_else_reads_the_keys() -> Result<()> {
    in_namespace("certificates", async |namespace: &Namespace| {
        let may = async |verb: &str, secret: &str, account: &str| {
            let line = format!("auth can-i {verb} secret/{secret} -n gamewarden-system --as {account}");
            let output = namespace.try_kubectl(&line, None).await?;
            match output.stdout.trim() {
                "yes" => Ok(true),
                no if no == "no" || no.starts_with("no - ") => Ok(false),
                _ => bail!("{line}: {output:?}"),
            }
        };
        let [webhook, controller] = ["webhook", "controller"]
            .map(|role| format!("system:serviceaccount:gamewarden-system:gamewarden-{role}"));
        for (verb, secret, account) in [
            ("get", SERVING_SECRET, &webhook),
            ("watch", SERVING_SECRET, &webhook),
            ("get", CA_SECRET, &controller),
            ("update", CA_SECRET, &controller),
            ("get", SERVING_SECRET, &controller),
            ("update", SERVING_SECRET, &controller),
        ] {
            ensure!(may(verb, secret, account).await?, "{account} may not {verb} {secret}");
        }
        for (verb, secret, account) in [
            ("get", CA_SECRET, &webhook),
            ("update", SERVING_SECRET, &webhook),
            ("get", "another", &webhook),
            ("get", "another", &controller),
            ("update", "another", &controller),
            ("delete", CA_SECRET, &controller),
        ] {
            ensure!(!may(verb, secret, account).await?, "{account} may {verb} {secret}");
        }
        Ok(())
    })
    .await
}
