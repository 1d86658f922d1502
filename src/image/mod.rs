//! Pictures: encoded bytes to upright RGB pixels ([`decode`]), and those to the normalised tensor a
//! model takes ([`Preprocessor`]). Every step gives the very numbers of the reference, which is
//! Pillow under the image processors of transformers: a vision model is only as equal as its input.
//!
//! - `decode`: formats, limits, orientation. `gif`: the first frame of a GIF.
//! - `rgb`: grey, palette, 16-bit and transparent pixels to RGB.
//! - `resize`: Pillow's resampling.
//! - `prepare`: the steps and numbers of a preprocessor_config.json. `config`: reading one.

mod config;
mod decode;
mod gif;
mod prepare;
mod resize;
mod rgb;

pub use ::image::RgbImage;
pub use decode::{MAX_DECODED_BYTES, MAX_SIDE, decode};
pub use prepare::Preprocessor;
pub use resize::{Filter, Window, resize, resize_window};
pub use rgb::{from_rgb, from_rgba};

#[cfg(test)]
mod tests;
