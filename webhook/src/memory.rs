//! Bounds what requests under way may hold, all together: memory is set aside as a body comes, and for what is read of
//! it, and whoever finds nothing left is refused at once instead of queueing (the API server has a timeout of its own).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The least that is set aside for a request, which bounds their number too.
const LEAST: usize = 16 * 1024;

/// The most that the values of one object may take. Of a review there are two of them at once.
pub(crate) const MOST_TREE: usize = 28 * 1024 * 1024;

/// What the text of a body takes: itself, and once more when it is read.
pub(crate) fn of_text(bytes: usize) -> usize {
    bytes.saturating_mul(2)
}

/// What the values of a JSON text take at most when they are read, in bytes, what stands in them as text aside: each has
/// its own room, and an object, even an empty one, that of eleven fields. Counted without reading it.
pub(crate) fn of_tree(json: &[u8]) -> usize {
    const VALUE: usize = 64;
    const OBJECT: usize = 704;
    VALUE * count(json, |byte| byte == b',' || byte == b'[') + OBJECT * count(json, |byte| byte == b'{')
}

/// Bytes that are such: many at a time, as each of so many is counted in a byte.
fn count(text: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    let chunks = text.chunks(u8::MAX.into());
    chunks.map(|chunk| usize::from(chunk.iter().map(|byte| u8::from(is_such(*byte))).sum::<u8>())).sum()
}

/// Memory for requests, shared by all of them.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    kibibytes: Arc<Semaphore>,
}

/// Memory that is set aside until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    permit: OwnedSemaphorePermit,
    /// Set aside and not used yet.
    left: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { kibibytes: Arc::new(Semaphore::new(bytes / 1024)) }
    }

    /// Sets memory for a request aside, or says that there is none left.
    pub(crate) fn try_share(&self, bytes: usize) -> Option<Share> {
        let bytes = bytes.max(LEAST);
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).ok()?;
        let permit = Arc::clone(&self.kibibytes).try_acquire_many_owned(kibibytes).ok()?;
        Some(Share { permit, left: bytes })
    }
}

impl Share {
    /// Uses so much more of it, and sets more aside where that is not enough; `None` where there is none left.
    pub(crate) fn grow_by(&mut self, bytes: usize) -> Option<()> {
        if let Some(left) = self.left.checked_sub(bytes) {
            self.left = left;
            return Some(());
        }
        let kibibytes = (bytes - self.left).div_ceil(1024);
        let more = u32::try_from(kibibytes).ok()?;
        self.permit.merge(Arc::clone(self.permit.semaphore()).try_acquire_many_owned(more).ok()?);
        self.left = self.left + kibibytes * 1024 - bytes;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_and_come_back() {
        let budget = Budget::new(64 * 1024);
        let mut one = budget.try_share(0).unwrap();
        one.grow_by(LEAST).unwrap();
        let more: Vec<Share> = (0..3).map(|_| budget.try_share(1).unwrap()).collect();
        assert!(budget.try_share(0).is_none());
        assert!(one.grow_by(1).is_none());
        drop(more);
        one.grow_by(48 * 1024).unwrap();
        assert!(one.grow_by(1).is_none());
        drop(one);
        assert!(budget.try_share(64 * 1024).is_some());
    }

    #[test]
    fn a_tree_takes_more_than_its_text() {
        assert_eq!(of_tree(br#"{"a": [1, {}]}"#), 64 * 2 + 704 * 2);
        let set = r#"{"name":"a","value":"bbbbbbbbbbbb"},"#.repeat(30_000);
        assert!(of_tree(set.as_bytes()) < MOST_TREE, "a large set of the ordinary kind is within all limits");
    }

    #[test]
    fn more_than_there_is_is_refused() {
        assert!(Budget::new(1024 * 1024).try_share(usize::MAX).is_none());
    }
}
