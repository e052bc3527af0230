//! AdmissionReviews as an API server sends them.

use serde_json::{Value, json};

/// The body of a request.
pub(crate) struct Body(Vec<u8>);

impl Body {
    /// A new set of the manual's kind, with as many environment variables as make the body so large.
    pub(crate) fn of_size(bytes: usize) -> Self {
        let empty = serde_json::to_vec(&review(0)).unwrap().len();
        let one = serde_json::to_vec(&review(1)).unwrap().len() - empty + 1;
        Self(serde_json::to_vec(&review(bytes.saturating_sub(empty) / one)).unwrap())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }
}

fn review(variables: usize) -> Value {
    let env: Vec<Value> = (0..variables)
        .map(|n| json!({"name": format!("SETTING_{n:05}"), "value": "a value of an ordinary length"}))
        .collect();
    let set = json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
        "metadata": {"name": "minecraft", "namespace": "games", "labels": {"team": "play"}},
        "spec": {
            "replicas": 3,
            "updateStrategy": {"rollingUpdate": {"podUpdatePolicy": "InPlaceIfPossible", "maxUnavailable": "100%"}},
            "gameServerTemplate": {"spec": {"containers": [{
                "name": "minecraft", "image": "example.com/minecraft:1",
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}, "env": env,
            }]}},
            "serviceQualities": [
                {
                    "name": "idle", "containerName": "minecraft", "permanent": false,
                    "exec": {"command": ["bash", "./idle.sh"]},
                    "serviceQualityAction": [
                        {"state": true, "opsState": "WaitToBeDeleted"}, {"state": false, "opsState": "None"},
                    ],
                },
                {
                    "name": "players", "containerName": "minecraft", "httpGet": {"port": 8080, "path": "/players"},
                    "serviceQualityAction": [
                        {"state": true, "labels": {"players": "{{.Result}}"}}, {"state": false, "updatePriority": 0},
                    ],
                },
            ],
        },
    });
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
            "kind": {"group": "game.kruise.io", "version": "v1alpha1", "kind": "GameServerSet"},
            "resource": {"group": "game.kruise.io", "version": "v1alpha1", "resource": "gameserversets"},
            "requestKind": {"group": "game.kruise.io", "version": "v1alpha1", "kind": "GameServerSet"},
            "requestResource": {"group": "game.kruise.io", "version": "v1alpha1", "resource": "gameserversets"},
            "name": "minecraft", "namespace": "games", "operation": "CREATE",
            "userInfo": {"username": "ops@example.com", "groups": ["system:authenticated"]},
            "object": set, "oldObject": null, "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-client-side-apply"},
        },
    })
}
