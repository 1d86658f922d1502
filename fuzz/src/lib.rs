//! The weight parsers and the decoder of pictures, taken from the crate as they are, and what must hold for any input: no
//! panic, no memory beyond what the input can account for, no tensor outside of the file.

#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/image/mod.rs"]
pub mod image;
#[path = "../../src/weights/mod.rs"]
pub mod weights;

mod memory;
mod pictures;

pub use error::{Error, Result};
pub use memory::assert_modest;
pub use pictures::{check_frames, check_picture, let_native_decoders_panic};

use weights::{Parsed, ReadAt, TensorInfo, blocks, pytorch};

/// Checks a table of tensors against the file it was read from, then reads every tensor.
pub fn check_tensors(file: &[u8], tensors: &[TensorInfo]) {
    let mut names = std::collections::HashSet::new();
    for tensor in tensors {
        let name = &tensor.name;
        assert!(names.insert(name), "{name:?} is there twice");
        let end = tensor.offset.checked_add(tensor.bytes);
        assert!(
            end.is_some_and(|end| end <= file.len() as u64),
            "{tensor:?} reaches out of a file of {} bytes",
            file.len()
        );
        let bytes = tensor.read(file).expect("a tensor in the file is readable");
        assert_eq!(bytes.len() as u64, tensor.bytes, "{tensor:?}");
        let values = blocks::dequantize(tensor.format, &bytes, tensor.elements());
        assert_eq!(values.is_err(), tensor.format.is_integer(), "{tensor:?}");
    }
}

/// Checks that a table read from the whole file is what a beginning of it says, too, however
/// short: the browser parses what has arrived so far.
pub fn check_beginnings<T: PartialEq + std::fmt::Debug>(
    file: &[u8],
    whole: &Result<Parsed<T>>,
    parse: impl Fn(&[u8]) -> Result<Parsed<T>>,
) {
    for eighth in 0..8 {
        let beginning = parse(&file[..file.len() * eighth / 8]);
        match (&beginning, whole) {
            (Ok(Parsed::Complete(table)), Ok(Parsed::Complete(whole))) => assert_eq!(table, whole),
            (Ok(Parsed::Complete(_)), _) => panic!("a beginning is fine, but the whole is not"),
            (Err(error), Ok(_)) => panic!("the whole is fine, but a beginning is not: {error}"),
            (Ok(Parsed::Incomplete), _) | (Err(_), Err(_)) => {}
        }
    }
}

/// Reads a PyTorch file both ways: with the headers of its entries, and with foretold ones, which
/// have to agree where the headers do.
pub fn check_pytorch(file: &[u8]) {
    let modest = 512 * file.len() + 1_000_000;
    let table = assert_modest(modest, || pytorch::table(&file));
    let foretold = assert_modest(modest, || pytorch::foretold_table(&file));
    if let Ok(tensors) = &table {
        check_tensors(file, tensors);
    }
    let Ok(pytorch::Table {
        headers, tensors, ..
    }) = foretold
    else {
        return;
    };
    let inside = |tensor: &TensorInfo| tensor.offset + tensor.bytes <= file.len() as u64;
    assert!(
        tensors.iter().all(inside),
        "{tensors:?} in {} bytes",
        file.len()
    );
    let agrees = |header: &pytorch::LocalHeader| {
        let read = file.read_at(header.at, header.length() as usize);
        read.is_ok_and(|bytes| header.agrees(&bytes))
    };
    if let (Ok(table), true) = (table, headers.iter().all(agrees)) {
        assert_eq!(table, tensors);
    }
}

/// A JPEG file of the same bytes whose sides are below 256 pixels: decoding a large one takes so long
/// that little else would be tried. Whatever looks like a frame header is changed.
pub fn with_small_sides(file: &[u8]) -> Vec<u8> {
    let mut file = [&[0xff, 0xd8, 0xff], file.get(3..).unwrap_or_default()].concat();
    for at in 2..file.len().saturating_sub(8) {
        if file[at] == 0xff && (0xc0..=0xcf).contains(&file[at + 1]) {
            (file[at + 5], file[at + 7]) = (0, 0);
        }
    }
    file
}
