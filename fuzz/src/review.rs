//! The envelope of a request.

use webhook::review::decode;

/// What is wrong with a body is told in less, whatever is in it.
const LONGEST_ERROR: usize = 2048;

/// Any bytes: they are a request that can be answered, or it is said shortly why not.
pub(crate) fn run(body: &[u8]) {
    match decode(body) {
        Ok(request) => {
            assert!(!request.uid.is_empty(), "a request without a uid");
            for object in [request.object, request.old_object].into_iter().flatten() {
                assert!(object.get().len() <= body.len(), "an object that was not sent");
            }
        }
        Err(error) => {
            let error = error.to_string();
            assert!(error.len() <= LONGEST_ERROR, "{} bytes of error", error.len());
        }
    }
}
