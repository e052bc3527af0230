//! A pod, its set, its GameServer, a kubelet and a hook controller, as a cluster would hold them: what the tests of
//! updates in place run against.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::*;
use crate::{
    names,
    server::new_pod,
    types::{GameServerContainer, GameServerSet, Lifecycle},
};

/// How long the kubelet of this world takes to end a container.
const KILL: i64 = 5;

/// A pod and all that acts on it.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) set: Value,
    pub(super) pod: Value,
    pub(super) own: Option<Vec<GameServerContainer>>,
    pub(super) rollout: Rollout,
    pub(super) grace: Duration,
    pub(super) now: Timestamp,
    /// The images that the kubelet has last seen the pod ask for, by container in the pod's order.
    seen: Vec<String>,
    runs: u32,
}

/// The id of an image: `same-…` tags all name one image.
pub(super) fn image_id(image: &str) -> String {
    format!("sha256:{}", if image.contains("same") { "same" } else { image })
}

impl World {
    /// A running pod of two containers, `main` and `log`, and a sidecar `mesh`, made from its set's template.
    pub(super) fn new(lifecycle: Value) -> Self {
        let set = json!({
            "apiVersion": "game.kruise.io/v1alpha1", "kind": "GameServerSet",
            "metadata": {"name": "game", "namespace": "default", "uid": "set-uid"},
            "spec": {
                "replicas": 1,
                "lifecycle": lifecycle,
                "gameServerTemplate": {
                    "metadata": {"labels": {"hook": "on", "tier": "1"}},
                    "spec": {
                        "terminationGracePeriodSeconds": KILL,
                        "containers": [{"name": "main", "image": "r.io/main:1"}, {"name": "log", "image": "r.io/log:1"}],
                        "initContainers": [{"name": "mesh", "image": "r.io/mesh:1", "restartPolicy": "Always"}],
                    },
                },
            },
        });
        let mut world = Self {
            set,
            pod: Value::Null,
            own: Some(Vec::new()),
            rollout: Rollout::Go,
            grace: Duration::ZERO,
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            seen: Vec::new(),
            runs: 0,
        };
        world.make();
        world
    }

    pub(super) fn typed_set(&self) -> GameServerSet {
        serde_json::from_value(self.set.clone()).unwrap()
    }

    pub(super) fn typed(&self) -> Pod {
        serde_json::from_value(self.pod.clone()).unwrap()
    }

    pub(super) fn lifecycle(&self) -> Option<Lifecycle> {
        self.typed_set().spec.lifecycle
    }

    /// Makes the pod and starts it.
    pub(super) fn make(&mut self) {
        let template = Template::of(&self.typed_set());
        let own = self.own.clone().unwrap_or_default();
        self.pod = new_pod(&self.typed_set(), 0, &template.revision, &own);
        self.pod["metadata"]["uid"] = json!(format!("uid-{}", self.runs));
        self.pod["metadata"]["resourceVersion"] = json!("1");
        let open = gate_open(self.lifecycle().as_ref(), &self.typed().metadata);
        self.pod["status"] = json!({
            "phase": "Running",
            "conditions": [{"type": names::IN_PLACE_UPDATE_READY, "status": if open { "True" } else { "False" }}],
            "containerStatuses": [],
            "initContainerStatuses": [],
        });
        self.seen = vec![String::new(); 3];
        self.kubelet();
    }

    /// The template's container `name` gets this image.
    pub(super) fn template_image(&mut self, name: &str, image: &str) {
        *image_in(&mut self.set["spec"]["gameServerTemplate"]["spec"], name) = json!(image);
    }

    /// What the pod asks for.
    pub(super) fn image(&self, name: &str) -> String {
        image_in(&mut self.pod["spec"].clone(), name).as_str().unwrap().to_owned()
    }

    /// What runs, by the image's id.
    pub(super) fn runs(&self, name: &str) -> String {
        let status = &self.pod["status"];
        let lists = ["containerStatuses", "initContainerStatuses"];
        let mut all = lists.iter().flat_map(|list| status[list].as_array().unwrap());
        all.find(|s| s["name"] == name).unwrap()["imageID"].as_str().unwrap().to_owned()
    }

    pub(super) fn state(&self) -> &str {
        self.pod["metadata"]["labels"][names::LIFECYCLE_STATE].as_str().unwrap()
    }

    pub(super) fn open(&self) -> bool {
        let conditions = self.pod["status"]["conditions"].as_array().unwrap();
        conditions.iter().any(|c| c["type"] == names::IN_PLACE_UPDATE_READY && c["status"] == "True")
    }

    pub(super) fn annotated(&self, key: &str) -> Option<&str> {
        self.pod["metadata"]["annotations"][key].as_str()
    }

    /// What is to be done next.
    pub(super) fn step(&self) -> Step {
        let set = self.typed_set();
        let template = Template::of(&set);
        let pod = self.typed();
        let fits = template.fits(&pod.metadata).is_ok();
        step(&Input {
            pod: &pod,
            own: self.own.as_deref(),
            template: &template,
            rollout: if fits { self.rollout } else { Rollout::Stay },
            lifecycle: set.spec.lifecycle.as_ref(),
            grace: self.grace,
            now: self.now,
        })
    }

