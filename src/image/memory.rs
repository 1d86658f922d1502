//! How much memory a picture takes while it is decoded, known from its header: what a library holds
//! besides the pixels counts, too. And whether there is so much.

use ::image::ColorType;

use super::limits::check_size;
use super::metadata::webp_chunks;
use crate::{Error, Result};

/// Refuses a picture that takes more than the limit, or more than there is. Libraries end the program
/// where an allocation fails, so that it is tried beforehand.
pub(super) fn check(width: u32, height: u32, bytes_per_pixel: u32) -> Result<()> {
    check_size(width, height, bytes_per_pixel)?;
    ask_for(width as usize * height as usize * bytes_per_pixel as usize)
}

/// An error where there is no room for so many bytes.
pub(super) fn ask_for(bytes: usize) -> Result<()> {
    let mut asked: Vec<u8> = Vec::new();
    asked.try_reserve_exact(bytes).map_err(|_| {
        Error::OutOfMemory(format!(
            "there is no memory for the {bytes} bytes that the picture takes"
        ))
    })
}

/// The most bytes for each pixel that come as `colour` and become RGB: narrower ones need a second
/// buffer.
pub(super) fn of_pixels(colour: ColorType) -> u32 {
    let bytes = u32::from(colour.bytes_per_pixel());
    if bytes < 3 { bytes + 3 } else { bytes }
}

/// The most bytes for each pixel that the `image-webp` crate holds, with those of the result: planes
/// of luma and chroma (1.5), a lossless picture with alpha before it is stripped of it (4), an alpha
/// plane as a lossless picture (4) and by itself (1), the canvas of an animation (4).
pub(super) fn of_webp(file: &[u8]) -> u32 {
    let (mut has_alpha, mut lossless, mut alpha_plane) = (false, false, false);
    for (name, data) in webp_chunks(file) {
        let flag = |at: usize, bit: u8| data.get(at).is_some_and(|byte| byte & bit != 0);
        match name {
            b"VP8X" if flag(0, 0x02) => return 4 + 4 + 4 + 6,
            b"VP8X" => has_alpha = flag(0, 0x10),
            b"VP8L" => {
                lossless = true;
                has_alpha |= has_alpha_of_its_own((name, data));
            }
            b"ALPH" => alpha_plane = true,
            _ => {}
        }
    }
    match (lossless, alpha_plane) {
        (true, _) if has_alpha => 4,
        (true, _) => 3 + 4,
        (false, true) => 4 + 2 + 5,
        (false, false) => 4 + 2,
    }
}

/// Whether a chunk of a WebP picture brings transparency.
pub(super) fn has_alpha_of_its_own((name, data): (&[u8; 4], &[u8])) -> bool {
    match name {
        b"ALPH" => true,
        b"VP8L" => data.get(4).is_some_and(|byte| byte & 0x10 != 0),
        _ => false,
    }
}

/// A buffer of zeros, or an error where there is no memory for it. That is found out by asking for the
/// memory first: zeros that come with it cost nothing until they are touched.
pub(super) fn zeroed<T: Clone + Zero>(length: usize) -> Result<Vec<T>> {
    let mut asked: Vec<T> = Vec::new();
    asked.try_reserve_exact(length).map_err(|_| {
        let bytes = length.saturating_mul(size_of::<T>());
        Error::OutOfMemory(format!(
            "there is no memory for {bytes} bytes of the picture"
        ))
    })?;
    drop(asked);
    Ok(vec![T::ZERO; length])
}

/// `zeroed` for bytes that come from elsewhere.
///
/// # Errors
/// [`Error::OutOfMemory`]
pub fn buffer(bytes: usize) -> Result<Vec<u8>> {
    zeroed(bytes)
}

/// What is all zeros in memory.
pub(super) trait Zero {
    const ZERO: Self;
}

impl Zero for u8 {
    const ZERO: u8 = 0;
}

impl Zero for u64 {
    const ZERO: u64 = 0;
}

impl Zero for [i16; 64] {
    const ZERO: [i16; 64] = [0; 64];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        assert_eq!(
            ask_for(isize::MAX as usize).unwrap_err().code(),
            "out_of_memory"
        );
    }

    #[test]
    fn a_buffer_that_memory_has_no_room_for_is_an_error() {
        let error = zeroed::<[i16; 64]>(isize::MAX as usize / 128).unwrap_err();
        assert_eq!(error.code(), "out_of_memory");
    }

    #[test]
    fn what_a_webp_picture_takes_follows_from_its_chunks() {
        let webp = |chunks: &[(&[u8; 4], &[u8])]| {
            let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
            for (name, data) in chunks {
                file.extend_from_slice(*name);
                file.extend_from_slice(&(data.len() as u32).to_le_bytes());
                file.extend_from_slice(data);
                file.resize(file.len().next_multiple_of(2), 0);
            }
            of_webp(&file)
        };
        assert_eq!(webp(&[(b"VP8 ", b"odd")]), 6);
        assert_eq!(webp(&[(b"VP8L", &[0x2f, 0, 0, 0, 0])]), 7);
        assert_eq!(webp(&[(b"VP8L", &[0x2f, 0, 0, 0, 0x10])]), 4);
        assert_eq!(
            webp(&[(b"VP8X", &[0x10; 10]), (b"ALPH", b"a"), (b"VP8 ", b"")]),
            11
        );
        assert_eq!(webp(&[(b"VP8X", &[0x02; 10]), (b"ANMF", b"")]), 18);
        assert_eq!(webp(&[]), 6);
    }
}
