//! Smoothing of a progressive picture whose file ends before all scans: where coefficients of low
//! frequency never came, they are estimated from the levels of the 5x5 blocks around, as libjpeg-turbo
//! does (a development of T.81, K.8).

use super::frame::{Component, Frame};
use super::scan::{Block, Blocks, Coefficients};
use super::segments::Quantisation;

/// The lowest bit that is known of each of the first ten coefficients, or -1 where none is.
pub(super) type KnownBits = [i8; 10];

/// The weights of the levels around, in 256ths, for one coefficient.
type Weights = [[i32; 5]; 5];

/// Where nothing but levels is known: all of the first ten are estimated, the level itself too.
#[rustfmt::skip]
const FROM_LEVELS: [Weights; 10] = [
    [[-2, -6, -8, -6, -2], [-6, 6, 42, 6, -6], [-8, 42, 152, 42, -8], [-6, 6, 42, 6, -6], [-2, -6, -8, -6, -2]],
    [[-1, -1, 0, 1, 1], [-3, 13, 0, -13, 3], [-3, 38, 0, -38, 3], [-3, 13, 0, -13, 3], [-1, -1, 0, 1, 1]],
    [[-1, -3, -3, -3, -1], [-1, 13, 38, 13, -1], [0; 5], [1, -13, -38, -13, 1], [1, 3, 3, 3, 1]],
    [[0, 0, 1, 0, 0], [0, 2, 7, 2, 0], [0, -5, -14, -5, 0], [0, 2, 7, 2, 0], [0, 0, 1, 0, 0]],
    [[-1, 0, 0, 0, 1], [0, 9, 0, -9, 0], [0; 5], [0, -9, 0, 9, 0], [1, 0, 0, 0, -1]],
    [[0; 5], [0, 2, -5, 2, 0], [1, 7, -14, 7, 1], [0, 2, -5, 2, 0], [0; 5]],
    [[0; 5], [0, 1, 0, -1, 0], [0, 2, 0, -2, 0], [0, 1, 0, -1, 0], [0; 5]],
    [[0; 5], [0, 1, -3, 1, 0], [0; 5], [0, -1, 3, -1, 0], [0; 5]],
    [[0; 5], [0, 1, 0, -1, 0], [0, -3, 0, 3, 0], [0, 1, 0, -1, 0], [0; 5]],
    [[0; 5], [0, 1, 2, 1, 0], [0; 5], [0, -1, -2, -1, 0], [0; 5]],
];

/// Where something is known besides: the second to sixth.
#[rustfmt::skip]
const BESIDE_OTHERS: [Weights; 5] = [
    [[0; 5], [0; 5], [-7, 50, 0, -50, 7], [0; 5], [0; 5]],
    [[0, 0, -7, 0, 0], [0, 0, 50, 0, 0], [0; 5], [0, 0, -50, 0, 0], [0, 0, 7, 0, 0]],
    [[0, 0, -1, 0, 0], [0, 0, 13, 0, 0], [0, 0, -24, 0, 0], [0, 0, 13, 0, 0], [0, 0, -1, 0, 0]],
    [[0, -1, 0, 1, 0], [-1, 10, 0, -10, 1], [0; 5], [1, -10, 0, 10, -1], [0, 1, 0, -1, 0]],
    [[0; 5], [0; 5], [-1, 13, -24, 13, -1], [0; 5], [0; 5]],
];

/// Whether a picture is smoothed, by what is known of each colour.
pub(super) fn is_useful<'a>(
    mut colours: impl Iterator<Item = (&'a KnownBits, Option<&'a Quantisation>)> + Clone,
) -> bool {
    let missing = |known: &KnownBits| known[1..].iter().any(|&bits| bits != 0);
    let possible = |known: &KnownBits, quantisation: Option<&Quantisation>| {
        let divides = quantisation.is_some_and(|q| q[..10].iter().all(|&factor| factor != 0));
        known[0] >= 0 && divides
    };
    let any = colours.clone().any(|(known, _)| missing(known));
    any && colours.all(|(known, quantisation)| possible(known, quantisation))
}

/// Which rows of blocks are looked at for the row `y` of the repeated part `part_y`: two above, itself
/// and two below. How the last part is counted is libjpeg-turbo's: by the rows that it has in the
/// picture, as though all parts had as few.
pub(super) fn rows_around(
    frame: &Frame,
    component: &Component,
    part_y: usize,
    y: usize,
) -> [usize; 5] {
    let row = part_y * component.down + y;
    let parts = frame.parts_down();
    let down = if part_y + 1 == parts {
        frame.units(component).1 - part_y * component.down
    } else {
        component.down
    };
    let (counted, count) = (part_y * down + y, parts * down);
    let above = row - usize::from(counted > 0);
    let below = row + usize::from(counted + 1 < count);
    let farther_above = if counted > 1 { row - 2 } else { above };
    let farther_below = if counted + 2 < count { row + 2 } else { below };
    [farther_above, above, row, below, farther_below]
}

/// The block at column `x` of the middle one of five `rows`, with estimates in place of what is
/// missing, and which of its coefficients are not zero. `width` is how many blocks of a row belong to
/// the picture.
pub(super) fn smoothed(
    blocks: &Blocks,
    rows: [usize; 5],
    (x, width): (usize, usize),
    known: &KnownBits,
    quantisation: &Quantisation,
) -> (Coefficients, u64) {
    let place = rows[2] * blocks.across + x;
    let (mut coefficients, mut nonzero) = (blocks.coefficients[place], blocks.nonzero[place]);
    let mut block = Block {
        coefficients: &mut coefficients,
        nonzero: &mut nonzero,
    };
    let column = |dx: usize| (x + dx).saturating_sub(2).min(width - 1);
    let level = |row: usize, x: usize| i32::from(blocks.coefficients[row * blocks.across + x][0]);
    let levels: [[i32; 5]; 5] = rows.map(|row| std::array::from_fn(|dx| level(row, column(dx))));
    let only_levels = known[1..].iter().all(|&bits| bits == -1);
    let estimate = |weights: &Weights, k: usize| {
        let pairs = weights.as_flattened().iter().zip(levels.as_flattened());
        let sum: i64 = pairs.map(|(w, l)| i64::from(*w) * i64::from(*l)).sum();
        let factor = |k: usize| i64::from(quantisation[k]);
        let sum = factor(0) * sum;
        let size = ((factor(k) << 7) + sum.abs()) / (factor(k) << 8);
        let most = match known[k] {
            bits if k > 0 && bits > 0 => (1 << bits) - 1,
            _ => i64::MAX,
        };
        (size.min(most) * sum.signum()) as i32
    };
    let weights = if only_levels {
        &FROM_LEVELS[1..]
    } else {
        &BESIDE_OTHERS[..]
    };
    for (k, weights) in (1..).zip(weights) {
        if known[k] != 0 && *block.nonzero >> k & 1 == 0 {
            block.set(k, estimate(weights, k));
        }
    }
    if only_levels {
        block.set(0, estimate(&FROM_LEVELS[0], 0));
    }
    (coefficients, nonzero)
}
