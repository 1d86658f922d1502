//! BERT (Devlin et al., arXiv 1810.04805): the text encoder of Chinese-CLIP and of other CLIPs that took one
//! over from a language model (`language.rs`), and BLIP's text transformer, whose layers may also
//! attend to an image or to a question. One stack serves BLIP as text encoder, image-grounded encoder
//! and image-grounded decoder; only masks and context differ.

mod localisation;

use crate::Result;
use crate::kernels::{Activation, Columns};
use crate::nn::{
    Embedding, KeysValues, LayerNorm, Linear, Mlp, Padding, Parameters, Projections, SelfCache,
    attend, token_ids,
};
use burn::tensor::{Device, Int, Tensor};

/// Sizes of the text transformer.
#[derive(Debug, Clone)]
pub struct BertConfig {
    /// Entries of the token table.
    pub vocabulary: usize,
    /// Entries of the position table.
    pub positions: usize,
    /// The entry of a text's first token; those before it are never used.
    pub first_position: usize,
    /// Width of the token vectors.
    pub width: usize,
    /// Width of what cross-attention attends to; none without cross-attention.
    pub context_width: Option<usize>,
    /// Kinds of texts that have a vector each, of which all texts here are the first; none without.
    pub kinds: Option<usize>,
    /// Width inside the perceptron.
    pub hidden: usize,
    /// Number of layers.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// The perceptron's activation.
    pub activation: Activation,
    /// Epsilon of the layer norms.
    pub epsilon: f64,
}

impl BertConfig {
    /// The most tokens of a text.
    pub fn longest(&self) -> usize {
        self.positions.saturating_sub(self.first_position)
    }
}

/// What follows an attention: output projection, residual, post-norm.
#[derive(Debug, Clone)]
struct Finish {
    output: Linear,
    norm: LayerNorm,
}

impl Finish {
    /// Takes the layers of the attention at `prefix`.
    fn load(parameters: &mut Parameters, prefix: &str, config: &BertConfig) -> Result<Self> {
        let at = |name: &str| format!("{prefix}.output.{name}");
        let width = config.width;
        Ok(Self {
            output: Linear::load(parameters, &at("dense"), [width, width])?,
            norm: LayerNorm::load(parameters, &at("LayerNorm"), width, config.epsilon)?,
        })
    }

    /// What was attended to and what came in, `[batch, tokens, width]` each, to the same shape.
    fn forward(&self, attended: Tensor<3>, input: Tensor<3>) -> Tensor<3> {
        self.norm
            .forward(self.output.forward_added(attended, input))
    }
}

/// The attention of a text to itself.
#[derive(Debug, Clone)]
struct SelfAttention {
    /// To queries, keys and values.
    projections: Projections<3>,
    finish: Finish,
    heads: usize,
}

impl SelfAttention {
    fn load(parameters: &mut Parameters, prefix: &str, config: &BertConfig) -> Result<Self> {
        let names = ["query", "key", "value"].map(|name| format!("{prefix}.self.{name}"));
        let names = names.each_ref().map(String::as_str);
        Ok(Self {
            projections: Projections::load(parameters, names, [config.width, config.width])?,
            finish: Finish::load(parameters, prefix, config)?,
            heads: config.heads,
        })
    }

    /// Queries, `[batch, tokens, width]`, and what they attend to, of the same tokens.
    fn project(&self, input: Tensor<3>, padding: Option<&Padding>) -> (Columns, KeysValues) {
        let [queries, keys, values] = self.projections.forward(input);
        (queries, KeysValues::new(keys, values, padding.cloned()))
    }

    /// `[batch, tokens, width]` to the same shape. With a cache, the tokens follow those in it, and
    /// each sees itself and those before it.
    fn forward(
        &self,
        input: Tensor<3>,
        padding: Option<&Padding>,
        cache: Option<&mut SelfCache>,
    ) -> Tensor<3> {
        let causal = cache.is_some();
        let (queries, mut context) = self.project(input.clone(), padding);
        if let Some(cache) = cache {
            context = cache.append(context);
        }
        let attended = attend(queries, context, self.heads, causal);
        self.finish.forward(attended, input)
    }
}

/// The attention of a text to its context.
#[derive(Debug, Clone)]
struct CrossAttention {
    query: Linear,
    /// To keys and values.
    projections: Projections<2>,
    finish: Finish,
    heads: usize,
}

impl CrossAttention {
    fn load(
        parameters: &mut Parameters,
        prefix: &str,
        config: &BertConfig,
        context_width: usize,
    ) -> Result<Self> {
        let width = config.width;
        let names = ["key", "value"].map(|name| format!("{prefix}.self.{name}"));
        let names = names.each_ref().map(String::as_str);
        Ok(Self {
            query: Linear::load(parameters, &format!("{prefix}.self.query"), [width, width])?,
            projections: Projections::load(parameters, names, [width, context_width])?,
            finish: Finish::load(parameters, prefix, config)?,
            heads: config.heads,
        })
    }

