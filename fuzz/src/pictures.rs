//! What must hold for any picture: no panic but of the decoders named here, and no more memory than the limit of
//! decoding says.

use std::panic::{set_hook, take_hook};

use crate::assert_modest;
use crate::image::{
    DecodeOptions, Grey16, MAX_DECODED_BYTES, decode_frames, decode_with, is_grey16,
};

/// What decoders may hold besides pixels: tables, windows, and text and profiles that a file brings.
const BESIDES: usize = 4 << 20;

/// The same for the decoder of TIFF, whose lists are as long as the file says until they are read.
const BESIDES_IN_TIFF: usize = 256 << 20;

/// Decoders of native formats alone may panic at damaged files: [`crate::image`] makes errors of that,
/// which it cannot do in the browser.
const MAY_PANIC: [&str; 3] = ["/tiff-", "/jxl-", "/hayro-"];

/// The fuzzer's own hook would end the program at every panic.
pub fn let_native_decoders_panic() {
    let otherwise = take_hook();
    set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", |place| place.file());
        if !MAY_PANIC.iter().any(|name| file.contains(name)) {
            otherwise(panic);
        }
    }));
}

pub fn check_picture(file: &[u8]) {
    let grey16 = if is_grey16(file) {
        Grey16::Scale
    } else {
        Grey16::Clip
    };
    let besides = match file {
        [b'I', b'I', ..] | [b'M', b'M', ..] => BESIDES_IN_TIFF,
        _ => BESIDES,
    };
    let picture = assert_modest(MAX_DECODED_BYTES as usize + besides, || {
        decode_with(file, &DecodeOptions { grey16 })
    });
    if let Ok(picture) = picture {
        assert!(picture.as_raw().len() as u64 <= MAX_DECODED_BYTES);
    }
}

pub fn check_frames(file: &[u8]) {
    let frames = decode_frames(file, 3, &DecodeOptions::default());
    if let Ok(frames) = frames {
        assert!(frames.len() == 1 || frames.len() == 3);
        assert!(
            frames
                .iter()
                .all(|frame| frame.dimensions() == frames[0].dimensions())
        );
    }
}
