//! Linear layers of one input, such as those to queries, keys and values.

use super::{Linear, Parameters};
use crate::Result;
use crate::kernels::Columns;
use burn::tensor::Tensor;

/// `N` linear layers of the same input and of equal width, computed as one product where their
/// weights allow it.
#[derive(Debug, Clone)]
pub struct Projections<const N: usize>(Parts<N>);

#[derive(Debug, Clone)]
enum Parts<const N: usize> {
    Joined(Box<Linear>),
    Separate(Box<[Linear; N]>),
}

impl<const N: usize> Projections<N> {
    /// Takes the layers at `prefixes`, `[outputs, inputs]` each.
    pub fn load(
        parameters: &mut Parameters,
        prefixes: [&str; N],
        shape: [usize; 2],
    ) -> Result<Self> {
        if let Some(joined) = Linear::load_joined(parameters, &prefixes, shape)? {
            return Ok(Self(Parts::Joined(Box::new(joined))));
        }
        let linears = prefixes.map(|prefix| Linear::load(parameters, prefix, shape));
        let linears: Vec<Linear> = linears.into_iter().collect::<Result<_>>()?;
        let linears = linears.try_into().expect("one layer a prefix");
        Ok(Self(Parts::Separate(Box::new(linears))))
    }

    /// Takes the one layer at `prefix` that a checkpoint stores instead of `N` of `[outputs,
    /// inputs]`.
    pub fn load_fused(
        parameters: &mut Parameters,
        prefix: &str,
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self> {
        let joined = Linear::load(parameters, prefix, [N * outputs, inputs])?;
        Ok(Self(Parts::Joined(Box::new(joined))))
    }

    /// `[batch, tokens, inputs]` to `[batch, tokens, outputs]` of each layer.
    pub fn forward(&self, input: Tensor<3>) -> [Columns; N] {
        match &self.0 {
            Parts::Joined(joined) => {
                let all = joined.forward(input); // [batch, tokens, N * outputs]
                let width = all.dims()[2] / N;
                std::array::from_fn(|part| Columns::new(all.clone(), part * width, width))
            }
            Parts::Separate(linears) => linears
                .each_ref()
                .map(|linear| Columns::from(linear.forward(input.clone()))),
        }
    }

    /// The gradient of what came in, from that of what went out of each layer: `[batch, tokens,
    /// outputs]` to `[batch, tokens, inputs]`.
    pub fn gradient(&self, outputs: [Tensor<3>; N]) -> Tensor<3> {
        match &self.0 {
            Parts::Joined(joined) => joined.gradient(Tensor::cat(outputs.into(), 2)),
            Parts::Separate(linears) => linears
                .iter()
                .zip(outputs)
                .map(|(linear, output)| linear.gradient(output))
                .reduce(|sum, gradient| sum + gradient)
                .expect("at least one layer"),
        }
    }
}
