//! CLIP's ResNets (section 2.4 of Radford et al., arXiv 2103.00020; He et al., arXiv 1512.03385):
//! three convolutions at the start instead of one, averages before every stride so that nothing
//! aliases (Zhang, arXiv 1904.11486), and attention in place of the last average. `ModifiedResNet`
//! of open_clip.

use super::convolution::{Convolution, halve};
use super::{KeysValues, Linear, Parameters, attend, resize_positions};
use crate::Result;
use burn::tensor::{Tensor, activation::relu};

/// How often smaller a side is after the last block.
pub const REDUCTION: usize = 32;
/// How much wider a block's output is than its inside.
const EXPANSION: usize = 4;

/// Sizes of a ResNet.
#[derive(Debug, Clone)]
pub struct ResNetConfig {
    /// Side of the square pictures it was trained on, in pixels.
    pub image_size: usize,
    /// Blocks of each of the four stages.
    pub layers: [usize; 4],
    /// Channels before the first stage.
    pub width: usize,
    /// Heads of the attention at the end.
    pub heads: usize,
}

impl ResNetConfig {
    /// Places along a side that are left at the end, at the trained size.
    pub fn grid(&self) -> usize {
        self.image_size / REDUCTION
    }

    /// Channels that are left at the end.
    pub fn features(&self) -> usize {
        self.width * 8 * EXPANSION
    }
}

/// `x + convolve(x)` through a bottleneck.
#[derive(Debug, Clone)]
struct Bottleneck {
    reduce: Convolution,
    convolve: Convolution,
    expand: Convolution,
    /// What brings `x` to the output's size, where it has another.
    downsample: Option<Convolution>,
    halves: bool,
}

impl Bottleneck {
    /// Takes the block at `prefix`.
    fn load(
        parameters: &mut Parameters,
        prefix: &str,
        [inputs, planes]: [usize; 2],
        halves: bool,
    ) -> Result<Self> {
        let mut convolution = |names: [&str; 2], shape, side| {
            let [weight, norm] = names.map(|name| format!("{prefix}.{name}"));
            Convolution::load(parameters, [&weight, &norm], shape, side)
        };
        let outputs = planes * EXPANSION;
        Ok(Self {
            reduce: convolution(["conv1", "bn1"], [planes, inputs], 1)?,
            convolve: convolution(["conv2", "bn2"], [planes, planes], 3)?,
            expand: convolution(["conv3", "bn3"], [outputs, planes], 1)?,
            downsample: (halves || inputs != outputs)
                .then(|| convolution(["downsample.0", "downsample.1"], [outputs, inputs], 1))
                .transpose()?,
            halves,
        })
    }

    /// `[batch, height, width, inputs]` to `[batch, height, width, outputs]`, or to half of both.
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let shrink = |tensor| if self.halves { halve(tensor) } else { tensor };
        let inside = relu(self.reduce.forward(input.clone(), 1));
        let inside = shrink(relu(self.convolve.forward(inside, 1)));
        let output = self.expand.forward(inside, 1);
        let input = match &self.downsample {
            Some(downsample) => downsample.forward(shrink(input), 1),
            None => input,
        };
        relu(output + input)
    }
}

/// Attention from the mean of all places to each of them, which takes the place of an average.
#[derive(Debug, Clone)]
struct AttentionPool {
    position_embedding: Tensor<2>,
    queries: Linear,
    keys: Linear,
    values: Linear,
    output: Linear,
    heads: usize,
}

impl AttentionPool {
    fn load(
        parameters: &mut Parameters,
        prefix: &str,
        config: &ResNetConfig,
        outputs: usize,
    ) -> Result<Self> {
        let width = config.features();
        let places = config.grid() * config.grid();
        let mut linear = |name: &str, outputs| {
            Linear::load(parameters, &format!("{prefix}.{name}"), [outputs, width])
        };
        Ok(Self {
            queries: linear("q_proj", width)?,
            keys: linear("k_proj", width)?,
            values: linear("v_proj", width)?,
            output: linear("c_proj", outputs)?,
            position_embedding: parameters
                .tensor(&format!("{prefix}.position_embedding"), [1 + places, width])?,
            heads: config.heads,
        })
    }

