//! NodeNormal: whether the pod's node is there and well.

use std::sync::Arc;

use k8s_openapi::{
    api::core::v1::{Node, NodeCondition, NodeSpec, NodeStatus, Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Finding, Found, text::Trouble};

/// The node of the pod is not there. (As OpenKruiseGame's reasons for a volume or a claim that is not.)
const NOT_FOUND: &str = "Node Not Found";

/// Conditions that are well when they are True; all others are when they are False.
const GOOD_WHEN_TRUE: [&str; 2] = ["Ready", "SufficientIP"];

/// What is wrong with the node. A pod that is on none has no condition of it.
pub(super) fn look(pod: &Pod, node: Option<&Found<Arc<Node>>>) -> Finding {
    let mut trouble = Trouble::default();
    match node {
        None => return Finding::Nothing,
        Some(Found::Unknown) => return Finding::Keep,
        Some(Found::Missing) => {
            let name = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
            trouble.add(NOT_FOUND, &format!("There is no node named {name} in cluster"));
        }
        Some(Found::Here(node)) => {
            let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
            for condition in conditions.filter(|condition| !is_well(condition)) {
                let reason = condition.reason.as_deref().unwrap_or_default();
                let message = condition.message.as_deref().unwrap_or_default();
                trouble.add(&format!("{}:{reason}", condition.type_), message);
            }
        }
    }
    Finding::Is(trouble)
}

fn is_well(condition: &NodeCondition) -> bool {
    let good = if GOOD_WHEN_TRUE.contains(&condition.type_.as_str()) { "True" } else { "False" };
    condition.status == good
}

/// Whether what a direct probe (HTTP, TCP, gRPC) of a pod on this node says, says anything about the server:
/// `false` where the node controller has lost the node (Ready is Unknown). A connection that fails there
/// tells of the node or of the way to it, and is no answer (design §3.2).
#[must_use]
pub fn answers(node: &Node) -> bool {
    let mut conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.find(|condition| condition.type_ == "Ready").is_none_or(|ready| ready.status != "Unknown")
}

/// What is worth keeping of a node: its name, its taints and its conditions without their times. What a
/// heartbeat moves is not in it, so two that are equal need no second look.
#[must_use]
pub fn kept(node: Node) -> Node {
    let conditions = node.status.and_then(|status| status.conditions);
    let conditions = conditions.map(|conditions| {
        let timeless =
            |condition| NodeCondition { last_heartbeat_time: None, last_transition_time: None, ..condition };
        conditions.into_iter().map(timeless).collect()
    });
    let spec = node.spec.map(|spec| NodeSpec {
        taints: spec.taints,
        unschedulable: spec.unschedulable,
        ..NodeSpec::default()
    });
    Node {
        metadata: ObjectMeta { name: node.metadata.name, uid: node.metadata.uid, ..ObjectMeta::default() },
        spec,
        status: Some(NodeStatus { conditions, ..NodeStatus::default() }),
    }
}
