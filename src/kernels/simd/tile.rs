//! The register tile: dot products of a few rows with a few columns at once.
//!
//! Both sides lie along the depth, as weights, queries and keys are stored, and the lanes of a vector
//! are steps along it. So no number changes its lane: the vectors of a few rows are laid side by
//! side, step after step.

use super::{LANES, Lanes, vectorised};

/// Rows and columns of the tile. Sums, operands and a product take 15 registers; engines for wasm
/// leave that many on x86-64, and no order of the instructions needs more.
pub const TILE_ROWS: usize = 2;
/// See [`TILE_ROWS`].
pub const TILE_COLUMNS: usize = 4;

/// One step of `N` rows: a vector of each.
pub type Step<const N: usize> = [[f32; LANES]; N];

/// The sums of a tile.
pub type TileSums = [[f32; TILE_COLUMNS]; TILE_ROWS];

// A function of its own: the compilers keep everything in registers only where nothing is around.
vectorised!(pub add_tile(
    rows: &[Step<TILE_ROWS>],
    columns: &[Step<TILE_COLUMNS>],
    sums: &mut TileSums
));

// The same with columns that are not laid side by side, as long as the rows.
vectorised!(pub add_tile_apart(
    rows: &[Step<TILE_ROWS>],
    columns: [&[[f32; LANES]]; TILE_COLUMNS],
    sums: &mut TileSums
));

mod portable {
    use super::*;

    #[inline(always)]
    pub fn add_tile<const FUSED: bool>(
        rows: &[Step<TILE_ROWS>],
        columns: &[Step<TILE_COLUMNS>],
        sums: &mut TileSums,
    ) {
        let columns = &columns[..rows.len()];
        add::<FUSED>(rows, |step, column| &columns[step][column], sums);
    }

    #[inline(always)]
    pub fn add_tile_apart<const FUSED: bool>(
        rows: &[Step<TILE_ROWS>],
        columns: [&[[f32; LANES]]; TILE_COLUMNS],
        sums: &mut TileSums,
    ) {
        let columns = columns.map(|column| &column[..rows.len()]);
        add::<FUSED>(rows, |step, column| &columns[column][step], sums);
    }

    /// `sums += rows · columnsᵀ`, held in registers all along.
    #[inline(always)]
    fn add<'a, const FUSED: bool>(
        rows: &[Step<TILE_ROWS>],
        column: impl Fn(usize, usize) -> &'a [f32; LANES],
        sums: &mut TileSums,
    ) {
        let mut registers = [[Lanes::<FUSED>::splat(0.0); TILE_COLUMNS]; TILE_ROWS];
        for (step, rows) in rows.iter().enumerate() {
            for (row, registers) in rows.iter().zip(&mut registers) {
                let row = Lanes::load(row);
                for (index, register) in registers.iter_mut().enumerate() {
                    *register = row.multiply_add(Lanes::load(column(step, index)), *register);
                }
            }
        }
        for (sums, registers) in sums.iter_mut().zip(registers) {
            for (sum, added) in sums.iter_mut().zip(Lanes::sums(registers)) {
                *sum += added;
            }
        }
    }
}
