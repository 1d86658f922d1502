//! The vision transformer (Dosovitskiy et al., arXiv 2010.11929), as CLIP and BLIP use it.

use super::transformer::{Block, BlockConfig, ProjectionNames, load_blocks};
use super::{LayerNorm, Linear, Parameters, resize_positions};
use crate::Result;
use burn::tensor::Tensor;

/// Sizes of a vision transformer.
#[derive(Debug, Clone)]
pub struct VitConfig {
    /// Side of the square pictures it was trained on, in pixels.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Whether a class token comes before the patches.
    pub class_token: bool,
    /// Whether the patch embedding has a bias.
    pub patch_bias: bool,
    /// Whether a layer norm comes before the blocks, at `pre_layrnorm` (CLIP's spelling).
    pub pre_norm: bool,
    /// Sizes of a block.
    pub block: BlockConfig,
}

impl VitConfig {
    /// Patches along a side at the trained size. What is left of the picture beside whole ones is not
    /// seen.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }
}

/// What differs between the two families' checkpoints.
#[derive(Debug, Clone, Copy)]
pub struct VitNames {
    /// Where the positions are.
    pub positions: &'static str,
    /// How attention projections are stored.
    pub projections: ProjectionNames,
}

/// Patches, positions, blocks. The final norm, `post_layernorm`, is applied by the model: CLIP
/// applies it to the class token alone, BLIP to all tokens.
#[derive(Debug, Clone)]
pub struct VisionTransformer {
    config: VitConfig,
    patch_embedding: Linear,
    class_embedding: Option<Tensor<2>>,
    position_embedding: Tensor<2>,
    pre_norm: Option<LayerNorm>,
    blocks: Vec<Block>,
    /// `post_layernorm`.
    pub post_norm: LayerNorm,
}

impl VisionTransformer {
    /// Takes the encoder at `vision_model`.
    pub fn load(parameters: &mut Parameters, config: VitConfig, names: VitNames) -> Result<Self> {
        let width = config.block.width;
        Self::load_with_norm(parameters, config, names, width)
    }

    /// The same, whose last norm is of another width: that of what its tokens are pooled into.
    pub fn load_with_norm(
        parameters: &mut Parameters,
        config: VitConfig,
        names: VitNames,
        norm_width: usize,
    ) -> Result<Self> {
        let block = &config.block;
        let (width, side) = (block.width, config.patch_size);
        let at = |name: &str| format!("vision_model.{name}");
        let mut patch_embedding = Linear::load_convolution(
            parameters,
            &at("embeddings.patch_embedding.weight"),
            [width, 3, side, side],
        )?;
        if config.patch_bias {
            let bias = parameters.tensor(&at("embeddings.patch_embedding.bias"), [width])?;
            patch_embedding = patch_embedding.with_bias(bias);
        }
        let positions = usize::from(config.class_token) + config.grid() * config.grid();
        let norm = |parameters: &mut Parameters, name: &str, width: usize| {
            LayerNorm::load(parameters, &at(name), width, block.epsilon)
        };
        Ok(Self {
            class_embedding: config
                .class_token
                .then(|| parameters.tensor(&at("embeddings.class_embedding"), [1, width]))
                .transpose()?,
            position_embedding: parameters.tensor(&at(names.positions), [positions, width])?,
            pre_norm: config
                .pre_norm
                .then(|| norm(parameters, "pre_layrnorm", width))
                .transpose()?,
            blocks: load_blocks(
                parameters,
                &at("encoder.layers"),
                config.depth,
                block,
                names.projections,
            )?,
            post_norm: norm(parameters, "post_layernorm", norm_width)?,
            patch_embedding,
            config,
        })
    }

    /// Sizes.
    pub fn config(&self) -> &VitConfig {
        &self.config
    }

    /// Patch vectors behind the class token, if there is one, with positions added: `[batch, 3, height,
    /// width]` to `[batch, 1 + patches, width]`. Pictures of another size than the trained one get
    /// resized positions; of what is not a whole patch nothing is seen.
    pub fn embed(&self, pixels: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = pixels.dims();
        let patch = self.config.patch_size;
        let grid = [height / patch, width / patch];
        let count = grid[0] * grid[1];
        let whole = pixels
            .narrow(2, 0, grid[0] * patch)
            .narrow(3, 0, grid[1] * patch);
        let patches = whole
            .reshape([batch, channels, grid[0], patch, grid[1], patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch, count, channels * patch * patch]);
        let embedded = self.patch_embedding.forward(patches); // [batch, patches, width]
        let width = embedded.dims()[2];
        let tokens = match &self.class_embedding {
            None => embedded,
            Some(class) => {
                let class = class.clone().unsqueeze::<3>().expand([batch, 1, width]);
                Tensor::cat(vec![class, embedded], 1) // [batch, 1 + patches, width]
            }
        };
        let positions = resize_positions(self.position_embedding.clone(), self.config.grid(), grid);
        tokens + positions.unsqueeze::<3>()
    }

    /// The output of the last block for tokens of [`Self::embed`], before `post_norm`:
    /// `[batch, tokens, width]`.
    pub fn encode(&self, tokens: Tensor<3>) -> Tensor<3> {
        let tokens = match &self.pre_norm {
            Some(norm) => norm.forward(tokens),
            None => tokens,
        };
        self.blocks
            .iter()
            .fold(tokens, |tokens, block| block.forward(tokens, false))
    }
}