    /// Keys and values of a context, `[batch, tokens, context width]`.
    fn keys_values(&self, context: Tensor<3>, padding: Option<&Padding>) -> KeysValues {
        let [keys, values] = self.projections.forward(context);
        KeysValues::new(keys, values, padding.cloned())
    }

    /// `[batch, tokens, width]` to the same shape.
    fn forward(&self, input: Tensor<3>, context: &KeysValues) -> Tensor<3> {
        let queries = self.query.forward(input.clone());
        let attended = attend(queries.into(), context.clone(), self.heads, false);
        self.finish.forward(attended, input)
    }
}

#[derive(Debug, Clone)]
struct Layer {
    self_attention: SelfAttention,
    cross_attention: Option<CrossAttention>,
    mlp: Mlp,
    norm: LayerNorm,
}

impl Layer {
    fn load(parameters: &mut Parameters, prefix: &str, config: &BertConfig) -> Result<Self> {
        let at = |name: &str| format!("{prefix}.{name}");
        let width = config.width;
        Ok(Self {
            self_attention: SelfAttention::load(parameters, &at("attention"), config)?,
            cross_attention: config
                .context_width
                .map(|width| CrossAttention::load(parameters, &at("crossattention"), config, width))
                .transpose()?,
            mlp: Mlp::load(
                parameters,
                [&at("intermediate.dense"), &at("output.dense")],
                [width, config.hidden],
                config.activation,
            )?,
            norm: LayerNorm::load(parameters, &at("output.LayerNorm"), width, config.epsilon)?,
        })
    }

    /// The attention to a context, of a BERT that has it: only such are asked where they look.
    fn cross(&self) -> &CrossAttention {
        let attention = self.cross_attention.as_ref();
        attention.expect("the layers attend to a context")
    }

    /// `[batch, tokens, width]` to the same shape.
    fn forward(
        &self,
        input: Tensor<3>,
        padding: Option<&Padding>,
        context: Option<&KeysValues>,
        cache: Option<&mut SelfCache>,
    ) -> Tensor<3> {
        let mut hidden = self.self_attention.forward(input, padding, cache);
        if let (Some(context), Some(attention)) = (context, &self.cross_attention) {
            hidden = attention.forward(hidden, context);
        }
        self.norm
            .forward(self.mlp.forward_added(hidden.clone(), hidden))
    }
}

/// What the layers attend to besides the text, as keys and values of each layer: computed once per
/// image (or question), used for every token.
#[derive(Debug, Clone)]
pub struct Context(Vec<KeysValues>);

/// The keys and values of the tokens so far, of each layer.
#[derive(Debug)]
pub struct Cache(Vec<SelfCache>);

impl Cache {
    /// Tokens so far.
    pub fn tokens(&self) -> usize {
        self.0.first().map_or(0, SelfCache::tokens)
    }

    /// Makes batch entry `i` continue what entry `parents[i]` was.
    pub fn reorder(&mut self, parents: Tensor<1, Int>) {
        let layers = self.0.iter_mut();
        layers.for_each(|layer| layer.reorder(parents.clone()));
    }
}

/// Embeddings and layers.
#[derive(Debug, Clone)]
pub struct Bert {
    config: BertConfig,
    word_embeddings: Embedding,
    position_embeddings: Tensor<2>,
    kind_embeddings: Option<Embedding>,
    embedding_norm: LayerNorm,
    layers: Vec<Layer>,
    device: Device,
}

impl Bert {
    /// Takes the transformer at `prefix`.
    pub fn load(parameters: &mut Parameters, prefix: &str, config: &BertConfig) -> Result<Self> {
        let at = |name: &str| format!("{prefix}.{name}");
        let width = config.width;
        Ok(Self {
            word_embeddings: Embedding::load(
                parameters,
                &at("embeddings.word_embeddings.weight"),
                [config.vocabulary, width],
            )?,
            position_embeddings: parameters.tensor(
                &at("embeddings.position_embeddings.weight"),
                [config.positions, width],
            )?,
            kind_embeddings: config
                .kinds
                .map(|kinds| {
                    let name = at("embeddings.token_type_embeddings.weight");
                    Embedding::load(parameters, &name, [kinds, width])
                })
                .transpose()?,
            embedding_norm: LayerNorm::load(
                parameters,
                &at("embeddings.LayerNorm"),
                width,
                config.epsilon,
            )?,
            layers: (0..config.depth)
                .map(|index| {
                    Layer::load(parameters, &at(&format!("encoder.layer.{index}")), config)
                })
                .collect::<Result<_>>()?,
            device: parameters.device().clone(),
            config: config.clone(),
        })
    }

