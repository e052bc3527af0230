//! What the rules have to know of the installation.

/// Who makes the pods (design §1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Gamewarden's controller.
    #[default]
    Managed,
    /// OpenKruiseGame's controller, with Kruise.
    External,
}

/// What the rules have to know of the installation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Who makes the pods.
    pub mode: Mode,
    /// Whether nodes have a prober of their own, with which a command in a container costs a tenth.
    pub node_prober: bool,
}
