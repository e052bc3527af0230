//! What is counted of the commands that the node's runtime runs.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Handles of the metrics. Clones count into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) commands: Family<WayLabels, Counter>,
    pub(super) opened: Family<OpenedLabels, Counter>,
    pub(super) lost: Counter,
    pub(super) sessions: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WayLabels {
    pub(super) way: WayLabel,
}

/// How a command was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WayLabel {
    /// By a shell that stays in the container.
    Resident,
    /// By the runtime, for itself.
    ExecSync,
}

impl EncodeLabelValue for WayLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        match self {
            Self::Resident => "resident",
            Self::ExecSync => "exec_sync",
        }
        .encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OpenedLabels {
    pub(super) result: OpenedLabel,
}

/// What came of opening a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OpenedLabel {
    /// It is open.
    Opened,
    /// The container has no shell.
    NoShell,
    /// The runtime's streams could not be used.
    Failed,
}

impl EncodeLabelValue for OpenedLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        match self {
            Self::Opened => "opened",
            Self::NoShell => "no_shell",
            Self::Failed => "failed",
        }
        .encode(encoder)
    }
}

impl Metrics {
    /// Registers the metrics, all named `gamewarden_node_…`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::unregistered();
        registry.register(
            "gamewarden_node_commands",
            "Exec probes of this node, by who gave the answer: a session that stays, or the runtime, which ran the command for itself",
            metrics.commands.clone(),
        );
        registry.register(
            "gamewarden_node_sessions_opened",
            "Tries to open a session in a container, by what came of them",
            metrics.opened.clone(),
        );
        registry.register(
            "gamewarden_node_sessions_lost",
            "Sessions that ended or went out of step while they ran a command",
            metrics.lost.clone(),
        );
        registry.register("gamewarden_node_sessions", "Sessions that are open", metrics.sessions.clone());
        metrics
    }

    /// Metrics that nobody reads.
    pub(super) fn unregistered() -> Self {
        Self {
            commands: Family::default(),
            opened: Family::default(),
            lost: Counter::default(),
            sessions: Gauge::default(),
        }
    }

    pub(super) fn ran(&self, way: WayLabel) {
        self.commands.get_or_create(&WayLabels { way }).inc();
    }

    pub(super) fn opened(&self, result: OpenedLabel) {
        self.opened.get_or_create(&OpenedLabels { result }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_as_dashboards_read_them() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.ran(WayLabel::Resident);
        metrics.opened(OpenedLabel::NoShell);
        metrics.lost.inc();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "gamewarden_node_commands_total{way=\"resident\"} 1",
            "gamewarden_node_sessions_opened_total{result=\"no_shell\"} 1",
            "gamewarden_node_sessions_lost_total 1",
            "gamewarden_node_sessions 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
