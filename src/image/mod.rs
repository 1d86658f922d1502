//! Pictures: encoded bytes to upright RGB pixels ([`decode`]), and those to the normalised tensor a
//! model takes ([`Preprocessor`]). Every step gives the very numbers of the reference, which is
//! Pillow under the image processors of transformers: a vision model is only as equal as its input.
//!
//! - `decode`: the way of all formats. `formats`: which one a file is of, and what is said of others.
//! - `library`: what the `image` crate reads. `jpeg`, `png`, `bmp`, `bmp_header`, `bmp_pixels`, `gif`,
//!   `webp`, `tiff`, `pnm`, `ico`: what it would read otherwise than the reference.
//! - `jxl`, `jp2`: JPEG XL and JPEG 2000, by crates of their own.
//! - `limits`: how large a picture may be. `memory`: what decoding takes, and whether there is so much.
//! - `metadata`: where files keep EXIF and XMP. `orientation`: how these turn a picture. `turn`:
//!   turning it.
//! - `animation`: frames of animated pictures.
//! - `collection`: which files of a folder are pictures. `files`: reading them.
//! - `rgb`: grey, palette, 16-bit and transparent pixels to RGB.
//! - `resize`: Pillow's resampling.
//! - `prepare`: the steps and numbers of a preprocessor_config.json. `config`: reading one.

mod animation;
mod bmp;
mod bmp_header;
mod bmp_pixels;
#[cfg(not(target_arch = "wasm32"))]
pub mod collection;
mod config;
mod decode;
#[cfg(not(target_arch = "wasm32"))]
mod files;
mod formats;
mod gif;
#[cfg(feature = "formats")]
mod ico;
#[cfg(feature = "formats")]
mod jp2;
mod jpeg;
#[cfg(feature = "formats")]
mod jxl;
mod library;
mod limits;
mod memory;
mod metadata;
mod orientation;
mod png;
#[cfg(feature = "formats")]
mod pnm;
mod prepare;
mod resize;
mod rgb;
#[cfg(feature = "formats")]
mod tiff;
mod turn;
mod webp;

pub use ::image::RgbImage;
pub use animation::decode_frames;
pub use decode::{DecodeOptions, decode, decode_with, is_grey16};
#[cfg(not(target_arch = "wasm32"))]
pub use files::PictureFiles;
pub use limits::{MAX_DECODED_BYTES, MAX_SIDE};
pub use memory::buffer;
pub use prepare::Preprocessor;
pub use resize::{Filter, Window, resize, resize_window};
pub use rgb::{Grey16, from_rgb, from_rgba};

#[cfg(test)]
mod tests;
