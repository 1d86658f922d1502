//! BLIP (Li et al., arXiv 2201.12086): one vision transformer and one text transformer used three
//! ways. The heads present follow the checkpoint's `architectures`: conditional generation,
//! image-text retrieval, question answering, or several of them in one file.

use super::bert::{Bert, BertConfig, Cache, Context, LanguageModelHead};
use super::harmless;
use super::patches::check_patches;
use super::section::Section;
use crate::kernels::Activation;
use crate::nn::transformer::{BlockConfig, ProjectionNames};
use crate::nn::vit::{VisionTransformer, VitConfig, VitNames};
use crate::nn::{Linear, Padding, Parameters};
use crate::{Error, Result};
use burn::tensor::{Int, Tensor};
use serde_json::json;

/// The classes of the reference whose heads a checkpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heads {
    /// `BlipForConditionalGeneration`: captions.
    pub captioning: bool,
    /// `BlipForImageTextRetrieval`: the shared space and image-text matching.
    pub retrieval: bool,
    /// `BlipForQuestionAnswering`: answers to questions.
    pub answering: bool,
    /// `BlipModel`: a shared space of its own, as CLIP's, without image-text matching.
    pub comparing: bool,
}

/// Sizes and special tokens of a BLIP.
#[derive(Debug, Clone)]
pub struct BlipConfig {
    /// Which heads the checkpoint has.
    pub heads: Heads,
    /// The image encoder.
    pub vision: VitConfig,
    /// The text transformer.
    pub text: BertConfig,
    /// Width of the shared space.
    pub projection: usize,
    /// `[DEC]`, which starts a generated text.
    pub start_token: u32,
    /// `[SEP]`, which ends one.
    pub stop_token: u32,
}

impl BlipConfig {
    /// Reads the sections of config.json, with the defaults of the reference.
    pub fn parse(root: &Section) -> Result<Self> {
        let vision = root.section("vision_config")?;
        let text = root.section("text_config")?;
        let vision_width = vision.size("hidden_size", 768)?;
        let width = text.size("hidden_size", 768)?;
        let heads = parse_heads(&root.texts("architectures")?)?;
        // Every file has both.
        let matched = root.size("image_text_hidden_size", 256)?;
        let compared = root.size("projection_dim", 512)?;
        let config = Self {
            heads,
            vision: VitConfig {
                image_size: vision.side("image_size", 384)?,
                patch_size: vision.side("patch_size", 16)?,
                depth: vision.depth(12)?,
                class_token: true,
                patch_bias: true,
                pre_norm: false,
                block: BlockConfig {
                    width: vision_width,
                    hidden: vision.size("intermediate_size", 3_072)?,
                    heads: vision.heads(12, vision_width)?,
                    activation: vision.activation("hidden_act", Activation::Gelu)?,
                    epsilon: vision.epsilon("layer_norm_eps", 1e-5)?,
                    layer_scale: false,
                },
            },
            text: BertConfig {
                vocabulary: text.size("vocab_size", 30_524)?,
                positions: text.size("max_position_embeddings", 512)?,
                first_position: 0,
                width,
                // The reference overrides text_config.encoder_hidden_size with the vision width.
                context_width: Some(vision_width),
                kinds: None,
                hidden: text.size("intermediate_size", 3_072)?,
                depth: text.depth(12)?,
                heads: text.heads(8, width)?,
                activation: text.activation("hidden_act", Activation::Gelu)?,
                epsilon: text.epsilon("layer_norm_eps", 1e-12)?,
            },
            projection: match heads.comparing {
                true => compared,
                false => matched,
            },
            start_token: text.id("bos_token_id", 30_522)?,
            stop_token: text.id("sep_token_id", 102)?,
        };
        check_patches(config.vision.image_size, config.vision.patch_size)?;
        config.check_tokens()?;
        check_fields(root, &vision, &text)?;
        Ok(config)
    }

    fn check_tokens(&self) -> Result<()> {
        for (name, token) in [
            ("bos_token_id", self.start_token),
            ("sep_token_id", self.stop_token),
        ] {
            if token as usize >= self.text.vocabulary {
                return Err(Error::BadWeights(format!(
                    "config.json: text_config.{name} is {token}, but vocab_size is {}",
                    self.text.vocabulary
                )));
            }
        }
        if self.heads.answering && self.text.width != self.vision.block.width {
            return Err(Error::BadWeights(format!(
                "config.json: question answering needs text and vision of equal hidden_size, found {} and {}",
                self.text.width, self.vision.block.width
            )));
        }
        Ok(())
    }
}

