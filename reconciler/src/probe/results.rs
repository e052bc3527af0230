//! The texts of the verdicts that hold, for whoever writes them into the status.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// The result text of each quality of each pod. Clones share one memory. It holds only what pods that are
/// probed now have said: a controller that has just started knows nothing.
#[derive(Clone, Debug, Default)]
pub struct Results {
    pods: Arc<RwLock<HashMap<Arc<str>, Texts>>>,
}

/// The text of each quality.
type Texts = HashMap<Arc<str>, String>;

impl Results {
    /// The text of the quality's verdict on the pod with this uid.
    #[must_use]
    pub fn get(&self, pod_uid: &str, quality: &str) -> Option<String> {
        let pods = self.pods.read().unwrap_or_else(PoisonError::into_inner);
        pods.get(pod_uid)?.get(quality).cloned()
    }

    /// Keeps the text; `true` where it is news.
    pub(super) fn set(&self, pod_uid: &Arc<str>, quality: &Arc<str>, result: &str) -> bool {
        if self.get(pod_uid, quality).as_deref() == Some(result) {
            return false;
        }
        let mut pods = self.pods.write().unwrap_or_else(PoisonError::into_inner);
        pods.entry(Arc::clone(pod_uid)).or_default().insert(Arc::clone(quality), result.to_owned());
        true
    }

    pub(super) fn forget(&self, pod_uid: &str) {
        let mut pods = self.pods.write().unwrap_or_else(PoisonError::into_inner);
        pods.remove(pod_uid);
    }
}
