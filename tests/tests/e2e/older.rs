//! Sets that were admitted before a rule existed: they stay editable, and what is broken in them may not be
//! written anew.
//!
//! The definition under test is a copy in a group of the test's own, first without any schema, then with ours.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use gamewarden_api::types::crds;
use gamewarden_tests::{Namespace, in_namespace, untyped::smallest, untyped::why};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation, JSONSchemaProps,
};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    runtime::{conditions, wait::await_condition},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(30);

/// Our definition of sets, in a group that is named after the namespace.
struct Copy {
    crd: CustomResourceDefinition,
    crds: Api<CustomResourceDefinition>,
    sets: Api<DynamicObject>,
}

impl Copy {
    async fn without_schema(namespace: &Namespace) -> Result<Self> {
        let (_, mut crd) = crds()?.into_iter().last().context("there is a definition of sets")?;
        let group = format!("{}.gamewarden.test", namespace.name);
        crd.metadata.name = Some(format!("gameserversets.{group}"));
        crd.spec.group = group.clone();
        crd.spec.names.short_names = None;
        let mut anything = crd.clone();
        for version in &mut anything.spec.versions {
            version.schema = Some(CustomResourceValidation {
                open_api_v3_schema: Some(JSONSchemaProps {
                    type_: Some("object".to_owned()),
                    x_kubernetes_preserve_unknown_fields: Some(true),
                    ..JSONSchemaProps::default()
                }),
            });
        }
        let crds: Api<CustomResourceDefinition> = Api::all(Client::clone(&namespace.client));
        crds.create(&PostParams::default(), &anything).await?;
        let name = anything.metadata.name.clone().unwrap_or_default();
        let established = await_condition(crds.clone(), &name, conditions::is_crd_established());
        timeout(DEADLINE, established).await.context("the definition is established")??;
        let kind = ApiResource {
            group: group.clone(),
            version: "v1alpha1".to_owned(),
            api_version: format!("{group}/v1alpha1"),
            kind: "GameServerSet".to_owned(),
            plural: "gameserversets".to_owned(),
        };
        let sets = Api::namespaced_with(Client::clone(&namespace.client), &namespace.name, &kind);
        Ok(Self { crd, crds, sets })
    }

    fn object(&self, patch: Value) -> Result<DynamicObject> {
        let mut object = smallest(patch);
        object["apiVersion"] = json!(format!("{}/v1alpha1", self.crd.spec.group));
        Ok(serde_json::from_value(object)?)
    }

