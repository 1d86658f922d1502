//! Linear layers and embedding tables, over packed weights or, in training, over plain tensors.

use super::{Parameters, matmul};
use crate::Result;
use crate::kernels::{self, Activation, PackedMatrix};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The numbers of GELU by the hyperbolic tangent: see [`Activation::GeluTanh`].
const GELU_CUBE: f32 = 0.044_715;
const GELU_SLOPE: f32 = 1.595_769_2; // 2 sqrt(2 / π)

/// A weight matrix, `[rows, columns]`.
#[derive(Debug, Clone)]
pub enum Weight {
    /// In a number format of the kernels: inference.
    Packed(PackedMatrix),
    /// As Burn's own operations take it, which know its gradient: training.
    Trainable(Tensor<2>),
}

impl Weight {
    /// Rows and columns.
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Weight::Packed(matrix) => [matrix.shape().rows, matrix.shape().columns],
            Weight::Trainable(tensor) => tensor.dims(),
        }
    }

    /// Its values as plain numbers: `[rows, columns]`.
    fn unpacked(&self) -> Tensor<2> {
        match self {
            Weight::Packed(matrix) => {
                let rows = matrix.shape().rows as i32;
                let every = kernels::ids_tensor(0..rows, &matrix.words().device());
                kernels::gather_rows(matrix, every)
            }
            Weight::Trainable(tensor) => tensor.clone(),
        }
    }
}

/// `activation(x Wᵀ + b)`, in whatever number format the weight arrived.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor<1>>,
    activation: Activation,
}

impl Linear {
    /// Takes `{prefix}.weight`, `[outputs, inputs]`, and `{prefix}.bias`, `[outputs]`.
    pub fn load(
        parameters: &mut Parameters,
        prefix: &str,
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self> {
        let mut linear =
            Self::load_without_bias(parameters, &format!("{prefix}.weight"), [outputs, inputs])?;
        linear.bias = Some(parameters.tensor(&format!("{prefix}.bias"), [outputs])?);
        Ok(linear)
    }

    /// Takes the weight `name`, `[outputs, inputs]`.
    pub fn load_without_bias(
        parameters: &mut Parameters,
        name: &str,
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self> {
        let weight = parameters.matrix(name, [outputs, inputs])?;
        Ok(Self::of(weight))
    }

    /// Takes a convolution's weight `name`, `[outputs, inputs, height, width]`, as a layer over all
    /// that one of its steps sees.
    pub fn load_convolution(
        parameters: &mut Parameters,
        name: &str,
        shape: [usize; 4],
    ) -> Result<Self> {
        Ok(Self::of(parameters.convolution(name, shape)?))
    }

    /// A layer without bias and activation.
    fn of(weight: Weight) -> Self {
        Self {
            weight,
            bias: None,
            activation: Activation::None,
        }
    }

    /// Takes the layers at `prefixes`, `[outputs, inputs]` each, as one of all their outputs; `None`
    /// where their weights were not joined.
    pub fn load_joined(
        parameters: &mut Parameters,
        prefixes: &[&str],
        [outputs, inputs]: [usize; 2],
    ) -> Result<Option<Self>> {
        let names: Vec<String> = prefixes
            .iter()
            .map(|prefix| format!("{prefix}.weight"))
            .collect();
        let Some(matrix) = parameters.joined(&names, [outputs, inputs])? else {
            return Ok(None);
        };
        let biases = prefixes.iter();
        let biases = biases.map(|prefix| parameters.tensor(&format!("{prefix}.bias"), [outputs]));
        let bias = Tensor::cat(biases.collect::<Result<_>>()?, 0);
        Ok(Some(Self {
            weight: Weight::Packed(matrix),
            bias: Some(bias),
            activation: Activation::None,
        }))
    }

    /// The same layer with an activation on its output.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// The same layer with this bias.
    pub fn with_bias(mut self, bias: Tensor<1>) -> Self {
        self.bias = Some(bias);
        self
    }

    /// The gradient of what came in, from that of what went out before the activation: `[...,
    /// outputs]` to `[..., inputs]`. It unpacks the weight for the time of the call.
    pub fn gradient<const D: usize>(&self, output_gradient: Tensor<D>) -> Tensor<D> {
        let mut shape = output_gradient.dims();
        let outputs = shape[D - 1];
        let rows = shape[..D - 1].iter().product::<usize>();
        let flat = output_gradient.reshape([rows, outputs]);
        shape[D - 1] = self.weight.dims()[1];
        matmul(flat, self.weight.unpacked()).reshape(shape)
    }

    /// The activation's derivative where [`Self::forward`] applies it: `[..., inputs]` to `[...,
    /// outputs]`.
    pub fn derivative<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let plain = self.clone().with_activation(Activation::None);
        let sum = plain.forward(input);
        match self.activation {
            Activation::None => sum.ones_like(),
            Activation::Gelu => gelu_derivative(sum),
            Activation::GeluTanh => gelu_tanh_derivative(sum),
            Activation::QuickGelu => {
                let gate = activation::sigmoid(sum.clone() * 1.702);
                gate.clone() + sum * 1.702 * gate.clone() * (gate.ones_like() - gate)
            }
        }
    }

    /// One output's weights, which are its gradient: `[1, inputs]`.
    pub fn weights_of(&self, output: usize) -> Tensor<2> {
        self.weight.unpacked().narrow(0, output, 1)
    }

    /// `[..., inputs]` to `[..., outputs]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.forward_to(input, None)
    }

