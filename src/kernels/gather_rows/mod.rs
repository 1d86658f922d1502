//! Rows of a packed table as floats: the embedding lookup.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
