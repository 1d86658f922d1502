//! Convolutions followed by batch normalisation, as CLIP's ResNets are made of them, over pictures
//! whose channels come last.
//!
//! A convolution is a [`Linear`] layer over the pixels around each pixel, so it runs on the kernels
//! that a transformer runs on; and more than half of a ResNet's convolutions, those of 1 x 1, need
//! nothing else: with channels last, their input already is the layer's.
//!
//! Their weights are not quantized below half precision. They are a quarter of RN50's numbers, and
//! errors add up over its fifty layers: with them at q8 its vectors turned eight times as far from the
//! reference's as those of a vision transformer. `load` leaves matrices of more than two dimensions
//! at F16, which is all that this takes.

use super::{Linear, Parameters};
use crate::Result;
use burn::tensor::Tensor;

/// Batch normalisation's epsilon in PyTorch.
const EPSILON: f64 = 1e-5;

/// `normalised(x * W)`, without a bias of its own.
#[derive(Debug, Clone)]
pub struct Convolution {
    linear: Linear,
    /// What is left of the normalisation once its running statistics are known: a factor and a
    /// summand for each channel.
    scale: Tensor<1>,
    shift: Tensor<1>,
    side: usize,
}

impl Convolution {
    /// Takes the weight `{names[0]}.weight`, `[outputs, inputs, side, side]`, and the normalisation
    /// at `names[1]`, whose statistics are folded.
    pub fn load(
        parameters: &mut Parameters,
        names: [&str; 2],
        [outputs, inputs]: [usize; 2],
        side: usize,
    ) -> Result<Self> {
        let [weight, norm] = names;
        let linear = Linear::load_convolution(
            parameters,
            &format!("{weight}.weight"),
            [outputs, inputs, side, side],
        )?;
        let mut of_norm = |name: &str| parameters.tensor(&format!("{norm}.{name}"), [outputs]);
        let (gain, bias) = (of_norm("weight")?, of_norm("bias")?);
        let (mean, variance) = (of_norm("running_mean")?, of_norm("running_var")?);
        let scale = gain / (variance + EPSILON).sqrt();
        let shift = bias - mean * scale.clone();
        Ok(Self {
            linear,
            scale,
            shift,
            side,
        })
    }

    /// `[batch, height, width, inputs]` to `[batch, height / stride, width / stride, outputs]`, with
    /// zeros around the picture.
    pub fn forward(&self, input: Tensor<4>, stride: usize) -> Tensor<4> {
        let patches = match self.side {
            1 => input,
            side => surroundings(input, side, stride),
        };
        let sums = self.linear.forward(patches); // [batch, height, width, outputs]
        sums * self.scale.clone().unsqueeze::<4>() + self.shift.clone().unsqueeze::<4>()
    }
}

/// The `side x side` pixels around each pixel, or around every `stride`-th in both directions, in
/// the order of a convolution's weights: `[batch, height, width, channels]` to
/// `[batch, height / stride, width / stride, channels * side * side]`.
fn surroundings(input: Tensor<4>, side: usize, stride: usize) -> Tensor<4> {
    let [batch, height, width, channels] = input.dims();
    let border = side / 2;
    assert!(
        height.is_multiple_of(stride) && width.is_multiple_of(stride),
        "{height} x {width} pixels in steps of {stride}"
    );
    let padded = Tensor::zeros(
        [batch, height + 2 * border, width + 2 * border, channels],
        &input.device(),
    )
    .slice_assign(
        [
            0..batch,
            border..border + height,
            border..border + width,
            0..channels,
        ],
        input,
    );
    let shifted = (0..side * side).map(|place| {
        let rows = padded.clone().narrow(1, place / side, height);
        every(rows.narrow(2, place % side, width), stride)
    });
    let stacked: Tensor<5> = Tensor::stack(shifted.collect(), 4); // [.., channels, side * side]
    let [batch, height, width, channels, places] = stacked.dims();
    stacked.reshape([batch, height, width, channels * places])
}

/// Every `stride`-th pixel in both directions.
fn every(input: Tensor<4>, stride: usize) -> Tensor<4> {
    if stride == 1 {
        return input;
    }
    let [batch, height, width, channels] = input.dims();
    let (rows, columns) = (height / stride, width / stride);
    input
        .reshape([batch, rows, stride, columns, stride, channels])
        .slice([0..batch, 0..rows, 0..1, 0..columns, 0..1, 0..channels])
        .reshape([batch, rows, columns, channels])
}

/// The means of squares of 2 x 2 pixels: `[batch, height, width, channels]` to half the height and
/// width, which are even.
pub fn halve(input: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = input.dims();
    let (rows, columns) = (height / 2, width / 2);
    let pairs = input.reshape([batch * rows, 2, width * channels]);
    let sums = pairs.clone().narrow(1, 0, 1) + pairs.narrow(1, 1, 1); // [batch * rows, 1, width * channels]
    let pairs = sums.reshape([batch * rows * columns, 2, channels]);
    let sums = pairs.clone().narrow(1, 0, 1) + pairs.narrow(1, 1, 1); // [.., 1, channels]
    (sums * 0.25).reshape([batch, rows, columns, channels])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    /// `[1, height, width, channels]` of 0, 1, 2 ...
    fn counted(shape: [usize; 4]) -> Tensor<4> {
        let values = (0..shape.iter().product()).map(|value: usize| value as f32);
        Tensor::from_data(TensorData::new(values.collect(), shape), &Device::flex())
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32 values")
    }

    #[test]
    fn surroundings_are_ordered_by_channel_then_place_with_zeros_outside() {
        let input = counted([1, 4, 2, 2]); // pixel (row, column), channel: 4 row + 2 column + channel
        let all = values(surroundings(input.clone(), 3, 1));
        assert_eq!(all.len(), 4 * 2 * 2 * 9);
        let around = |row: usize, column: usize, channel: usize| -> Vec<f32> {
            let start = ((row * 2 + column) * 2 + channel) * 9;
            all[start..start + 9].to_vec()
        };
        assert_eq!(around(0, 0, 0), [0., 0., 0., 0., 0., 2., 0., 4., 6.]);
        assert_eq!(around(2, 1, 1), [5., 7., 0., 9., 11., 0., 13., 15., 0.]);
        let strided = values(surroundings(input, 3, 2));
        assert_eq!(strided.len(), 2 * 2 * 9);
        assert_eq!(strided[18..27], around(2, 0, 0));
    }

    #[test]
    fn halving_takes_the_means_of_squares() {
        let halved = halve(counted([1, 2, 4, 1]));
        assert_eq!(halved.dims(), [1, 1, 2, 1]);
        assert_eq!(values(halved), [2.5, 4.5]);
    }
}
