//! CLIP and BLIP in a browser tab: the pictures never leave it.
//!
//! One crate for two platforms. Compiled to WebAssembly it runs inside a page (`web.rs` is its
//! interface, `www/obscura.js` what users call); natively it is the `obscura` command line. Both
//! run the very same models over Burn, on the GPU through WebGPU or on the CPU with SIMD.
//!
//! # Example
//!
//! The model that lies in the repository, and a picture that it understands:
//!
//! ```ignore-wasm32
//! use obscura::device::{self, DevicePreference};
//! use obscura::generate::GenerationOptions;
//! use obscura::{image, load, nn::Dtype};
//! use std::path::Path;
//!
//! let placement = device::open(DevicePreference::Cpu)?;
//! let path = Path::new("www/models/pictograms.gguf"); // or a folder in Hugging Face layout
//! let model = load::open(path, placement, Dtype::Auto, |_loaded, _total| {})?;
//!
//! let picture = image::decode(&std::fs::read("www/samples/house-bicycle.webp")?)?;
//! let options = GenerationOptions::default();
//! let caption = pollster::block_on(model.caption(&picture, "", &options, async |_, _| Ok(())))?;
//! assert_eq!(caption.text, "a bicycle on the right and a house on the left");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/caption.rs` is a program that does this with any model and picture.
//!
//! # The way of the data
//!
//! ```text
//! file  -weights-> tensors -load-> Clip | Blip | Coca               (nn::Parameters in between)
//! bytes -image::decode-> RGB8 -image::Preprocessor-> [1, 3, S, S]
//!       -nn::vit-> [1, 1 + (S/P)^2, D]
//!          Clip: class token -> projection -> unit vector
//!          Blip: every patch -> cross-attention keys and values, computed once per image
//!                [DEC] + prompt -bert with cache-> logits -generate-> token ... [SEP]
//!       -tokenizer-> text
//! ```
//!
//! # The modules
//!
//! - [`tasks`]: what users ask for (caption, classify, embed, match, answer), over pictures and
//!   texts. Start reading here.
//! - [`load`]: model files to models; [`weights`]: the bytes of gguf, safetensors and PyTorch files.
//! - [`image`], [`tokenizer`]: the two ends of every task, equal to the reference's.
//! - [`models`]: Clip, Bert, Blip, Coca, over the layers of [`nn`] and the operations of [`kernels`].
//! - [`generate`]: logits to texts.
//! - [`search`]: vectors of a million pictures in a file, and the nearest of them.
//! - `sidecars`: texts in files beside pictures.
//! - [`device`], [`error`]: where to compute, and what can go wrong.
//! - Natively, `hub` downloads models, `train` makes them, from the pictures of `scenes` or one's own,
//!   and `evaluate` measures them by `metrics`.
//!
//! # Invariants
//!
//! - Each model is written once. It knows neither its file format, nor its quantization (that is
//!   [`nn::Linear`]'s alone), nor its platform.
//! - `weights` parses bytes and does no I/O. `kernels` knows no model. Only `web.rs` knows
//!   JavaScript.
//! - A kernel's `naive.rs` defines what it computes; every faster path passes the same tests.
//! - Bytes from outside (image, weights, prompt, a missing GPU) end in an `Err` that names the
//!   offender and what was expected. A shape mistake of our own is an `assert!` with both values.
//! - Nothing is read back from a GPU but what was asked for: a vector, a score, the tokens that were
//!   chosen, or those that one is drawn from.
//!
//! The reference for every number is the `transformers` Python package in eager float32 on the CPU.

#[cfg(not(target_arch = "wasm32"))]
mod at_once;
pub mod device;
pub mod error;
#[cfg(feature = "train")]
pub mod evaluate;
pub mod generate;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub mod hub;
pub mod image;
pub mod kernels;
pub mod load;
#[cfg(feature = "train")]
pub mod metrics;
pub mod models;
pub mod nn;
#[cfg(feature = "train")]
pub mod scenes;
pub mod search;
#[cfg(all(any(feature = "cli", feature = "train"), not(target_arch = "wasm32")))]
pub mod sidecars;
pub mod tasks;
pub mod tokenizer;
#[cfg(feature = "train")]
pub mod train;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;

pub use error::{Error, Result};
