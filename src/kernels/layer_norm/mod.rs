//! Layer normalisation (Ba et al., arXiv 1607.06450) of rows.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
pub mod naive;
