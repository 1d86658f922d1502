//! How large a picture may be.

use crate::{Error, Result};

/// The longest side of a picture, in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// The largest picture in bytes of decoded pixels: a 100-megapixel photo has room, with alpha too. A
/// fuzzer's are small, so that it tries many.
pub const MAX_DECODED_BYTES: u64 = if cfg!(fuzzing) { 4 << 20 } else { 512 << 20 };

/// Refuses a picture of no or too many pixels, naming its size and the limit.
pub(super) fn check_size(width: u32, height: u32, bytes_per_pixel: u32) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::BadImage(format!(
            "the picture is empty: {width}x{height} pixels"
        )));
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(Error::BadImage(format!(
            "the picture is too large: {width}x{height} pixels, at most {MAX_SIDE}x{MAX_SIDE} are allowed"
        )));
    }
    let bytes = u64::from(width) * u64::from(height) * u64::from(bytes_per_pixel);
    if bytes > MAX_DECODED_BYTES {
        return Err(Error::BadImage(format!(
            "the picture is too large: {width}x{height} pixels take {bytes} bytes, \
             at most {MAX_DECODED_BYTES} are allowed"
        )));
    }
    Ok(())
}