/// Refuses what would make another network of the same tensors.
fn check_fields(root: &Section, vision: &Section, text: &Section) -> Result<()> {
    vision.only("num_channels", json!(3))?;
    // Without it the reference has no attention to pictures.
    text.only("is_decoder", json!(true))?;
    text.only("position_embedding_type", json!("absolute"))?;
    for section in [root, vision, text] {
        section.only("pruned_heads", json!({}))?;
        section.finish(&[
            harmless::ANYWHERE,
            harmless::UNUSED_WIDTHS,
            harmless::OF_BLIP,
        ])?;
    }
    Ok(())
}

fn parse_heads(architectures: &[String]) -> Result<Heads> {
    let has = |name: &str| architectures.iter().any(|found| found == name);
    let heads = Heads {
        captioning: has("BlipForConditionalGeneration"),
        retrieval: has("BlipForImageTextRetrieval"),
        answering: has("BlipForQuestionAnswering"),
        comparing: has("BlipModel"),
    };
    let is_mixed = heads.comparing && (heads.captioning || heads.retrieval || heads.answering);
    if heads == Heads::default() || is_mixed {
        return Err(Error::BadWeights(format!(
            "config.json: architectures is {architectures:?}, expected BlipForConditionalGeneration, BlipForImageTextRetrieval or BlipForQuestionAnswering, or BlipModel alone"
        )));
    }
    Ok(heads)
}

/// Matrices that are tables under another name, as (matrix, table): the reference ties the
/// language-model head to the token table. Files may have both, or the table alone, which may be
/// the encoder's ([`shared_with`]).
pub const TIES: [(&str, &str); 2] = [
    (
        "text_decoder.cls.predictions.decoder.weight",
        "text_decoder.bert.embeddings.word_embeddings.weight",
    ),
    (
        "text_decoder.cls.predictions.decoder.weight",
        "text_encoder.embeddings.word_embeddings.weight",
    ),
];

/// Whose values a tensor of the decoder has where a file lacks it: in pre-training, text encoder
/// and decoder share all but self-attention (section 3.1 of the paper), and such a model need not
/// be stored twice.
pub fn shared_with(name: &str) -> Option<String> {
    let rest = name.strip_prefix("text_decoder.bert.")?;
    let is_self_attention = rest.contains(".attention.");
    (!is_self_attention).then(|| format!("text_encoder.{rest}"))
}

/// The image-grounded decoder with its language-model head.
#[derive(Debug, Clone)]
pub struct TextDecoder {
    bert: Bert,
    head: LanguageModelHead,
}

impl TextDecoder {
    const PREFIX: &'static str = "text_decoder";

    fn load(parameters: &mut Parameters, config: &BertConfig) -> Result<Self> {
        let prefix = Self::PREFIX;
        Ok(Self {
            bert: Bert::load(parameters, &format!("{prefix}.bert"), config)?,
            head: LanguageModelHead::load(
                parameters,
                &format!("{prefix}.cls.predictions"),
                config,
            )?,
        })
    }

    /// What every token attends to: the states of an image, or of a question.
    pub fn context(&self, states: Tensor<3>) -> Context {
        self.bert.context(states)
    }

    /// The same of questions of different lengths.
    pub fn padded_context(&self, states: Tensor<3>, padding: Option<&Padding>) -> Context {
        self.bert.padded_context(states, padding)
    }

    /// A cache that holds no tokens yet.
    pub fn empty_cache(&self) -> Cache {
        self.bert.empty_cache()
    }

    /// Texts of equal length on the model's device: `[batch, tokens]`.
    pub fn token_ids(&self, texts: &[Vec<u32>]) -> Tensor<2, Int> {
        self.bert.token_ids(texts)
    }

    /// Logits after the last of new tokens, `[batch, tokens]`: `[batch, vocabulary]`.
    pub fn next_logits(
        &self,
        ids: Tensor<2, Int>,
        context: &Context,
        cache: &mut Cache,
    ) -> Tensor<2> {
        let hidden = self.bert.decode(ids, context, cache);
        let [batch, tokens, width] = hidden.dims();
        let last = hidden.narrow(1, tokens - 1, 1).reshape([batch, width]);
        self.head.forward(last)
    }

    /// Number of layers.
    pub fn depth(&self) -> usize {
        self.bert.config().depth
    }

    /// The layer whose attention says best where the decoder looks.
    pub fn localising_layer(&self) -> usize {
        self.bert.localising_layer()
    }

    /// What each token of a text attends to in a layer while the next one is chosen, averaged over
    /// heads: `[batch, tokens, context tokens]`.
    pub fn attention_of_tokens(
        &self,
        ids: &[Vec<u32>],
        context: &Context,
        layer: usize,
    ) -> Tensor<3> {
        self.bert.attention_of_tokens(ids, context, layer)
    }

