//! What must be admitted: the good neighbours of what is refused, and all that OpenKruiseGame publishes.

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use gamewarden_tests::{
    cluster, in_namespace,
    untyped::{refusal, smallest},
};
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use serde::Deserialize;
use serde_json::{Value, json};

#[tokio::test]
async fn the_good_neighbours_of_what_is_refused() -> Result<()> {
    let quality = |quality: Value| json!({"spec": {"serviceQualities": [quality]}});
    let exec = json!({"command": ["true"]});
    let several = json!({
        "containers": [{"name": "main", "image": "i"}, {"name": "side", "image": "i"}],
        "initContainers": [{"name": "mesh", "image": "i", "restartPolicy": "Always"}],
    });
    let of = |container: &str, annotations: Value| {
        json!({"spec": {
            "serviceQualities": [{"name": "idle", "containerName": container, "exec": exec}],
            "gameServerTemplate": {"spec": several, "metadata": {"annotations": annotations}},
        }})
    };
    let named_port = |name: &str| {
        let ports = json!([{"name": name, "containerPort": 80}]);
        json!({"spec": {
            "serviceQualities": [{"name": "idle", "httpGet": {"port": name, "scheme": "HTTPS", "path": "/idle"}}],
            "gameServerTemplate": {"spec": {"containers": [{"name": "main", "image": "i", "ports": ports}]}},
        }})
    };
    let injected = json!({"gamewarden.dev/injected-containers": "linkerd, istio-proxy,vector"});
    let mut table = vec![
        json!({}),
        json!({"metadata": {"name": "a".repeat(52)}}),
        json!({"metadata": {"name": null, "generateName": "a".repeat(47)}}),
        json!({"metadata": {"name": "2048"}}),
        json!({"spec": {"serviceName": ""}}),
        json!({"spec": {"serviceName": "games"}}),
        json!({"spec": {"gameServerTemplate": {"metadata": {"labels": {"game.kruise.io/owner-gss": "game"}}}}}),
        quality(json!({"name": "idle", "exec": exec})),
        quality(json!({"name": "idle", "containerName": "main", "exec": exec})),
        quality(json!({"name": "Is_it.idle-1", "exec": exec, "periodSeconds": 0, "failureThreshold": 0})),
        quality(json!({"name": "idle", "grpc": {"port": 65535, "service": "game"}})),
        quality(json!({"name": "idle", "tcpSocket": {"port": 1, "host": "127.0.0.1"}})),
        named_port("http"),
        named_port("1-a"),
        quality(json!({"name": "idle", "exec": exec, "serviceQualityAction": [{
            "state": true, "opsState": "{{if eq .Result \"0\"}}WaitToBeDeleted{{else}}In use{{end}}",
            "deletionPriority": "{{.Result}}", "updatePriority": 5, "networkDisabled": false,
            "labels": {"gs-sync/players": "{{.Result}}", "my.game.kruise.io/x": "1"},
            "containers": [{"name": "main", "image": "x", "resources": {"limits": {"cpu": 1}}}],
        }]})),
        of("main", json!({})),
        of("mesh", json!({})),
        of("linkerd", injected.clone()),
        of("istio-proxy", injected.clone()),
        of("vector", injected),
        json!({"spec": {"gameServerTemplate": {"spec": {"restartPolicy": "Always", "activeDeadlineSeconds": null}}}}),
        json!({"spec": {"gameServerTemplate": {"spec": {"fieldOfTomorrow": {"a": [1]}}}}}),
        json!({"spec": {"gameServerTemplate": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}}),
        json!({"spec": {"reserveGameServerIds": [0, "1", "5-7", " 8 - 9 ", 2_147_483_647]}}),
        // ReserveIds adds one for each server that was removed.
        json!({"spec": {"reserveGameServerIds": (0..20_000).collect::<Vec<i32>>()}}),
        json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {
            "partition": 0, "minReadySeconds": 300, "inPlaceUpdateStrategy": {"gracePeriodSeconds": 0},
        }}}}),
    ];
    for bound in [json!(1), json!(1000), json!("1%"), json!("100%")] {
        table.push(json!({"spec": {"scaleStrategy": {"maxUnavailable": bound}}}));
        table.push(json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": bound}}}}));
    }
    in_namespace("neighbours", async |namespace| {
        let api = namespace.untyped_sets();
        let mut wrong = Vec::new();
        for patch in table {
            if let Some(said) = refusal(&api, &smallest(patch.clone())).await? {
                wrong.push(format!("{patch:.300}\n  {said}"));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
    .await
}

/// Where a copy of OpenKruiseGame's published sets is, if there is one: it is no part of the repository.
fn published() -> Option<PathBuf> {
    let named = env::var_os("GAMEWARDEN_OKG_MANIFESTS").filter(|path| !path.is_empty()).map(PathBuf::from);
    let beside = cluster::repository().join("../shared/okg-manifests");
    named.or_else(|| beside.is_dir().then_some(beside))
}

#[tokio::test]
async fn every_set_that_openkruisegame_publishes() -> Result<()> {
    let Some(folder) = published() else {
        eprintln!("skipped: GAMEWARDEN_OKG_MANIFESTS does not name a folder of OpenKruiseGame's sets");
        return Ok(());
    };
    in_namespace("published", async |namespace| {
        let api = namespace.untyped_sets();
        // As `kubectl apply --server-side` asks: a field that would be dropped is an error.
        let asked = PatchParams {
            dry_run: true,
            force: true,
            field_manager: Some("gamewarden-e2e".to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let (mut admitted, mut wrong) = (0, Vec::new());
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.starts_with("whole-") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            for document in serde_yaml_ng::Deserializer::from_str(&text) {
                let mut set = Value::deserialize(document).with_context(|| name.clone())?;
                // Two of them are printed without the line above `kind`.
                set["apiVersion"] = json!("game.kruise.io/v1alpha1");
                set["metadata"]["namespace"] = json!(namespace.name);
                let object: DynamicObject = serde_json::from_value(set)?;
                let of = object.metadata.name.clone().unwrap_or_default();
                match api.patch(&of, &asked, &Patch::Apply(&object)).await {
                    Ok(_) => admitted += 1,
                    Err(error) => wrong.push(format!("{name}: {error}")),
                }
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        ensure!(admitted > 0, "no whole-*.yaml in {}", folder.display());
        eprintln!("{admitted} sets of {} admitted", folder.display());
        Ok(())
    })
    .await
}
