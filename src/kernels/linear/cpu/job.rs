//! One layer over slices, and how its sums become outputs: bias, activation, residual.

use crate::kernels::simd::Output;
use crate::kernels::{Activation, PackedShape};

/// A layer and the size of its input.
pub struct Job<'a> {
    pub rows: usize,
    pub words: &'a [u32],
    pub bias: Option<&'a [f32]>,
    pub residual: Option<&'a [f32]>,
    pub shape: PackedShape,
    pub activation: Activation,
    /// Whether inputs keep 16 bits where weights are in quantized blocks.
    pub is_exact: bool,
}

impl Job<'_> {
    /// Adds the bias of outputs from `first` on and applies the activation: `[rows, width]`, in place.
    #[inline(always)]
    pub fn finish(&self, first: usize, width: usize, sums: &mut [f32]) {
        if let Some(bias) = self.bias {
            let bias = &bias[first..bias.len().min(first + width)];
            for sums in sums.chunks_exact_mut(width) {
                for (sum, bias) in sums.iter_mut().zip(bias) {
                    *sum += bias;
                }
            }
        }
        // The choice outside of the loops: inside, they do not vectorise.
        match self.activation {
            Activation::None => {}
            Activation::Gelu => {
                for sum in sums {
                    *sum = Activation::Gelu.apply(*sum);
                }
            }
            Activation::GeluTanh => {
                for sum in sums {
                    *sum = Activation::GeluTanh.apply(*sum);
                }
            }
            Activation::QuickGelu => {
                for sum in sums {
                    *sum = Activation::QuickGelu.apply(*sum);
                }
            }
        }
    }

    /// Finishes a panel, the outputs from `first` on of all rows, and writes it out.
    #[inline(always)]
    pub fn write_panel<const PANEL: usize>(
        &self,
        first: usize,
        values: &mut [[f32; PANEL]],
        output: &Output,
    ) {
        self.finish(first, PANEL, values.as_flattened_mut());
        let columns = PANEL.min(self.shape.rows - first);
        for (row, values) in values.iter_mut().enumerate() {
            self.add_residual(row, first, &mut values[..columns]);
            // SAFETY: each panel has columns of its own and is computed once.
            unsafe {
                if columns == PANEL {
                    output.write(row, first, values); // of a known length: not a call
                } else {
                    output.write(row, first, &values[..columns]);
                }
            }
        }
    }

    /// Adds the residual of a row's outputs from `first` on, in place.
    #[inline(always)]
    pub fn add_residual(&self, row: usize, first: usize, values: &mut [f32]) {
        if let Some(residual) = self.residual {
            let residual = &residual[row * self.shape.rows + first..];
            for (value, residual) in values.iter_mut().zip(residual) {
                *value += residual;
            }
        }
    }
}