    /// Makes a set; the definition may have been established a moment ago, so not at the first try.
    async fn make(&self, patch: Value) -> Result<()> {
        let object = self.object(patch)?;
        let until = Instant::now() + DEADLINE;
        loop {
            match self.sets.create(&PostParams::default(), &object).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 && Instant::now() < until => {
                    sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Puts our schema in force. Nothing that can be watched tells when it is: so something wrong is tried.
    async fn with_schema(&self) -> Result<()> {
        let name = self.crd.metadata.name.as_deref().unwrap_or_default();
        let patch = json!({"spec": {"versions": self.crd.spec.versions}});
        self.crds.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        let wrong = self.object(json!({"metadata": {"name": "a.b"}}))?;
        let asked = PostParams { dry_run: true, ..PostParams::default() };
        let until = Instant::now() + DEADLINE;
        while self.sets.create(&asked, &wrong).await.is_ok() {
            if Instant::now() > until {
                bail!("the schema is not in force");
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn patch(&self, name: &str, patch: &Value) -> kube::Result<DynamicObject> {
        self.sets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
    }

    /// All that must go on working: scaling, annotating, status, finalizers, deletion.
    async fn lives_on(&self, name: &str) -> Result<()> {
        let asked = PatchParams::default();
        for patch in [
            json!({"spec": {"replicas": 3}}),
            json!({"metadata": {"annotations": {"note": "kept"}, "labels": {"tier": "old"}}}),
            json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}),
            json!({"metadata": {"finalizers": ["gamewarden.test/hold"]}}),
        ] {
            self.patch(name, &patch).await.with_context(|| format!("{name}: {patch}"))?;
        }
        let scale = Patch::Merge(json!({"spec": {"replicas": 2}}));
        self.sets.patch_scale(name, &asked, &scale).await.with_context(|| format!("scaling {name}"))?;
        let status = Patch::Merge(json!({"status": {"replicas": 2}}));
        self.sets.patch_status(name, &asked, &status).await.with_context(|| format!("status of {name}"))?;
        self.sets.delete(name, &DeleteParams::default()).await?;
        let free = json!({"metadata": {"finalizers": null}});
        self.patch(name, &free).await.with_context(|| format!("finalizing {name}"))?;
        ensure!(self.sets.get_opt(name).await?.is_none(), "{name} is still there");
        Ok(())
    }
}

fn quality(quality: Value) -> Value {
    json!({"spec": {"serviceQualities": [quality]}})
}

#[tokio::test]
async fn a_set_older_than_the_rules_stays_editable() -> Result<()> {
    in_namespace("older", async |namespace| {
        let copy = Copy::without_schema(namespace).await?;
        let result = older(&copy).await;
        let name = copy.crd.metadata.name.as_deref().unwrap_or_default();
        copy.crds.delete(name, &DeleteParams::background()).await?;
        result
    })
    .await
}

async fn older(copy: &Copy) -> Result<()> {
    let exec = json!({"command": ["true"]});
    let long = "a".repeat(60);
    let broken = [
        ("has.dots", json!({})),
        (long.as_str(), json!({})),
        ("nothing", quality(json!({"name": "idle"}))),
        ("typo", quality(json!({"name": "idle", "containerName": "mian", "exec": exec}))),
        ("bound", json!({"spec": {"scaleStrategy": {"maxUnavailable": 0}}})),
        ("reserved", json!({"spec": {"reserveGameServerIds": ["x"]}})),
        ("once", json!({"spec": {"gameServerTemplate": {"spec": {"restartPolicy": "Never"}}}})),
        ("empty", json!({"spec": {"gameServerTemplate": {"spec": {"containers": []}}}})),
        (
            "foreign",
            json!({"spec": {"gameServerTemplate": {"metadata": {"labels": {"game.kruise.io/owner-gss": "x"}}}}}),
        ),
        (
            "several",
            json!({"spec": {
                "gameServerTemplate": {"spec": {"containers": [{"name": "main"}, {"name": "side"}]}},
                "serviceQualities": [{"name": "idle", "exec": exec}],
            }}),
        ),
    ];
    for (name, patch) in &broken {
        let mut patch = patch.clone();
        patch["metadata"] = json!({"name": name});
        copy.make(patch).await.with_context(|| format!("making {name} without rules"))?;
    }
    copy.with_schema().await?;

    // The broken part itself may only be written as it was, or right; another broken part is refused.
    let added = json!({"spec": {"serviceQualities": [
        {"name": "idle", "containerName": "mian", "exec": exec},
        {"name": "more", "containerName": "mian", "exec": exec},
    ]}});
    let again = json!({"spec": {"serviceQualities": [
        {"name": "idle", "containerName": "mian", "exec": exec, "periodSeconds": 9},
    ]}});
    copy.patch("typo", &again).await.context("another period beside the broken name")?;
    for (name, patch, words) in [
        ("typo", added, "no such container"),
        (
            "typo",
            quality(json!({"name": "idle", "containerName": "mein", "exec": exec})),
            "mein of quality idle",
        ),
        ("nothing", quality(json!({"name": "idle", "periodSeconds": 2})), "quality idle: no probe"),
        ("bound", json!({"spec": {"scaleStrategy": {"maxUnavailable": -1}}}), "maxUnavailable -1"),
        (
            "foreign",
            json!({"spec": {"gameServerTemplate": {"metadata": {"labels": {"game.kruise.io/owner-gss": "y"}}}}}),
            "owner-gss is y",
        ),
    ] {
        let refused = copy.patch(name, &patch).await;
        let said = why(refused.err().with_context(|| format!("admitted: {name} {patch}"))?)?;
        ensure!(said.contains(words), "{name}: wanted {words}\nsaid {said}");
    }
    for (name, _) in &broken {
        copy.lives_on(name).await?;
    }
    taken_away(copy, &exec).await
}

/// What was right is not excused: a container may not be taken away from under a quality.
async fn taken_away(copy: &Copy, exec: &Value) -> Result<()> {
    let template = |template: Value| json!({"spec": {"gameServerTemplate": template}});
    let probes = |name: &str, container: &str| {
        let mut set = quality(json!({"name": "idle", "containerName": container, "exec": exec}));
        set["metadata"] = json!({"name": name});
        set
    };
    let with = |mut set: Value, template: Value| {
        set["spec"]["gameServerTemplate"] = template;
        set
    };
    let pods = json!({"spec": {"initContainers": [{"name": "mesh", "restartPolicy": "Always"}]}});
    let mesh = json!({"metadata": {"annotations": {"gamewarden.dev/injected-containers": "mesh"}}});
    copy.make(probes("plain", "main")).await?;
    copy.make(with(probes("sidecar", "mesh"), pods)).await?;
    copy.make(with(probes("injected", "mesh"), mesh)).await?;
    for (name, patch) in [
        ("plain", template(json!({"spec": {"containers": [{"name": "other"}]}}))),
        ("sidecar", template(json!({"spec": {"initContainers": null}}))),
        ("injected", template(json!({"metadata": null}))),
    ] {
        let refused = copy.patch(name, &patch).await;
        let said = why(refused.err().with_context(|| format!("admitted: {name} {patch}"))?)?;
        ensure!(said.contains("no such container"), "{name}: {said}");
        copy.lives_on(name).await?;
    }
    Ok(())
}
