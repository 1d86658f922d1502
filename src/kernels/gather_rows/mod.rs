//! Rows of a packed table as floats: the embedding lookup.

pub mod cpu;
pub mod gpu;