    /// `[batch, rows, columns, width]` to `[batch, outputs]`; `grid` is the side that the positions
    /// are for.
    fn forward(&self, features: Tensor<4>, grid: usize) -> Tensor<2> {
        let [batch, rows, columns, width] = features.dims();
        let places = features.reshape([batch, rows * columns, width]);
        let tokens = Tensor::cat(vec![places.clone().mean_dim(1), places], 1); // [batch, 1 + places, width]
        let positions = resize_positions(self.position_embedding.clone(), grid, [rows, columns]);
        let tokens = tokens + positions.unsqueeze::<3>();
        let queries = self.queries.forward(tokens.clone().narrow(1, 0, 1));
        let keys = self.keys.forward(tokens.clone());
        let context = KeysValues::new(keys.into(), self.values.forward(tokens).into(), None);
        let pooled = attend(queries.into(), context, self.heads, false); // [batch, 1, width]
        self.output.forward(pooled.reshape([batch, width]))
    }
}

/// Pictures to vectors.
#[derive(Debug, Clone)]
pub struct ResNet {
    config: ResNetConfig,
    stem: [Convolution; 3],
    blocks: Vec<Bottleneck>,
    pool: AttentionPool,
}

impl ResNet {
    /// Takes the encoder at `vision_model`, whose vectors have `outputs` numbers.
    pub fn load(parameters: &mut Parameters, config: ResNetConfig, outputs: usize) -> Result<Self> {
        let at = |name: &str| format!("vision_model.{name}");
        let mut stem = |number: usize, shape| {
            let names = ["conv", "bn"].map(|name| at(&format!("{name}{number}")));
            Convolution::load(parameters, [&names[0], &names[1]], shape, 3)
        };
        let (width, half) = (config.width, config.width / 2);
        let stem = [
            stem(1, [half, 3])?,
            stem(2, [half, half])?,
            stem(3, [width, half])?,
        ];
        let mut blocks = Vec::new();
        let mut inputs = width;
        for (stage, depth) in config.layers.into_iter().enumerate() {
            let planes = width << stage;
            for index in 0..depth {
                let prefix = at(&format!("layer{}.{index}", stage + 1));
                let halves = stage > 0 && index == 0;
                blocks.push(Bottleneck::load(
                    parameters,
                    &prefix,
                    [inputs, planes],
                    halves,
                )?);
                inputs = planes * EXPANSION;
            }
        }
        Ok(Self {
            stem,
            blocks,
            pool: AttentionPool::load(parameters, &at("attnpool"), &config, outputs)?,
            config,
        })
    }

    /// Sizes.
    pub fn config(&self) -> &ResNetConfig {
        &self.config
    }

    /// What the three convolutions at the start make of a picture: `[batch, 3, height, width]` to
    /// `[batch, height / 4, width / 4, width]`.
    pub fn embed(&self, pixels: Tensor<4>) -> Tensor<4> {
        let [first, second, third] = &self.stem;
        let hidden = pixels.permute([0, 2, 3, 1]); // [batch, height, width, 3]
        let hidden = relu(first.forward(hidden, 2));
        let hidden = relu(second.forward(hidden, 1));
        halve(relu(third.forward(hidden, 1)))
    }

    /// What the blocks make of that: `[batch, height / 32, width / 32, features]`.
    pub fn encode(&self, embedded: Tensor<4>) -> Tensor<4> {
        let blocks = self.blocks.iter();
        blocks.fold(embedded, |hidden, block| block.forward(hidden))
    }

    /// The vectors of encoded pictures: `[batch, outputs]`.
    pub fn pool(&self, features: Tensor<4>) -> Tensor<2> {
        self.pool.forward(features, self.config.grid())
    }
}
