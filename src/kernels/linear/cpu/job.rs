//! One layer at work, over slices.

use super::{blocks, floats, integers, panels};
use crate::kernels::simd::Output;
use crate::kernels::{Activation, PackedFormat, PackedShape};

/// A layer and the size of its input.
pub struct Job<'a> {
    pub rows: usize,
    pub words: &'a [u32],
    pub bias: Option<&'a [f32]>,
    pub residual: Option<&'a [f32]>,
    pub shape: PackedShape,
    pub activation: Activation,
}

impl Job<'_> {
    /// `input` `[rows, shape.columns]` gives `[rows, shape.rows]`.
    pub fn run(&self, input: &[f32]) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.shape.rows];
        let output = Output::new(&mut values, self.shape.rows);
        if !self.few_rows(input, &output) && !self.integers(input, &output) {
            panels::many_rows(self, input, &output);
        }
        values
    }

    /// Computes the layer in integers, if its weights are some and its input can be turned into such.
    fn integers(&self, input: &[f32], output: &Output) -> bool {
        let quantized = matches!(self.shape.format, PackedFormat::Q8 | PackedFormat::Q4);
        quantized && integers::many_rows(self, input, output)
    }

    /// Computes the layer by dot products, if they beat the register tile, which wants many rows:
    /// each of them works on the weights as they are stored, which costs the more the less like
    /// numbers for arithmetic they are.
    fn few_rows(&self, input: &[f32], output: &Output) -> bool {
        match self.shape.format {
            PackedFormat::F32 if self.rows <= 3 => floats::few_rows(self, input, output),
            PackedFormat::F16 if self.rows == 1 => floats::few_rows(self, input, output),
            PackedFormat::Q8 | PackedFormat::Q4 if self.rows <= blocks::FEW_ROWS => {
                return blocks::few_rows(self, input, output);
            }
            _ => return false,
        }
        true
    }

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
