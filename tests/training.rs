//! Training against the reference: every loss with the gradient of every parameter, AdamW's steps,
//! the momentum encoders; and what users rely on: losses fall, a resumed run goes on bit for bit.

#![cfg(all(feature = "train", not(target_arch = "wasm32")))]

#[path = "parity/golden.rs"]
#[allow(dead_code)]
mod golden;
#[path = "training/reference.rs"]
mod reference;
#[path = "training/runs.rs"]
mod runs;
