//! The vectors themselves, as they are kept: half precision, so that a million of 512 numbers take a
//! gigabyte on disk. A cosine errs by 0.0005 at worst, and by about 0.00001 where vectors have 512 numbers.

use crate::{Error, Result};
use half::f16;

/// Scales a vector to length one.
pub fn unit(vector: &[f32]) -> Result<Vec<f32>> {
    let squared: f64 = vector.iter().map(|value| f64::from(*value).powi(2)).sum();
    let length = squared.sqrt();
    if !(length.is_finite() && length > 1e-30) {
        return Err(Error::BadInput(format!(
            "a vector has the length {length}, expected a finite one above 0"
        )));
    }
    Ok(vector
        .iter()
        .map(|value| (f64::from(*value) / length) as f32)
        .collect())
}

/// As bytes of f16.
pub fn to_bytes(values: &[f32], bytes: &mut Vec<u8>) {
    bytes.extend(
        values
            .iter()
            .flat_map(|value| f16::from_f32(*value).to_le_bytes()),
    );
}

/// From bytes of f16, none of which is infinite.
pub fn from_bytes(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|bytes| number(u16::from_le_bytes(*bytes)))
}

/// The number that an f16 stands for, subnormal ones included. Written so that loops over it are
/// vectorised: in wasm `half` would go through each number's cases.
#[inline(always)]
fn number(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * 2.0_f32.powi(112);
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

/// The cosine of a vector as it is kept and another one of as many numbers, which has the length one.
/// The kept one's length is one but for rounding, which is divided out.
pub fn cosine(bytes: &[u8], other: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (mut products, mut squares) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (numbers, _) = bytes.as_chunks::<2>();
    let (numbers, last_numbers) = numbers.as_chunks::<LANES>();
    let (others, last_others) = other.as_chunks::<LANES>();
    for (numbers, others) in numbers.iter().zip(others) {
        for lane in 0..LANES {
            let value = number(u16::from_le_bytes(numbers[lane]));
            products[lane] += value * others[lane];
            squares[lane] += value * value;
        }
    }
    for (lane, (bytes, other)) in last_numbers.iter().zip(last_others).enumerate() {
        let value = number(u16::from_le_bytes(*bytes));
        products[lane] += value * other;
        squares[lane] += value * value;
    }
    products.iter().sum::<f32>() / squares.iter().sum::<f32>().sqrt()
}
