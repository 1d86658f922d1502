//! CLIP and BLIP in a browser tab. (map comes later)

pub mod device;
pub mod error;
pub mod image;
pub mod generate;
pub mod kernels;
pub mod load;
pub mod models;
pub mod nn;
pub mod tasks;
pub mod tokenizer;
#[cfg(target_arch = "wasm32")]
mod web;
pub mod weights;

pub use error::{Error, Result};
