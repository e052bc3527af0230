//! When which probe starts.
