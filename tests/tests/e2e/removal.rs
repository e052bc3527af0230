//! A scale-down does not take the wrong server: the last look, Strict sets, and what is said of those that stay. Players who
//! have just joined: `trials`.

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Context, Result, ensure};
use gamewarden_api::{
    GameServer, GameServerSet,
    removal::{Claim, Phase},
};
use gamewarden_tests::{Gss, Manifest, Namespace, gss::pending, in_namespace, wait};
use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::ResourceExt;
use serde_json::{Value, json};

const IDLE: &str = "WaitToBeDeleted";

/// Two servers whose probes hang when they are told.
fn hangs(script: &str, actions: Value) -> Result<Manifest> {
    let script = format!("while [ -e /tmp/hang ]; do sleep 0.2; done; {script}");
    Ok(Manifest::probed("game", &script, actions)?.quality(json!({"timeoutSeconds": 2})).replicas(2))
}

/// A timeout is an answer, the verdict false: who is idle where *true* says so is not, and the other one goes.
#[tokio::test]
async fn who_hangs_at_the_last_look_is_kept_where_true_means_idle() -> Result<()> {
    in_namespace("hangs", async |namespace| {
        let actions = json!([{"state": true, "opsState": IDLE}, {"state": false, "opsState": "None"}]);
        // So the answer is the look's: the schedule would need a hundred of them.
        let manifest = hangs("true", actions)?.quality(json!({"failureThreshold": 100}));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
        let kept = set.identity(1).await?;
        namespace.exec("game-1", "touch /tmp/hang").await?;
        set.scale(1).await?;
        set.wait_states(&[(1, "None")]).await?;
        assert_eq!(set.identity(1).await?, kept, "game-1 is another pod");
        Ok(())
    })
    .await
}

fn is_silent(server: &GameServer) -> bool {
    Claim::any(server).is_some_and(|claim| claim.phase == Phase::Unanswered)
}

/// Where *false* says that nobody plays, a probe that hangs says nothing: who hangs stays, and the other one goes in its
/// place once it can be asked.
#[tokio::test]
async fn who_hangs_at_the_last_look_is_kept_where_false_means_idle() -> Result<()> {
    in_namespace("hangs-too", async |namespace| {
        let actions = json!([{"state": true, "opsState": "None"}, {"state": false, "opsState": IDLE}]);
        let manifest = hangs("exit 1", actions)?.quality(json!({"failureThreshold": 1}));
        let set = Gss::create(namespace, &manifest).await?;
        set.wait_states(&[(0, IDLE), (1, IDLE)]).await?;
        let before = [set.identity(0).await?, set.identity(1).await?];
        for server in ["game-0", "game-1"] {
            namespace.exec(server, "touch /tmp/hang").await?;
        }
        set.scale(1).await?;
        let mut silent = BTreeSet::new();
        wait::all(&set.servers(), set.members(), "neither has answered", |servers| {
            silent
                .extend(servers.iter().filter(|(_, server)| is_silent(server)).map(|(name, _)| name.clone()));
            silent.len() == 2
        })
        .await?;
        set.wait("it says so", |set| pending(set).is_some_and(|condition| condition["reason"] == "NoAnswer"))
            .await?;
        assert_eq!([set.identity(0).await?, set.identity(1).await?], before, "one was removed");
        namespace.exec("game-0", "rm /tmp/hang").await?;
        set.wait_states(&[(1, IDLE)]).await?;
        assert_eq!(set.identity(1).await?, before[1], "game-1 is another pod");
        Ok(())
    })
    .await
}

/// Policies of somebody's that refuse the controller to delete the pod game-2 and to write the GameServer game-1.
fn policies(namespace: &Namespace) -> Vec<Value> {
    let account = "system:serviceaccount:gamewarden-system:gamewarden-controller";
    let policy = |what: &str, group: &str, version: &str, operation: &str, name: &str| {
        let full = format!("{}-{what}", namespace.name);
        let kind = |kind: &str| json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": full}});
        let (mut policy, mut binding) =
            (kind("ValidatingAdmissionPolicy"), kind("ValidatingAdmissionPolicyBinding"));
        policy["spec"] = json!({
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}},
                "resourceRules": [{
                    "apiGroups": [group], "apiVersions": [version], "operations": [operation], "resources": [what],
                    "resourceNames": [name],
                }],
            },
            "matchConditions": [{"name": "controller", "expression": format!("request.userInfo.username == '{account}'")}],
            "validations": [{"expression": "false", "message": "held by a test"}],
        });
        binding["spec"] = json!({"policyName": full, "validationActions": ["Deny"]});
        [binding, policy]
    };
    let pods = policy("pods", "", "v1", "DELETE", "game-2");
    let servers = policy("gameservers", "game.kruise.io", "v1alpha1", "UPDATE", "game-1");
    pods.into_iter().chain(servers).collect()
}

/// Asks as the controller until the answer is that the policies are in force.
async fn wait_held(namespace: &Namespace) -> Result<()> {
    let began = Instant::now();
    let controller =
        "--as=system:serviceaccount:gamewarden-system:gamewarden-controller --as-group=system:masters";
    for line in ["delete pod game-2", "annotate gs game-1 held=true"] {
        loop {
            let line = format!("{line} --dry-run=server {controller}");
            let output = namespace.try_kubectl(&line, None).await?;
            if output.stderr.contains("held by a test") {
                break;
            }
            ensure!(began.elapsed() < wait::DEADLINE, "{line}: {output:?}");
        }
    }
    Ok(())
}

