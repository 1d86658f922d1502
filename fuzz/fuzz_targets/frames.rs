//! Three frames of an animated picture.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obscura_fuzz::{check_frames, let_native_decoders_panic};

fuzz_target!(init: let_native_decoders_panic(), |file: &[u8]| check_frames(file));
