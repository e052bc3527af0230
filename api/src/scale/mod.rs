//! Which servers there should be, and who goes first.
