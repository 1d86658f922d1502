//! The weight parsers, taken from the crate as they are, and what must hold for any input: no
//! panic, no memory beyond what the input can account for, no tensor outside of the file.

#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/weights/mod.rs"]
pub mod weights;

mod memory;

pub use error::{Error, Result};
pub use memory::assert_modest;

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
    let Ok((headers, tensors)) = foretold else {
        return;
    };
    let inside = |tensor: &TensorInfo| tensor.offset + tensor.bytes <= file.len() as u64;
    assert!(
        tensors.iter().all(inside),
        "{tensors:?} in {} bytes",
        file.len()
    );
    let agrees = |header: &pytorch::LocalHeader| {
        let read = file.read_at(header.at, pytorch::LocalHeader::LENGTH as usize);
        read.is_ok_and(|bytes| header.agrees(&bytes))
    };
    if let (Ok(table), true) = (table, headers.iter().all(agrees)) {
        assert_eq!(table, tensors);
    }
}
