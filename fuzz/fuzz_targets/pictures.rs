//! A picture of any format that the command line reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use obscura_fuzz::{check_picture, let_native_decoders_panic};

fuzz_target!(init: let_native_decoders_panic(), |file: &[u8]| check_picture(file));
