//! What a direct probe says of a server whose node is lost.
//!
//! Packets to a dead node vanish, so that its servers seem to hang. Once Kubernetes has given the node up (its Ready
//! condition is Unknown), a failure to reach them is no answer of theirs (§3.2). Exec probes need no such rule: they
//! fail on the way to the node, and a command that hangs is looked after there, which tells the two apart.

use gamewarden_api::{quality::Outcome, server::conditions::answers};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::reflector::{ObjectRef, Store};

use super::metrics::KindLabel;

/// The outcome as it is to be heard: a failure of a direct probe is Unknown where the pod's node is lost.
pub(super) fn heard(outcome: Outcome, kind: KindLabel, pod: Option<&Pod>, nodes: &Store<Node>) -> Outcome {
    let direct = match kind {
        KindLabel::Exec => false,
        KindLabel::Http | KindLabel::Tcp | KindLabel::Grpc => true,
    };
    if !direct || !matches!(outcome, Outcome::Failure { .. }) {
        return outcome;
    }
    let name = pod.and_then(|pod| pod.spec.as_ref()).and_then(|spec| spec.node_name.as_deref());
    let lost = name.filter(|name| nodes.get(&ObjectRef::new(name)).is_some_and(|node| !answers(&node)));
    match lost {
        Some(name) => Outcome::Unknown { reason: format!("node {name} is not heard of") },
        None => outcome,
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::{reflector::store, watcher::Event};
    use serde_json::json;

    use super::*;

    fn nodes(ready: &str) -> Store<Node> {
        let node = json!({"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": ready}]}});
        let (nodes, mut writer) = store();
        writer.apply_watcher_event(&Event::Apply(serde_json::from_value::<Node>(node).unwrap()));
        nodes
    }

    #[test]
    fn a_direct_probe_that_fails_on_a_lost_node_is_no_answer() {
        let pod: Pod = serde_json::from_value(
            json!({"metadata": {"name": "p"}, "spec": {"containers": [], "nodeName": "n"}}),
        )
        .unwrap();
        let failure = || Outcome::Failure { result: "timed out after 1s".into() };
        let success = || Outcome::Success { result: String::new() };
        let lost = Outcome::Unknown { reason: "node n is not heard of".into() };
        for (what, outcome, kind, ready, expected) in [
            ("a lost node", failure(), KindLabel::Http, "Unknown", lost.clone()),
            ("a lost node, by TCP", failure(), KindLabel::Tcp, "Unknown", lost),
            ("it answers all the same", success(), KindLabel::Grpc, "Unknown", success()),
            ("exec is told apart by the kubelet", failure(), KindLabel::Exec, "Unknown", failure()),
            ("a node that is there", failure(), KindLabel::Http, "True", failure()),
            ("a node that says it is ill", failure(), KindLabel::Http, "False", failure()),
        ] {
            assert_eq!(heard(outcome, kind, Some(&pod), &nodes(ready)), expected, "{what}");
        }
        assert_eq!(
            heard(failure(), KindLabel::Http, None, &nodes("Unknown")),
            failure(),
            "a pod that is gone"
        );
    }
}
