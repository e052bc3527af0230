//! A probe's outcome → verdict → action → opsState.