    /// Carries a step out as the API server would; `false` where it refuses.
    pub(super) fn apply(&mut self, write: &Write) -> bool {
        let (Write::Pod(patch) | Write::Status(patch)) = write;
        for key in ["uid", "resourceVersion"] {
            assert!(patch["metadata"][key].is_string(), "a write without {key}: {patch}");
            if patch["metadata"][key] != self.pod["metadata"][key] {
                return false;
            }
        }
        match write {
            Write::Pod(patch) => {
                let mut metadata = patch["metadata"].clone();
                if let Some(Value::Array(finalizers)) = metadata.as_object_mut().unwrap().remove("finalizers")
                {
                    let mut all = self.pod["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
                    all.extend(finalizers.into_iter().filter(|f| !all.contains(f)).collect::<Vec<_>>());
                    self.pod["metadata"]["finalizers"] = json!(all);
                }
                json_patch::merge(&mut self.pod["metadata"], &metadata);
                for list in ["containers", "initContainers"] {
                    for change in patch["spec"][list].as_array().into_iter().flatten() {
                        *image_in(&mut self.pod["spec"], change["name"].as_str().unwrap()) =
                            change["image"].clone();
                    }
                }
            }
            Write::Status(patch) => {
                let conditions = self.pod["status"]["conditions"].as_array_mut().unwrap();
                for change in patch["status"]["conditions"].as_array().unwrap() {
                    conditions.retain(|c| c["type"] != change["type"]);
                    conditions.push(change.clone());
                }
            }
        }
        self.touch();
        true
    }

    /// Somebody else writes on the pod.
    pub(super) fn touch(&mut self) {
        let version: u64 = self.pod["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        self.pod["metadata"]["resourceVersion"] = json!((version + 1).to_string());
    }

    /// A person or a hook controller changes a label.
    pub(super) fn label(&mut self, key: &str, value: &str) {
        self.pod["metadata"]["labels"][key] = json!(value);
        self.touch();
    }

    /// The kubelet looks at the pod and starts what it asks for; an image called `missing` cannot be pulled.
    pub(super) fn kubelet(&mut self) {
        let names =
            [("main", "containerStatuses"), ("log", "containerStatuses"), ("mesh", "initContainerStatuses")];
        for (index, (name, list)) in names.into_iter().enumerate() {
            let image = self.image(name);
            if self.seen[index] == image {
                continue;
            }
            self.seen[index].clone_from(&image);
            let missing = image.contains("missing");
            let statuses = self.pod["status"][list].as_array_mut().unwrap();
            let before = statuses.iter().find(|s| s["name"] == name).cloned();
            statuses.retain(|s| s["name"] != name);
            let mut status =
                json!({"name": name, "ready": false, "restartCount": 0, "image": image, "imageID": ""});
            if missing {
                // The old run has ended; its id stays.
                let before = before.unwrap_or(status);
                status = before;
                status["state"] = json!({"waiting": {"reason": "ImagePullBackOff"}});
            } else {
                self.runs += 1;
                // The runtime knows an image by one of its names only.
                let called = if image.contains("same") { "r.io/main:same-a" } else { &image };
                status["image"] = json!(called);
                status["imageID"] = json!(image_id(&image));
                status["containerID"] = json!(format!("containerd://{}", self.runs));
                status["state"] = json!({"running": {"startedAt": self.now}});
            }
            statuses.push(status);
            self.touch();
        }
    }

    /// A container ends and is started again from what the kubelet has seen last.
    pub(super) fn crash(&mut self) {
        self.runs += 1;
        let id = json!(format!("containerd://{}", self.runs));
        let started = json!(self.now);
        for status in self.pod["status"]["containerStatuses"].as_array_mut().unwrap() {
            if status["name"] == "main" && status["state"]["running"].is_object() {
                status["containerID"] = id.clone();
                status["state"]["running"]["startedAt"] = started.clone();
            }
        }
        self.touch();
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += jiff::SignedDuration::from_secs(seconds);
    }

    /// Plans and carries out, with the kubelet in between, until nothing is left to do. Time passes where it is
    /// waited for.
    pub(super) fn run(&mut self) {
        for _ in 0..60 {
            let step = self.step();
            if let Some(write) = &step.write {
                assert!(self.apply(write));
            } else if let Some(again) = step.again {
                assert!(!again.is_zero(), "again at once");
                self.pass(i64::try_from(again.as_secs()).unwrap() + 1);
            } else {
                let before = self.pod.clone();
                self.kubelet();
                if self.pod == before {
                    return;
                }
            }
        }
        panic!("no end: {self:#?}\n{:?}", self.step());
    }

    /// Carries out so many steps, without the kubelet.
    pub(super) fn steps(&mut self, count: usize) {
        for _ in 0..count {
            let write = self.step().write.expect("a step");
            assert!(self.apply(&write));
        }
    }
}

fn image_in<'a>(spec: &'a mut Value, name: &str) -> &'a mut Value {
    let list = if name == "mesh" { "initContainers" } else { "containers" };
    let containers = spec[list].as_array_mut().unwrap();
    let container = containers.iter_mut().find(|c| c["name"] == name).unwrap();
    &mut container["image"]
}
