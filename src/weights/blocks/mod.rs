//! Numbers to stored bytes and back. Layouts and rounding are those of ggml's reference functions
//! (`quantize_row_*_ref`, `dequantize_row_*` in ggml-quants.c), bit for bit.
//!
//! These loops run over every weight of a model, in one thread of a browser: they work on whole
//! blocks of fixed length, so that the compiler can use SIMD, and check lengths once per call.

mod floats;
mod k_quants;
mod q4_0;
mod q5_0;
mod q8_0;

use super::{Format, bad};
use crate::Result;

/// The numbers of a tensor of `elements` elements.
///
/// Fails if `bytes` has not the length that `format` demands, or if `format` holds no weights.
pub fn dequantize(format: Format, bytes: &[u8], elements: usize) -> Result<Vec<f32>> {
    check_length(format, bytes, elements)?;
    let mut values = vec![0.0; elements];
    dequantize_into(format, bytes, &mut values)?;
    Ok(values)
}

/// Like [`dequantize`], into a place that exists already.
pub fn dequantize_into(format: Format, bytes: &[u8], values: &mut [f32]) -> Result<()> {
    check_length(format, bytes, values.len())?;
    match format {
        Format::F32 => floats::f32_to_f32(bytes, values),
        Format::F16 => floats::f16_to_f32(bytes, values),
        Format::BF16 => floats::bf16_to_f32(bytes, values),
        Format::F64 => floats::f64_to_f32(bytes, values),
        Format::Q8_0 => q8_0::dequantize(bytes, values),
        Format::Q4_0 => q4_0::dequantize(bytes, values),
        Format::Q4_1 => q4_0::dequantize_with_minimum(bytes, values),
        Format::Q5_0 => q5_0::dequantize(bytes, values),
        Format::Q4_K => k_quants::dequantize_q4_k(bytes, values),
        Format::Q5_K => k_quants::dequantize_q5_k(bytes, values),
        Format::Q6_K => k_quants::dequantize_q6_k(bytes, values),
        Format::Integer { .. } => {
            return bad(format!(
                "integers ({format}) are stored where weights were expected"
            ));
        }
    }
    Ok(())
}

/// The bytes that store `values`, in F32, F16, Q8_0 or Q4_0.
///
/// Fails for other formats, if `values` are not whole blocks, and for quantized formats if one of
/// them is infinite or not a number: it would spoil its whole block.
pub fn quantize(format: Format, values: &[f32]) -> Result<Vec<u8>> {
    let Some(length) = format.bytes(values.len()) else {
        return bad(format!(
            "{} values cannot be stored as {format}, which takes blocks of {}",
            values.len(),
            format.block_length()
        ));
    };
    let mut bytes = vec![0; length];
    quantize_into(format, values, &mut bytes)?;
    Ok(bytes)
}

/// Like [`quantize`], into a place of the right size.
fn quantize_into(format: Format, values: &[f32], bytes: &mut [u8]) -> Result<()> {
    let finite = match format {
        Format::F32 => floats::f32_from_f32(values, bytes),
        Format::F16 => floats::f16_from_f32(values, bytes),
        Format::Q8_0 => q8_0::quantize(values, bytes),
        Format::Q4_0 => q4_0::quantize(values, bytes),
        _ => {
            return bad(format!(
                "{format} can be read, but not written: choose F32, F16, Q8_0 or Q4_0"
            ));
        }
    };
    if finite {
        Ok(())
    } else {
        bad(not_finite(format, values))
    }
}

/// The bytes of a tensor of `elements` elements in another format, as [`dequantize`] and
/// [`quantize`] make them, but without ever holding all its numbers.
pub fn convert(from: Format, to: Format, bytes: &[u8], elements: usize) -> Result<Vec<u8>> {
    convert_changed(from, to, bytes, elements, |_, _| ())
}

/// The same with numbers that `change` may change on the way: it is given a few at a time, and the
/// place of the first of them.
pub fn convert_changed(
    from: Format,
    to: Format,
    bytes: &[u8],
    elements: usize,
    mut change: impl FnMut(usize, &mut [f32]),
) -> Result<Vec<u8>> {
    let (Some(length), Some(piece)) = (to.bytes(elements), to.bytes(PIECE)) else {
        return bad(format!(
            "{elements} values cannot be stored as {to}, which takes blocks of {}",
            to.block_length()
        ));
    };
    let mut converted = vec![0; length];
    let mut targets = converted.chunks_mut(piece);
    each_piece(from, bytes, elements, |start, values| {
        change(start, values);
        match targets.next() {
            Some(target) => quantize_into(to, values, target),
            None => Ok(()),
        }
    })?;
    Ok(converted)
}

/// Place and value of the first number that is infinite or none at all.
pub fn first_not_finite(
    format: Format,
    bytes: &[u8],
    elements: usize,
) -> Result<Option<(usize, f32)>> {
    let mut found = None;
    each_piece(format, bytes, elements, |start, values| {
        let spoilt = values.iter().any(|value| !value.is_finite());
        if let (None, true) = (found, spoilt) {
            let index = values.iter().position(|value| !value.is_finite());
            found = index.map(|index| (start + index, values[index]));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Numbers that are looked at at a time: whole blocks of every format, and few enough for a cache.
const PIECE: usize = 1 << 13;

/// Hands all numbers of a tensor to `visit` in pieces, each with the place of its first.
fn each_piece(
    format: Format,
    bytes: &[u8],
    elements: usize,
    mut visit: impl FnMut(usize, &mut [f32]) -> Result<()>,
) -> Result<()> {
    check_length(format, bytes, elements)?;
    let block = format.block_bytes();
    let mut values = vec![0.0; PIECE.min(elements)];
    let pieces = bytes.chunks(PIECE / format.block_length() * block);
    for (index, piece) in pieces.enumerate() {
        let values = &mut values[..piece.len() / block * format.block_length()];
        dequantize_into(format, piece, values)?;
        visit(index * PIECE, values)?;
    }
    Ok(())
}

fn not_finite(format: Format, values: &[f32]) -> String {
    let index = values
        .iter()
        .position(|value| !value.is_finite())
        .unwrap_or(0);
    let value = values.get(index).copied().unwrap_or(f32::NAN);
    format!("value {index} is {value}: {format} can only hold finite numbers")
}

fn check_length(format: Format, bytes: &[u8], elements: usize) -> Result<()> {
    match format.bytes(elements) {
        Some(expected) if expected == bytes.len() => Ok(()),
        Some(expected) => bad(format!(
            "{elements} elements of {format} take {expected} bytes, but there are {}",
            bytes.len()
        )),
        None => bad(format!(
            "{elements} elements are not whole blocks of {format}, which hold {}",
            format.block_length()
        )),
    }
}

/// The little-endian half-precision number at the beginning of `bytes`.
#[inline(always)]
fn half_at(bytes: &[u8], index: usize) -> f32 {
    half::f16::from_le_bytes([bytes[index], bytes[index + 1]]).to_f32()
}

/// The largest magnitude, as the bits of a non-negative float. Magnitudes order like their bits,
/// and an integer maximum needs no thought about NaN: it comes out as larger than infinity.
#[inline(always)]
fn largest_magnitude(block: &[f32; 32]) -> u32 {
    block
        .iter()
        .fold(0, |largest, value| largest.max(magnitude(*value)))
}

#[inline(always)]
fn magnitude(value: f32) -> u32 {
    value.to_bits() & 0x7fff_ffff
}

/// Bits of infinity: a magnitude from here on is not a finite number.
const INFINITE: u32 = 0x7f80_0000;

#[cfg(test)]
mod tests;
