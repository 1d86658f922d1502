//! The two-layer perceptron of a transformer block.

use super::{Linear, Parameters};
use crate::Result;
use crate::kernels::Activation;
use burn::tensor::Tensor;

/// `contract(activation(expand(x)))`.
#[derive(Debug, Clone)]
pub struct Mlp {
    expand: Linear,
    contract: Linear,
}

impl Mlp {
    /// Takes the two layers at their prefixes: `[hidden, width]` and `[width, hidden]`.
    pub fn load(
        parameters: &mut Parameters,
        [expand, contract]: [&str; 2],
        [width, hidden]: [usize; 2],
        activation: Activation,
    ) -> Result<Self> {
        Ok(Self {
            expand: Linear::load(parameters, expand, [hidden, width])?.with_activation(activation),
            contract: Linear::load(parameters, contract, [width, hidden])?,
        })
    }

    /// `[batch, tokens, width]` to the same shape.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        self.contract.forward(self.expand.forward(input))
    }

    /// The same with a residual added, of the same shape.
    pub fn forward_added(&self, input: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.contract
            .forward_added(self.expand.forward(input), residual)
    }

    /// The gradient of what came in, from what came in and the gradient of what went out: `[batch,
    /// tokens, width]` each.
    pub fn gradient(&self, input: Tensor<3>, output_gradient: Tensor<3>) -> Tensor<3> {
        let hidden = self.contract.gradient(output_gradient); // [batch, tokens, hidden]
        self.expand.gradient(hidden * self.expand.derivative(input))
    }
}
