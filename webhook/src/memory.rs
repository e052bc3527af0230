//! Bounds what requests under way may hold, all together: what a body may come to is set aside before
//! a byte of it is read, and whoever finds nothing left is refused at once instead of queueing (the
//! API server has a timeout of its own, and asks again).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The least that is set aside for a body, which bounds the number of requests too.
const LEAST: usize = 128 * 1024;

/// What the values of a JSON text take at most when they are read, in bytes, what stands in them as text aside: each has
/// its own room, and an object, even an empty one, that of eleven fields. Counted without reading it.
pub(crate) fn of_tree(json: &[u8]) -> usize {
    const VALUE: usize = 64;
    const OBJECT: usize = 704;
    let count = |byte: u8| json.iter().filter(|at| **at == byte).count();
    VALUE * (count(b',') + count(b'[')) + OBJECT * count(b'{')
}

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

    /// Sets memory aside for a body of up to `bytes` and the text that is read of it, or says that there is none left.
    pub(crate) fn try_body(&self, bytes: usize) -> Option<Share> {
        self.try_share(bytes.saturating_mul(2).max(LEAST))
    }

    /// Sets memory aside, or says that there is none left.
    pub(crate) fn try_share(&self, bytes: usize) -> Option<Share> {
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).ok()?;
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
        let small: Vec<Share> = (0..8).map(|_| budget.try_body(1).unwrap()).collect();
        assert!(budget.try_body(1).is_none());
        drop(small);
        let _large = budget.try_share(1024 * 1024 - LEAST).unwrap();
        let _small = budget.try_body(0).unwrap();
        assert!(budget.try_share(1).is_none());
    }

    #[test]
    fn a_tree_takes_more_than_its_text() {
        assert_eq!(of_tree(br#"{"a": [1, {}]}"#), 64 * 2 + 704 * 2);
        let set = r#"{"name":"a","value":"bbbbbbbbbbbb"},"#.repeat(10_000);
        assert!(of_tree(set.as_bytes()) < 16 << 20, "a large set of the ordinary kind is within all limits");
    }

    #[test]
    fn more_than_there_is_is_refused() {
        assert!(Budget::new(1024 * 1024).try_body(usize::MAX).is_none());
    }
}