    /// Logits after every token: `[batch, tokens, vocabulary]`.
    pub fn all_logits(&self, ids: &[Vec<u32>], context: &Context) -> Tensor<3> {
        let ids = self.token_ids(ids);
        self.head
            .forward(self.bert.decode(ids, context, &mut self.empty_cache()))
    }
}

/// What image-text retrieval needs beside the two encoders.
#[derive(Debug, Clone)]
struct RetrievalHeads {
    vision_projection: Linear,
    text_projection: Linear,
    matching: Linear,
    temperature: Option<Tensor<1>>,
}

/// What brings both encoders' vectors into the space that `BlipModel` compares them in.
#[derive(Debug, Clone)]
struct ComparingHeads {
    vision_projection: Linear,
    /// BERT's pooler, with the hyperbolic tangent behind it.
    text_pooler: Linear,
    text_projection: Linear,
    logit_scale: Tensor<1>,
}

impl ComparingHeads {
    /// The text encoder of the same class.
    const TEXT_ENCODER: &'static str = "text_model";

    fn load(parameters: &mut Parameters, config: &BlipConfig) -> Result<Self> {
        let (width, projection) = (config.text.width, config.projection);
        let mut matrix =
            |name: &str, width| Linear::load_without_bias(parameters, name, [projection, width]);
        Ok(Self {
            vision_projection: matrix("visual_projection.weight", config.vision.block.width)?,
            text_projection: matrix("text_projection.weight", width)?,
            text_pooler: Linear::load(
                parameters,
                &format!("{}.pooler.dense", Self::TEXT_ENCODER),
                [width, width],
            )?,
            logit_scale: parameters.tensor("logit_scale", [1])?,
        })
    }
}

/// The learned temperature of ITC, as the original's checkpoints call it. The reference's lack it.
pub const TEMPERATURE: &str = "temp";

/// A BLIP with whichever heads its checkpoint has.
#[derive(Debug, Clone)]
pub struct Blip {
    config: BlipConfig,
    vision: VisionTransformer,
    text_encoder: Option<Bert>,
    text_decoder: Option<TextDecoder>,
    retrieval: Option<RetrievalHeads>,
    comparing: Option<ComparingHeads>,
}

impl Blip {
    /// Takes the model out of a checkpoint's tensors.
    pub fn load(parameters: &mut Parameters, config: BlipConfig) -> Result<Self> {
        let names = VitNames {
            positions: "embeddings.position_embedding",
            projections: ProjectionNames::Fused,
        };
        let Heads {
            captioning,
            retrieval,
            answering,
            comparing,
        } = config.heads;
        let (text, projection) = (&config.text, config.projection);
        let vision_width = config.vision.block.width;
        // A file has all of the decoder or shares all that can be: one tensor missing is damage.
        if !parameters.names().any(|name| shared_with(name).is_some()) {
            parameters.share(shared_with);
        }
        let temperature = parameters
            .contains(TEMPERATURE)
            .then(|| parameters.tensor(TEMPERATURE, [1]))
            .transpose()?;
        let text_encoder = match comparing {
            true => ComparingHeads::TEXT_ENCODER,
            false => "text_encoder",
        };
        let mut linear = |name: &str, shape| Linear::load(parameters, name, shape);
        let retrieval_heads = if retrieval {
            Some(RetrievalHeads {
                temperature,
                vision_projection: linear("vision_proj", [projection, vision_width])?,
                text_projection: linear("text_proj", [projection, text.width])?,
                matching: linear("itm_head", [2, text.width])?,
            })
        } else {
            None
        };
        Ok(Self {
            vision: VisionTransformer::load(parameters, config.vision.clone(), names)?,
            text_encoder: (retrieval || answering || comparing)
                .then(|| Bert::load(parameters, text_encoder, text))
                .transpose()?,
            text_decoder: (captioning || answering)
                .then(|| TextDecoder::load(parameters, text))
                .transpose()?,
            comparing: comparing
                .then(|| ComparingHeads::load(parameters, &config))
                .transpose()?,
            retrieval: retrieval_heads,
            config,
        })
    }

    /// Sizes and special tokens.
    pub fn config(&self) -> &BlipConfig {
        &self.config
    }

    /// The image encoder.
    pub fn vision(&self) -> &VisionTransformer {
        &self.vision
    }

    /// The image-grounded decoder. Present with a captioning or answering head.
    pub fn text_decoder(&self) -> Result<&TextDecoder> {
        self.text_decoder
            .as_ref()
            .ok_or_else(|| no_head("caption pictures or answer questions"))
    }

    /// The text encoder. Present with a retrieval or answering head.
    pub fn text_encoder(&self) -> Result<&Bert> {
        self.text_encoder
            .as_ref()
            .ok_or_else(|| no_head("encode texts"))
    }