    /// The same with a residual added, `[..., outputs]`.
    pub fn forward_added<const D: usize>(
        &self,
        input: Tensor<D>,
        residual: Tensor<D>,
    ) -> Tensor<D> {
        self.forward_to(input, Some(residual))
    }

    fn forward_to<const D: usize>(
        &self,
        input: Tensor<D>,
        residual: Option<Tensor<D>>,
    ) -> Tensor<D> {
        let mut shape = input.dims();
        let [outputs, inputs] = self.weight.dims();
        let rows = shape[..D - 1].iter().product::<usize>();
        let flat = input.reshape([rows, inputs]);
        let residual = residual.map(|residual| residual.reshape([rows, outputs]));
        let output = match &self.weight {
            Weight::Packed(weight) => {
                kernels::linear(flat, weight, self.bias.clone(), self.activation, residual)
            }
            Weight::Trainable(weight) => {
                let output = self.forward_trainable(flat, weight.clone());
                match residual {
                    Some(residual) => output + residual,
                    None => output,
                }
            }
        };
        shape[D - 1] = outputs;
        output.reshape(shape)
    }

    /// The same in operations that have gradients: `[rows, inputs]` to `[rows, outputs]`.
    fn forward_trainable(&self, input: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
        let product = matmul(input, weight.transpose());
        let sum = match &self.bias {
            Some(bias) => product + bias.clone().unsqueeze::<2>(),
            None => product,
        };
        match self.activation {
            Activation::None => sum,
            Activation::Gelu => gelu(sum),
            Activation::GeluTanh => sum.clone() * gelu_tanh_gate(sum),
            Activation::QuickGelu => sum.clone() * activation::sigmoid(sum * 1.702),
        }
    }
}

/// `x Φ(x)`. Burn's own GELU has the gradient of an approximation on every device but the CPU's, and
/// there it takes a fifth of the time of training.
fn gelu(x: Tensor<2>) -> Tensor<2> {
    if x.device().without_autodiff() == Device::flex() {
        return gelu_by_tangent(x);
    }
    let normal = (x.clone() * FRAC_1_SQRT_2).erf() + 1.0; // 2 Φ(x)
    x * normal * 0.5
}

/// GELU as its own tangent, taken at each value: the product rule then gives the very slope.
fn gelu_by_tangent(x: Tensor<2>) -> Tensor<2> {
    let plain = if x.is_autodiff() {
        x.clone().inner()
    } else {
        x.clone()
    };
    let (shape, device) = (x.dims(), plain.device());
    let values = plain.into_data();
    let values = values.as_slice::<f32>().expect("training is in f32");
    let (slopes, rests) = kernels::activation::gelu_tangent(values);
    let constant = |values| {
        let constant = Tensor::<2>::from_data(TensorData::new(values, shape), &device);
        if x.is_autodiff() {
            Tensor::from_inner(constant)
        } else {
            constant
        }
    };
    x.clone() * constant(slopes) + constant(rests)
}

/// `Φ(x) + x φ(x)`, the derivative of GELU.
fn gelu_derivative<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cumulative = ((x.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
    let density = (x.clone() * x.clone() * -0.5).exp() * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
    cumulative + x * density
}

/// What GELU by the hyperbolic tangent multiplies `x` with.
fn gelu_tanh_gate<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cube = x.clone() * x.clone() * x.clone() * GELU_CUBE;
    activation::sigmoid((x + cube) * GELU_SLOPE)
}

/// The derivative of `x gate(x)`.
fn gelu_tanh_derivative<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let gate = gelu_tanh_gate(x.clone());
    let slope = (x.clone() * x.clone() * (3.0 * GELU_CUBE) + 1.0) * GELU_SLOPE;
    gate.clone() + x * gate.clone() * (gate.ones_like() - gate) * slope
}

/// A table of vectors, looked up by token id.
#[derive(Debug, Clone)]
pub struct Embedding {
    table: Weight,
}

impl Embedding {
    /// Takes the table `name`, `[entries, width]`.
    pub fn load(parameters: &mut Parameters, name: &str, shape: [usize; 2]) -> Result<Self> {
        Ok(Self {
            table: parameters.matrix(name, shape)?,
        })
    }

    /// The vectors of `ids`, `[batch, tokens]`: `[batch, tokens, width]`.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let [batch, tokens] = ids.dims();
        let flat = ids.reshape([batch * tokens]);
        let rows = match &self.table {
            Weight::Packed(table) => kernels::gather_rows(table, flat),
            Weight::Trainable(table) => table.clone().select(0, flat),
        };
        rows.reshape([batch, tokens, self.table.dims()[1]]) // [batch, tokens, width]
    }
}

/// Token ids of texts of equal length on a device: `[batch, tokens]`.
pub fn token_ids(texts: &[Vec<u32>], device: &Device) -> Tensor<2, Int> {
    let tokens = texts.first().map_or(0, Vec::len);
    assert!(
        texts.iter().all(|text| text.len() == tokens),
        "rows of ids of different lengths"
    );
    let flat = texts.iter().flatten().map(|id| *id as i32);
    kernels::ids_tensor(flat, device).reshape([texts.len(), tokens])
}
