//! Objects, stores and an API server for the tests of this module.

use std::sync::{Arc, Mutex};

use gamewarden_api::{GameServer, GameServerSet};
use http::{Method, Request, Response};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Client, Resource,
    client::Body,
    runtime::{reflector, reflector::Store, reflector::store::Writer, watcher::Event},
};
use serde_json::{Value, json};

pub(super) const STARTED: &str = "2026-01-01T00:00:00Z";

/// A store and the means to fill it.
pub(super) struct Filled<K: Resource<DynamicType = ()> + Clone + 'static> {
    pub(super) store: Store<K>,
    writer: Writer<K>,
}

impl<K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + 'static> Filled<K> {
    pub(super) fn with(objects: impl IntoIterator<Item = Value>) -> Self {
        let (store, mut writer) = reflector::store();
        writer.apply_watcher_event(&Event::Init);
        for object in objects {
            writer.apply_watcher_event(&Event::InitApply(read(object)));
        }
        writer.apply_watcher_event(&Event::InitDone);
        Self { store, writer }
    }

    pub(super) fn apply(&mut self, object: Value) {
        self.writer.apply_watcher_event(&Event::Apply(read(object)));
    }

    pub(super) fn delete(&mut self, object: Value) {
        self.writer.apply_watcher_event(&Event::Delete(read(object)));
    }
}

fn read<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

/// A set with the qualities of the manual's first walkthrough, probed without delay.
pub(super) fn set(generation: i64, qualities: Value) -> Value {
    json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
        "metadata": {"namespace": "ns", "name": "game", "uid": "set-uid", "generation": generation},
        "spec": {"replicas": 1, "gameServerTemplate": {}, "serviceQualities": qualities},
    })
}

pub(super) fn idle() -> Value {
    json!({
        "name": "idle", "containerName": "main", "permanent": false,
        "exec": {"command": ["bash", "./idle.sh"]},
        "initialDelaySeconds": 1, "periodSeconds": 3, "timeoutSeconds": 1,
        "serviceQualityAction": [
            {"state": true, "opsState": "WaitToBeDeleted"},
            {"state": false, "opsState": "None"},
        ],
    })
}

pub(super) fn pod(container_id: &str, state: Value) -> Value {
    json!({
        "metadata": {
            "namespace": "ns", "name": "game-0", "uid": "pod-uid",
            "ownerReferences": [{
                "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
                "name": "game", "uid": "set-uid", "controller": true,
            }],
        },
        "spec": {"containers": [{"name": "main"}]},
        "status": {"containerStatuses": [{
            "name": "main", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
            "containerID": container_id, "state": state,
        }]},
    })
}

pub(super) fn running() -> Value {
    json!({"running": {"startedAt": STARTED}})
}

pub(super) fn server(version: u64) -> Value {
    json!({
        "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServer",
        "metadata": {
            "namespace": "ns", "name": "game-0", "uid": "server-uid", "resourceVersion": version.to_string(),
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "game-0", "uid": "pod-uid"}],
        },
        "spec": {"opsState": "None"},
    })
}

/// An API server that holds one GameServer, and takes patches of its pod's status.
#[derive(Clone)]
pub(super) struct Server(pub(super) Arc<Mutex<Held>>);

pub(super) struct Held {
    pub(super) object: Option<Value>,
    pub(super) patches: Vec<Value>,
    pub(super) gets: usize,
    pub(super) written: usize,
    /// Answers to the next patches, instead of carrying them out.
    pub(super) refuse: Vec<u16>,
    /// Patches of the pod's status that were taken.
    pub(super) told: Vec<Value>,
    /// How many of them are to be refused first.
    pub(super) tell_fails: usize,
}

impl Server {
    pub(super) fn with(object: Value) -> Self {
        Self(Arc::new(Mutex::new(Held {
            object: Some(object),
            patches: vec![],
            gets: 0,
            written: 0,
            refuse: vec![],
            told: vec![],
            tell_fails: 0,
        })))
    }

    pub(super) fn client(&self) -> Client {
        let held = Arc::clone(&self.0);
        let service = tower::service_fn(move |request: Request<Body>| {
            let held = Arc::clone(&held);
            async move {
                let method = request.method().clone();
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect_bytes().await.unwrap();
                let (code, answer) = match path.as_str() {
                    "/apis/game.kruise.io/v1alpha1/namespaces/ns/gameservers/game-0" => {
                        held.lock().unwrap().answer(&method, &body)
                    }
                    "/api/v1/namespaces/ns/pods/game-0/status" => held.lock().unwrap().tell(&body),
                    other => panic!("{method} {other}"),
                };
                Ok::<_, std::convert::Infallible>(
                    Response::builder()
                        .status(code)
                        .body(Body::from(answer.to_string().into_bytes()))
                        .unwrap(),
                )
            }
        });
        Client::new(service, "default")
    }

    pub(super) fn patches(&self) -> Vec<Value> {
        self.0.lock().unwrap().patches.clone()
    }

    /// How many patches were carried out.
    pub(super) fn written(&self) -> usize {
        self.0.lock().unwrap().written
    }

    pub(super) fn ops_state(&self) -> String {
        let held = self.0.lock().unwrap();
        held.object.as_ref().unwrap()["spec"]["opsState"].as_str().unwrap().to_owned()
    }
}

impl Held {
    fn tell(&mut self, body: &[u8]) -> (u16, Value) {
        if self.tell_fails > 0 {
            self.tell_fails -= 1;
            return (500, failure(500, "Refused"));
        }
        self.told.push(serde_json::from_slice(body).unwrap());
        (200, pod("c://1", running()))
    }

    fn answer(&mut self, method: &Method, body: &[u8]) -> (u16, Value) {
        let Some(object) = &mut self.object else {
            return (404, failure(404, "NotFound"));
        };
        if *method == Method::GET {
            self.gets += 1;
            return (200, object.clone());
        }
        assert_eq!(*method, Method::PATCH);
        let patch: Value = serde_json::from_slice(body).unwrap();
        self.patches.push(patch.clone());
        if let Some(code) = self.refuse.pop() {
            return (code, failure(code, "Refused"));
        }
        let version = &object["metadata"]["resourceVersion"];
        if patch["metadata"]["resourceVersion"] != *version {
            return (409, failure(409, "Conflict"));
        }
        let next = version.as_str().unwrap().parse::<u64>().unwrap() + 1;
        merge(object, &patch);
        self.written += 1;
        object["metadata"]["resourceVersion"] = json!(next.to_string());
        (200, object.clone())
    }
}

fn failure(code: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": reason,
    })
}

fn merge(target: &mut Value, patch: &Value) {
    let (Some(target), Some(patch)) = (target.as_object_mut(), patch.as_object()) else {
        *target = patch.clone();
        return;
    };
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.remove(key)),
            value => merge(target.entry(key).or_insert(Value::Null), value),
        }
    }
}

/// All three stores.
pub(super) struct Stores {
    pub(super) sets: Filled<GameServerSet>,
    pub(super) pods: Filled<Pod>,
    pub(super) servers: Filled<GameServer>,
}
