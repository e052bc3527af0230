//! Stands in for the CRI backend (branch cri) so that the role can be compiled; goes with its merge.
use std::path::PathBuf;
/// s
pub struct CriSettings {
    /// s
    pub socket: Option<PathBuf>,
    /// s
    pub host: PathBuf,
    /// s
    pub resident: bool,
}
/// e
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct CriError;
/// m
pub struct CriMetrics;
impl CriMetrics {
    /// r
    pub fn register(_: &mut prometheus_client::registry::Registry) -> Self {
        Self
    }
}
/// c
pub struct Cri;
impl Cri {
    /// n
    pub fn new(_: CriSettings, _: CriMetrics) -> Result<Self, CriError> {
        Ok(Self)
    }
}
impl super::Probers {
    /// o
    pub fn on_node(_: Cri) -> Result<Self, rustls::Error> {
        Err(rustls::Error::EncryptError)
    }
}
