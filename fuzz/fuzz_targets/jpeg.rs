//! A JPEG file: no panic, and no more memory than its pixels account for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obscura_fuzz::{assert_modest, image, with_small_sides};

/// Four colours of 255x255 samples, filled up to units of 32x32 at the worst: as samples, pixels and
/// coefficients. And the tables.
const MODEST: usize = 288 * 288 * 4 * 5 + 300_000;

fuzz_target!(|file: &[u8]| {
    let file = with_small_sides(file);
    if let Ok(picture) = assert_modest(MODEST, || image::decode(&file)) {
        assert!(picture.width() < 256 && picture.height() < 256);
    }
});
