//! `.npy` files as NumPy writes them.

use crate::Error;
use crate::search::npy::{Header, header};

/// What `numpy.save` of NumPy 2 writes for an array of that type and shape, up to the numbers.
fn numpy(descr: &str, order: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat()
}

#[test]
fn what_is_written_is_what_numpy_writes() {
    assert_eq!(header(3, 512), numpy("<f4", "False", "(3, 512)"));
    assert_eq!(header(1_000_000, 512).len(), 128);
    let read = Header::parse(&header(1_000_000, 512)).unwrap();
    assert_eq!(
        (read.rows, read.width, read.offset, read.row_bytes()),
        (1_000_000, 512, 128, 2048)
    );
}

#[test]
fn halves_singles_and_doubles_are_read() {
    let values = [1.5_f32, -2.0, 0.25, 3.0];
    let halves = values
        .iter()
        .flat_map(|value| half::f16::from_f32(*value).to_le_bytes());
    let doubles = values
        .iter()
        .flat_map(|value| f64::from(*value).to_le_bytes());
    let singles = values.iter().flat_map(|value| value.to_le_bytes());
    let cases: [(&str, Vec<u8>); 3] = [
        ("<f2", halves.collect()),
        ("<f4", singles.collect()),
        ("<f8", doubles.collect()),
    ];
    for (descr, bytes) in cases {
        let header = Header::parse(&numpy(descr, "False", "(2, 2)")).unwrap();
        assert_eq!(header.decode(&bytes), values, "{descr}");
        assert_eq!(header.row_bytes() * header.rows, bytes.len());
    }
}

#[test]
fn other_files_are_refused_with_what_to_do() {
    let whole = numpy("<f4", "False", "(2, 2)");
    let cases: [(&[u8], &str); 8] = [
        (b"PK\x03\x04", "begin"),
        (&whole[..20], "ends"),
        (&whole[..7], "ends"),
        (&numpy(">f4", "False", "(2, 2)"), ">f4"),
        (&numpy("<f4", "True", "(2, 2)"), "ascontiguousarray"),
        (&numpy("<f4", "False", "(4,)"), "(4)"),
        (&numpy("<f4", "False", "(4, 2, 2)"), "(4, 2, 2)"),
        (b"\x93NUMPY\x09\x00\x00\x00", "version"),
    ];
    for (bytes, word) in cases {
        let error = Header::parse(bytes).unwrap_err();
        assert!(
            matches!(&error, Error::BadInput(text) if text.contains(word)),
            "{error}"
        );
    }
}
