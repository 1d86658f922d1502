//! Layer normalisation (Ba et al., arXiv 1607.06450) over the last dimension.

use super::Parameters;
use crate::{Result, kernels};
use burn::tensor::{Tensor, module::layer_norm};

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias`.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
}

impl LayerNorm {
    /// Takes `{prefix}.weight` and `{prefix}.bias`, both `[width]`.
    pub fn load(
        parameters: &mut Parameters,
        prefix: &str,
        width: usize,
        epsilon: f64,
    ) -> Result<Self> {
        Ok(Self {
            weight: parameters.tensor(&format!("{prefix}.weight"), [width])?,
            bias: parameters.tensor(&format!("{prefix}.bias"), [width])?,
            epsilon,
        })
    }

    /// `[..., width]` to the same shape.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        if !kernels::suit(&input) || !kernels::suit(&weight) {
            return layer_norm(input, weight, Some(bias), self.epsilon);
        }
        let shape = input.dims();
        let rows = shape[..D - 1].iter().product::<usize>();
        let flat = input.reshape([rows, shape[D - 1]]);
        kernels::layer_norm(flat, weight, bias, self.epsilon).reshape(shape)
    }

    /// The gradient of what came in, from what came in and the gradient of what went out: `[...,
    /// width]` each.
    pub fn gradient<const D: usize>(
        &self,
        input: Tensor<D>,
        output_gradient: Tensor<D>,
    ) -> Tensor<D> {
        let centred = input.clone() - input.mean_dim(D - 1);
        let variance = (centred.clone() * centred.clone()).mean_dim(D - 1);
        let scale = (variance + self.epsilon).sqrt().recip(); // [..., 1]
        let normal = centred * scale.clone();
        let gradient = output_gradient * self.weight.clone().unsqueeze::<D>();
        let along = (gradient.clone() * normal.clone()).mean_dim(D - 1);
        (gradient.clone() - gradient.mean_dim(D - 1) - normal * along) * scale
    }
}
