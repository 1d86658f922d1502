//! Layer normalisation (Ba et al., arXiv 1607.06450) of rows.

pub mod cpu;
pub mod gpu;
pub mod naive;
