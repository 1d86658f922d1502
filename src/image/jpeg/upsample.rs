//! Chroma at the size of luma, to the last bit as libjpeg-turbo enlarges it: between two samples that
//! lie half a pixel to either side of it, each pixel takes three quarters of the nearer one.

use wide::{i16x8, u8x16};

use super::frame::{Component, Frame};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enlarging {
    /// There is a sample for each pixel.
    None,
    /// Smoothly across, down, or both, to twice the size.
    Across,
    Down,
    Both,
    /// Samples repeated so many times across; rows repeat by themselves.
    Repeated(usize),
}

impl Enlarging {
    /// libjpeg-turbo repeats samples where more than two pixels share one, and across in a picture
    /// that is too narrow.
    pub(super) fn of(component: &Component, frame: &Frame) -> Self {
        let across = frame.most_across / component.across;
        let down = frame.most_down / component.down;
        let smooth = frame.unit() > 1;
        match (across, down) {
            (1, 1) => Enlarging::None,
            (2, 1) if smooth && component.width > 2 => Enlarging::Across,
            (1, 2) if smooth => Enlarging::Down,
            (2, 2) if smooth && component.width > 2 => Enlarging::Both,
            (1, _) => Enlarging::None,
            _ => Enlarging::Repeated(across),
        }
    }
}

/// Twice as many samples across. `sums` has room for a row, here and below.
pub(super) fn across(samples: &[u8], sums: &mut [i16], out: &mut [u8]) {
    let sums = &mut sums[..samples.len()];
    for (sum, &sample) in sums.iter_mut().zip(samples) {
        *sum = i16::from(sample);
    }
    widen::<2>(sums, [2, 1], out);
}

/// A row between two: `near` has three quarters of it. Ties go up in the lower row of each two.
pub(super) fn down(near: &[u8], far: &[u8], is_lower: bool, sums: &mut [i16], out: &mut [u8]) {
    let rounding = 1 + i16::from(is_lower);
    let sums = &mut sums[..near.len()];
    add(near, far, sums);
    for (out, &sum) in out.iter_mut().zip(&*sums) {
        *out = ((sum + rounding) >> 2) as u8;
    }
}

/// Both at once, rounded once.
pub(super) fn both(near: &[u8], far: &[u8], sums: &mut [i16], out: &mut [u8]) {
    let sums = &mut sums[..near.len()];
    add(near, far, sums);
    widen::<4>(sums, [7, 8], out);
}

/// Three times `near` and once `far`.
fn add(near: &[u8], far: &[u8], sums: &mut [i16]) {
    let (near, near_rest) = near.as_chunks::<16>();
    let (far, far_rest) = far.as_chunks::<16>();
    let (chunks, rest) = sums.as_chunks_mut::<16>();
    for ((sums, near), far) in chunks.iter_mut().zip(near).zip(far) {
        let (near, far) = (u8x16::new(*near), u8x16::new(*far));
        let sum = |near: i16x8, far: i16x8| near + near + near + far;
        let low = sum(i16x8::from_u8x16_low(near), i16x8::from_u8x16_low(far));
        let high = sum(i16x8::from_u8x16_high(near), i16x8::from_u8x16_high(far));
        *sums = bytemuck::cast([low, high]);
    }
    for ((sum, &near), &far) in rest.iter_mut().zip(near_rest).zip(far_rest) {
        *sum = 3 * i16::from(near) + i16::from(far);
    }
}

/// Twice as many samples: three of the nearer sum and one of the other, divided by 2^`SHIFT`. The
/// left and the right sample of the two between sums are rounded differently.
fn widen<const SHIFT: i32>(sums: &[i16], rounding: [i16; 2], out: &mut [u8]) {
    let count = sums.len();
    let scaled = |sum: i16, rounding: i16| ((sum + rounding) >> SHIFT) as u8;
    out[0] = scaled(4 * sums[0], rounding[1]);
    out[2 * count - 1] = scaled(4 * sums[count - 1], rounding[0]);
    let (chunks, rest) = out[1..2 * count - 1].as_chunks_mut::<16>();
    let rest_from = 8 * chunks.len();
    let (lefts, _) = sums.as_chunks::<8>();
    let (rights, _) = sums[1..].as_chunks::<8>();
    for ((out, left), right) in chunks.iter_mut().zip(lefts).zip(rights) {
        let (left, right) = (i16x8::new(*left), i16x8::new(*right));
        let between = |near: i16x8, far: i16x8, rounding: i16| {
            (near + near + near + far + i16x8::splat(rounding)) >> SHIFT
        };
        let first = between(left, right, rounding[0]);
        let second = between(right, left, rounding[1]);
        let both: [i16; 8] = (first | (second << 8_i32)).into();
        *out = bytemuck::cast(both.map(i16::to_le));
    }
    for (x, pair) in (rest_from..).zip(rest.as_chunks_mut::<2>().0) {
        let (left, right) = (sums[x], sums[x + 1]);
        *pair = [
            scaled(3 * left + right, rounding[0]),
            scaled(3 * right + left, rounding[1]),
        ];
    }
}

pub(super) fn repeated(samples: &[u8], times: usize, out: &mut [u8]) {
    for (out, &sample) in out.chunks_mut(times).zip(samples) {
        out.fill(sample);
    }
}
