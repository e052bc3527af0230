//! Bounds what requests under way may hold, all together: what a body may come to is set aside before
//! a byte of it is read, and whoever finds nothing left is refused at once instead of queueing (the
//! API server has a timeout of its own, and asks again).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The least that is set aside for a request, which bounds their number too.
const LEAST: usize = 256 * 1024;

/// Memory for bodies, shared by all requests.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    kibibytes: Arc<Semaphore>,
}

/// Memory that is set aside until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { kibibytes: Arc::new(Semaphore::new(bytes / 1024)) }
    }

    /// Sets memory for a body of up to `bytes` aside, or says that there is none left.
    pub(crate) fn try_share(&self, bytes: usize) -> Option<Share> {
        let kibibytes = u32::try_from(bytes.max(LEAST).div_ceil(1024)).ok()?;
        let permit = Arc::clone(&self.kibibytes).try_acquire_many_owned(kibibytes);
        permit.ok().map(|permit| Share { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_back() {
        let budget = Budget::new(1024 * 1024);
        let small: Vec<Share> = (0..4).map(|_| budget.try_share(1).unwrap()).collect();
        assert!(budget.try_share(1).is_none());
        drop(small);
        let _large = budget.try_share(1024 * 1024 - LEAST).unwrap();
        let _small = budget.try_share(0).unwrap();
        assert!(budget.try_share(0).is_none());
    }

    #[test]
    fn more_than_there_is_is_refused() {
        assert!(Budget::new(1024 * 1024).try_share(usize::MAX).is_none());
    }
}