    fn retrieval(&self) -> Result<&RetrievalHeads> {
        self.retrieval
            .as_ref()
            .ok_or_else(|| no_head("compare pictures with texts"))
    }

    /// Every patch behind the class token: `[batch, 3, height, width]` to `[batch, tokens, width]`.
    pub fn encode_image(&self, pixels: Tensor<4>) -> Tensor<3> {
        let tokens = self.vision.encode(self.vision.embed(pixels));
        self.vision.post_norm.forward(tokens)
    }

    /// The image's vector in the shared space (ITC), from [`Self::encode_image`]'s states:
    /// `[batch, tokens, width]` to `[batch, projection]`.
    pub fn project_image(&self, states: Tensor<3>) -> Result<Tensor<2>> {
        if let Some(heads) = &self.comparing {
            // The reference normalises the class token a second time.
            let class = self.vision.post_norm.forward(first_token(states));
            return Ok(heads.vision_projection.forward(class));
        }
        Ok(self
            .retrieval()?
            .vision_projection
            .forward(first_token(states)))
    }

    /// What similarities are divided by before the softmax, `[1]`, if the checkpoint has it.
    pub fn temperature(&self) -> Option<Tensor<1>> {
        self.retrieval.as_ref()?.temperature.clone()
    }

    /// Whether it has the head that looks at a text in view of a picture.
    pub fn has_matching(&self) -> bool {
        self.retrieval.is_some()
    }

    /// `exp(logit_scale)`, what `BlipModel` multiplies similarities with before the softmax: `[1]`.
    pub fn logit_scale(&self) -> Option<Tensor<1>> {
        let heads = self.comparing.as_ref()?;
        Some(heads.logit_scale.clone().exp())
    }

    /// Every token of texts of equal length on their own: `[batch, tokens, width]`.
    pub fn encode_text_tokens(&self, ids: &[Vec<u32>]) -> Result<Tensor<3>> {
        Ok(self.text_encoder()?.encode(ids, None))
    }

    /// Vectors in the shared space (ITC) of texts of equal length: `[batch, projection]`.
    pub fn encode_text(&self, ids: &[Vec<u32>]) -> Result<Tensor<2>> {
        self.project_text(self.encode_text_tokens(ids)?)
    }

    /// The vectors of encoded texts: `[batch, tokens, width]` to `[batch, projection]`.
    pub fn project_text(&self, states: Tensor<3>) -> Result<Tensor<2>> {
        if let Some(heads) = &self.comparing {
            let pooled = heads.text_pooler.forward(first_token(states)).tanh();
            return Ok(heads.text_projection.forward(pooled));
        }
        Ok(self
            .retrieval()?
            .text_projection
            .forward(first_token(states)))
    }

    /// What the image-grounded encoder attends to: [`Self::encode_image`]'s states, of one image
    /// or of several frames one after another, `[1, tokens, width]`.
    pub fn grounding(&self, states: Tensor<3>) -> Result<Context> {
        Ok(self.text_encoder()?.context(states))
    }

    /// Every token of texts or questions of equal length in view of an image:
    /// `[batch, tokens, width]`.
    pub fn ground_text(&self, ids: &[Vec<u32>], grounding: &Context) -> Result<Tensor<3>> {
        Ok(self.text_encoder()?.encode(ids, Some(grounding)))
    }

    /// The image-text matching logits of a [`Self::ground_text`] result, [no, yes]: `[batch, 2]`.
    pub fn matching_logits(&self, grounded: Tensor<3>) -> Result<Tensor<2>> {
        Ok(self.retrieval()?.matching.forward(first_token(grounded)))
    }

    /// Where each token of a text of `[1, tokens]` finds that it matches an image: Grad-CAM of the
    /// matching head's "yes" in a layer, `[1, tokens, context tokens]`.
    pub fn matching_gradient(
        &self,
        ids: &[Vec<u32>],
        grounding: &Context,
        layer: usize,
    ) -> Result<Tensor<3>> {
        let first = self.retrieval()?.matching.weights_of(1).unsqueeze::<3>(); // [1, 1, width]
        let (tokens, width) = (ids[0].len(), first.dims()[2]);
        let rest = Tensor::zeros([1, tokens - 1, width], &first.device());
        let gradient = Tensor::cat(vec![first, rest], 1); // [1, tokens, width]
        let encoder = self.text_encoder()?;
        Ok(encoder.gradient_of_attention(ids, grounding, gradient, layer))
    }
}

/// `[batch, tokens, width]` to `[batch, width]`.
fn first_token(states: Tensor<3>) -> Tensor<2> {
    let [batch, _, width] = states.dims();
    states.narrow(1, 0, 1).reshape([batch, width])
}

fn no_head(what: &str) -> Error {
    Error::UnsupportedTask(format!("this checkpoint has no head to {what}"))
}
