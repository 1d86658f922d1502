//! The inverse discrete cosine transform, to the last bit as libjpeg-turbo's accurate integer one:
//! Loeffler, Ligtenberg and Moschytz (ICASSP 1989) in 13-bit fixed point, columns first.
//!
//! Where numbers grow beyond 16 bits, which takes a damaged or a mischievous file, they wrap around or
//! are cut off where libjpeg-turbo's SIMD code does so: that is what the reference runs on.

use wide::{i16x8, i32x8, u8x16, u16x8};

use super::scan::Coefficients;
use super::segments::Quantisation;
use super::tables::ZIGZAG;

/// A block, row by row.
type Rows = [i16x8; 8];

const FRACTION: i32 = 13;
/// How many more bits numbers have between the two passes.
const EXTRA: i32 = 2;

/// A factor in fixed point.
const fn fixed(factor: f64) -> i16 {
    (factor * (1 << FRACTION) as f64 + 0.5) as i16
}

const F_0_298: i16 = fixed(0.298_631_336);
const F_0_390: i16 = fixed(0.390_180_644);
const F_0_541: i16 = fixed(0.541_196_100);
const F_0_765: i16 = fixed(0.765_366_865);
const F_0_899: i16 = fixed(0.899_976_223);
const F_1_175: i16 = fixed(1.175_875_602);
const F_1_501: i16 = fixed(1.501_321_110);
const F_1_847: i16 = fixed(1.847_759_065);
const F_1_961: i16 = fixed(1.961_570_560);
const F_2_053: i16 = fixed(2.053_119_869);
const F_2_562: i16 = fixed(2.562_915_447);
const F_3_072: i16 = fixed(3.072_711_026);

/// The coefficients of a block's first row, by the order they are sent.
const FIRST_ROW: u64 = {
    let (mut bits, mut k) = (0, 0);
    while k < 64 {
        bits |= ((ZIGZAG[k] < 8) as u64) << k;
        k += 1;
    }
    bits
};

/// Writes the samples of a block to eight rows of `out` that are `stride` bytes apart. `nonzero` has a
/// bit for each coefficient that may be other than zero, but for the first.
#[inline]
pub(super) fn write_samples(
    coefficients: &Coefficients,
    nonzero: u64,
    quantisation: &Quantisation,
    out: &mut [u8],
    stride: usize,
) {
    if nonzero & !1 == 0 {
        let level = level(coefficients[0].wrapping_mul(quantisation[0] as i16));
        for row in out.chunks_mut(stride).take(8) {
            row[..8].fill(level);
        }
        return;
    }
    let samples = samples(coefficients, nonzero, quantisation);
    for (row, samples) in out.chunks_mut(stride).zip(samples.as_chunks::<8>().0) {
        row[..8].copy_from_slice(samples);
    }
}

/// The level of a block that has no coefficient but the first.
fn level(first: i16) -> u8 {
    const SHIFT: i32 = EXTRA + 3;
    let scaled = i32::from(first << EXTRA);
    let level = (scaled + (1 << (SHIFT - 1))) >> SHIFT;
    (level.clamp(-128, 127) + 128) as u8
}

fn samples(coefficients: &Coefficients, nonzero: u64, quantisation: &Quantisation) -> [u8; 64] {
    let mut values = [0i16; 64]; // row by row
    let mut left = nonzero | 1;
    while left != 0 {
        let k = left.trailing_zeros() as usize;
        left &= left - 1;
        let value = coefficients[k].wrapping_mul(quantisation[k] as i16);
        values[usize::from(ZIGZAG[k] & 63)] = value;
    }
    let (rows, _) = values.as_chunks::<8>();
    let columns_done = if nonzero & !FIRST_ROW == 0 {
        [i16x8::new(rows[0].map(|value| value << EXTRA)); 8]
    } else {
        pass::<{ FRACTION - EXTRA }>(&std::array::from_fn(|y| i16x8::new(rows[y])))
    };
    let done = transposed(pass::<{ FRACTION + EXTRA + 3 }>(&transposed(columns_done)));
    let middle = i16x8::splat(128);
    let levels = done.map(|row| row.saturating_add(middle));
    let pairs: [[u8; 16]; 4] =
        std::array::from_fn(|i| u8x16::narrow_i16x8(levels[2 * i], levels[2 * i + 1]).into());
    bytemuck::cast(pairs)
}

fn transposed(rows: Rows) -> Rows {
    bytemuck::cast(u16x8::transpose(bytemuck::cast(rows)))
}

/// The transform of each column, its numbers divided by 2^`SHIFT`.
#[inline(always)]
fn pass<const SHIFT: i32>(c: &Rows) -> Rows {
    let times = |value: i16x8, factor: i16| value.widening_mul(i16x8::splat(factor));
    // The even part.
    let low = times(c[2], F_0_541 + F_0_765) + times(c[6], F_0_541);
    let high = times(c[2], F_0_541) + times(c[6], F_0_541 - F_1_847);
    let sum = times(c[0] + c[4], 1 << FRACTION);
    let difference = times(c[0] - c[4], 1 << FRACTION);
    let even = [sum + low, difference + high, difference - high, sum - low];
    // The odd part.
    let (a, b) = (c[7] + c[3], c[5] + c[1]);
    let a_and_b = times(a, F_1_175 - F_1_961) + times(b, F_1_175);
    let b_and_a = times(a, F_1_175) + times(b, F_1_175 - F_0_390);
    let odd = [
        times(c[7], -F_0_899) + times(c[1], F_1_501 - F_0_899) + b_and_a,
        times(c[5], -F_2_562) + times(c[3], F_3_072 - F_2_562) + a_and_b,
        times(c[5], F_2_053 - F_2_562) + times(c[3], -F_2_562) + b_and_a,
        times(c[7], F_0_298 - F_0_899) + times(c[1], -F_0_899) + a_and_b,
    ];
    let half = i32x8::splat(1 << (SHIFT - 1));
    let scaled = |value: i32x8| i16x8::from_i32x8_saturate((value + half) >> SHIFT);
    std::array::from_fn(|y| match y {
        0..4 => scaled(even[y] + odd[y]),
        _ => scaled(even[7 - y] - odd[7 - y]),
    })
}