    /// Sizes.
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// Cross-attention keys and values of `states`, `[batch, tokens, context width]`.
    pub fn context(&self, states: Tensor<3>) -> Context {
        self.padded_context(states, None)
    }

    /// The same of states of texts of different lengths.
    pub fn padded_context(&self, states: Tensor<3>, padding: Option<&Padding>) -> Context {
        let layers = self.layers.iter();
        let keys_values =
            |attention: &CrossAttention| attention.keys_values(states.clone(), padding);
        let attentions = layers.filter_map(|layer| layer.cross_attention.as_ref());
        Context(attentions.map(keys_values).collect())
    }

    /// A cache for [`Self::decode`] that holds no tokens yet.
    pub fn empty_cache(&self) -> Cache {
        Cache(self.layers.iter().map(|_| SelfCache::default()).collect())
    }

    /// A whole text, each token seeing all others: `[batch, tokens, width]`.
    pub fn encode(&self, ids: &[Vec<u32>], context: Option<&Context>) -> Tensor<3> {
        self.encode_padded(ids, None, context)
    }

    /// The same of texts that were padded to equal length.
    pub fn encode_padded(
        &self,
        ids: &[Vec<u32>],
        padding: Option<&Padding>,
        context: Option<&Context>,
    ) -> Tensor<3> {
        let mut hidden = self.embed(self.token_ids(ids), 0);
        for (index, layer) in self.layers.iter().enumerate() {
            let context = context.map(|context| &context.0[index]);
            hidden = layer.forward(hidden, padding, context, None);
        }
        hidden
    }

    /// The next tokens of texts, `[batch, tokens]`, each seeing those before it: `[batch, tokens,
    /// width]`. Several tokens at once are possible only at the start.
    pub fn decode(&self, ids: Tensor<2, Int>, context: &Context, cache: &mut Cache) -> Tensor<3> {
        let mut hidden = self.embed(ids, cache.tokens());
        let layers = self.layers.iter().zip(&context.0).zip(&mut cache.0);
        for ((layer, context), cache) in layers {
            hidden = layer.forward(hidden, None, Some(context), Some(cache));
        }
        hidden
    }

    /// Texts of equal length on the model's device: `[batch, tokens]`.
    pub fn token_ids(&self, texts: &[Vec<u32>]) -> Tensor<2, Int> {
        token_ids(texts, &self.device)
    }

    /// Token and position vectors, normalised: `[batch, tokens, width]`.
    fn embed(&self, ids: Tensor<2, Int>, first_position: usize) -> Tensor<3> {
        let words = self.word_embeddings.forward(ids);
        let tokens = words.dims()[1];
        let start = self.config.first_position + first_position;
        let positions = self.position_embeddings.clone().narrow(0, start, tokens);
        let mut sum = words + positions.unsqueeze::<3>();
        if let Some(kinds) = &self.kind_embeddings {
            sum = sum + kinds.forward(self.token_ids(&[vec![0]])); // [1, 1, width]
        }
        self.embedding_norm.forward(sum)
    }
}

/// The language-model head: a transform, then a score for each token of the vocabulary.
#[derive(Debug, Clone)]
pub struct LanguageModelHead {
    transform: Linear,
    norm: LayerNorm,
    decoder: Linear,
}

impl LanguageModelHead {
    /// Takes the head at `prefix`. The decoder's weight may be tied to the token table, and its
    /// bias stored under either of two names.
    pub fn load(parameters: &mut Parameters, prefix: &str, config: &BertConfig) -> Result<Self> {
        let at = |name: &str| format!("{prefix}.{name}");
        let (width, vocabulary) = (config.width, config.vocabulary);
        let bias = ["decoder.bias", "bias"].map(at);
        let name = bias
            .iter()
            .find(|name| parameters.contains(name))
            .unwrap_or(&bias[1]);
        let bias = parameters.tensor(name, [vocabulary])?;
        Ok(Self {
            transform: Linear::load(parameters, &at("transform.dense"), [width, width])?
                .with_activation(config.activation),
            norm: LayerNorm::load(
                parameters,
                &at("transform.LayerNorm"),
                width,
                config.epsilon,
            )?,
            decoder: Linear::load_without_bias(
                parameters,
                &at("decoder.weight"),
                [vocabulary, width],
            )?
            .with_bias(bias),
        })
    }

    /// `[..., width]` to logits, `[..., vocabulary]`.
    pub fn forward<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        self.decoder
            .forward(self.norm.forward(self.transform.forward(hidden)))
    }
}