/// What the API server refuses on one server is told and tried again later; the others go.
#[tokio::test]
async fn what_somebody_elses_policy_refuses_keeps_no_other_server() -> Result<()> {
    in_namespace("refused", async |namespace| {
        let actions = json!([{"state": true, "opsState": IDLE}, {"state": false, "opsState": "None"}]);
        let set = Gss::create(namespace, &Manifest::probed("game", "true", actions)?.replicas(3)).await?;
        set.wait_states(&[(0, IDLE), (1, IDLE), (2, IDLE)]).await?;
        let policies = policies(namespace);
        let text: String = policies.iter().map(|policy| format!("---\n{policy}\n")).collect();
        let done = async {
            namespace.kubectl_with("apply -f -", Some(&text)).await?;
            wait_held(namespace).await?;
            set.scale(2).await?;
            set.wait_states(&[(1, IDLE), (2, IDLE)]).await?;
            set.scale(0).await?;
            let refused = |set: &GameServerSet| {
                let condition = pending(set)?;
                (condition["reason"] == "Refused")
                    .then(|| condition["message"].as_str().unwrap_or_default().to_owned())
            };
            let both =
                |text: &str| ["game-1", "game-2", "held by a test"].iter().all(|word| text.contains(word));
            set.wait("it says who is refused, and why", |set| refused(set).is_some_and(|text| both(&text)))
                .await?;
            set.wait_states(&[(1, IDLE), (2, IDLE)]).await
        };
        let held = done.await;
        // Bindings first: a policy without one refuses nothing.
        for policy in &policies {
            let kind = policy["kind"].as_str().unwrap_or_default();
            let name = policy["metadata"]["name"].as_str().unwrap_or_default();
            namespace.kubectl(&format!("delete {kind} {name} --ignore-not-found")).await?;
        }
        held?;
        set.wait_states(&[]).await?;
        set.wait("nothing is pending", |set| pending(set).is_none()).await?;
        Ok(())
    })
    .await
}

async fn strict(namespace: &Namespace, replicas: u32) -> Result<Gss<'_>> {
    let mut manifest = Manifest::plain("game", replicas)?.value();
    manifest["metadata"]["annotations"] = json!({"gamewarden.dev/protection": "Strict"});
    namespace.kubectl_with("apply -f -", Some(&manifest.to_string())).await?;
    let set = Gss::of(namespace, "game");
    set.wait_ready(&(0..replicas).collect::<Vec<_>>()).await?;
    Ok(set)
}

#[tokio::test]
async fn a_strict_set_shrinks_as_its_servers_become_free() -> Result<()> {
    in_namespace("strict", async |namespace| {
        let set = strict(namespace, 3).await?;
        set.patch_server(2, json!({"opsState": "Allocated"})).await?;
        set.wait_seen(2).await?;
        set.scale(0).await?;
        let waiting = set
            .wait("it says who stays", |set| {
                pending(set).is_some_and(|c| c["status"] == "True")
            })
            .await?;
        let condition = pending(&waiting).context("the condition")?;
        assert_eq!(condition["reason"], "Protected");
        assert_eq!(
            condition["message"],
            "game-1, game-0, game-2: to be removed, and may be in use; they go when their opsState is WaitToBeDeleted or \
             Kill; annotation gamewarden.dev/allow-removal: \"true\" on a GameServer lets it go before that"
        );
        namespace.said_often("GameServerSet", "game", "game-1, game-0, game-2: to be removed, and may be in use; ", 1).await?;
        set.patch_server(1, json!({"opsState": IDLE})).await?;
        set.wait_states(&[(0, "None"), (2, "Allocated")]).await?;
        namespace.kubectl("annotate gs game-2 gamewarden.dev/allow-removal=true").await?;
        set.wait_states(&[(0, "None")]).await?;
        set.patch_server(0, json!({"opsState": IDLE})).await?;
        set.wait_states(&[]).await?;
        set.wait("nothing is pending", |set| pending(set).is_none()).await?;
        let resumed = "no server holds the scale-down back any more; it waited since ";
        namespace.said_often("GameServerSet", "game", resumed, 1).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_strict_set_has_a_budget_over_the_pods_in_use() -> Result<()> {
    in_namespace("budget", async |namespace| {
        let set = strict(namespace, 2).await?;
        let budgets = namespace.api::<PodDisruptionBudget>();
        let covers_both = |budget: &PodDisruptionBudget| {
            budget.status.as_ref().is_some_and(|s| s.current_healthy == 2 && s.disruptions_allowed == 0)
        };
        wait::one(&budgets, "game-protection", "it covers both pods", covers_both).await?;
        set.patch_server(1, json!({"opsState": IDLE})).await?;
        let free = |pod: &Pod| !pod.labels().contains_key("gamewarden.dev/guarded");
        wait::one(&set.pods(), "game-1", "it is guarded no more", free).await?;
        // The idle one may be evicted, the other one may not, with the webhook or without it: it is not asked about the
        // controller. kubectl, as a client of Rust's would try again and again.
        let past =
            "--as=system:serviceaccount:gamewarden-system:gamewarden-controller --as-group=system:masters";
        let evict = async |pod: &str| {
            let name = &namespace.name;
            let path = format!("/api/v1/namespaces/{name}/pods/{pod}/eviction");
            let eviction = json!({
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": name},
            });
            namespace
                .try_kubectl(&format!("create --raw {path} -f - {past}"), Some(&eviction.to_string()))
                .await
        };
        let refused = evict("game-0").await?;
        assert!(
            refused.stderr.contains("Cannot evict pod as it would violate the pod's disruption budget"),
            "{refused:?}"
        );
        let evicted = evict("game-1").await?;
        assert!(evicted.success, "{evicted:?}");

        namespace.kubectl("annotate gss game --overwrite gamewarden.dev/protection=Prefer").await?;
        wait::gone(&budgets, "game-protection").await?;
        Ok(())
    })
    .await
}
