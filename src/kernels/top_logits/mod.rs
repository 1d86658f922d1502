//! The few numbers of a row of logits that choosing the next token takes, so that the rest of the
//! vocabulary stays where it was computed.

pub mod cpu;
#[cfg(not(target_feature = "atomics"))]
pub mod gpu;
pub mod naive;
