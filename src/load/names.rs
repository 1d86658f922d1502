//! Checkpoints under the names of their first authors, brought to those of Hugging Face: CLIP's as
//! OpenAI and open_clip name its parts, with a transformer or a ResNet, SigLIP's as open_clip and timm
//! do, BLIP's as Salesforce does. SigLIP gets CLIP's names wherever it has the same part, DistilBERT BERT's.

use super::prefixes::unwrapped;
use super::table::Located;
use crate::weights::TensorInfo;
use crate::{Error, Result};

/// Beginnings of names, part by part, theirs and Hugging Face's; `#` is a layer's number.
type Table = [(&'static str, &'static str)];

const CLIP: &Table = &[
    (
        "visual.class_embedding",
        "vision_model.embeddings.class_embedding",
    ),
    (
        "visual.positional_embedding",
        "vision_model.embeddings.position_embedding.weight",
    ),
    ("visual.conv1", "vision_model.embeddings.patch_embedding"),
    ("visual.ln_pre", "vision_model.pre_layrnorm"),
    ("visual.ln_post", "vision_model.post_layernorm"),
    ("visual.proj", "visual_projection.weight"),
    (
        "visual.transformer.resblocks.#.ln_1",
        "vision_model.encoder.layers.#.layer_norm1",
    ),
    (
        "visual.transformer.resblocks.#.ln_2",
        "vision_model.encoder.layers.#.layer_norm2",
    ),
    (
        "visual.transformer.resblocks.#.ls_1",
        "vision_model.encoder.layers.#.layer_scale1",
    ),
    (
        "visual.transformer.resblocks.#.ls_2",
        "vision_model.encoder.layers.#.layer_scale2",
    ),
    (
        "visual.transformer.resblocks.#.attn",
        "vision_model.encoder.layers.#.self_attn",
    ),
    (
        "visual.transformer.resblocks.#.mlp.c_fc",
        "vision_model.encoder.layers.#.mlp.fc1",
    ),
    (
        "visual.transformer.resblocks.#.mlp.c_proj",
        "vision_model.encoder.layers.#.mlp.fc2",
    ),
    ("token_embedding", "text_model.embeddings.token_embedding"),
    (
        "positional_embedding",
        "text_model.embeddings.position_embedding.weight",
    ),
    (
        "transformer.resblocks.#.ln_1",
        "text_model.encoder.layers.#.layer_norm1",
    ),
    (
        "transformer.resblocks.#.ln_2",
        "text_model.encoder.layers.#.layer_norm2",
    ),
    (
        "transformer.resblocks.#.ls_1",
        "text_model.encoder.layers.#.layer_scale1",
    ),
    (
        "transformer.resblocks.#.ls_2",
        "text_model.encoder.layers.#.layer_scale2",
    ),
    (
        "transformer.resblocks.#.attn",
        "text_model.encoder.layers.#.self_attn",
    ),
    (
        "transformer.resblocks.#.mlp.c_fc",
        "text_model.encoder.layers.#.mlp.fc1",
    ),
    (
        "transformer.resblocks.#.mlp.c_proj",
        "text_model.encoder.layers.#.mlp.fc2",
    ),
    ("ln_final", "text_model.final_layer_norm"),
    // CoCa's class token, pooler and decoder.
    ("cls_emb", "text_model.cls_emb"),
    ("visual.attn_pool.query", "vision_model.attn_pool.probe"),
    ("visual.attn_pool.ln_q", "vision_model.attn_pool.ln_q"),
    ("visual.attn_pool.ln_k", "vision_model.attn_pool.ln_k"),
    (
        "visual.attn_pool.attn.q_proj_weight",
        "vision_model.attn_pool.attention.q_proj.weight",
    ),
    (
        "visual.attn_pool.attn.k_proj_weight",
        "vision_model.attn_pool.attention.k_proj.weight",
    ),
    (
        "visual.attn_pool.attn.v_proj_weight",
        "vision_model.attn_pool.attention.v_proj.weight",
    ),
    ("visual.attn_pool.attn", "vision_model.attn_pool.attention"),
    (
        "text_decoder.resblocks.#.ln_1",
        "multimodal_model.layers.#.layer_norm1",
    ),
    (
        "text_decoder.resblocks.#.ln_2",
        "multimodal_model.layers.#.layer_norm2",
    ),
    (
        "text_decoder.resblocks.#.ls_1",
        "multimodal_model.layers.#.layer_scale1",
    ),
    (
        "text_decoder.resblocks.#.ls_2",
        "multimodal_model.layers.#.layer_scale2",
    ),
    (
        "text_decoder.resblocks.#.attn",
        "multimodal_model.layers.#.self_attn",
    ),
    (
        "text_decoder.resblocks.#.mlp.c_fc",
        "multimodal_model.layers.#.mlp.fc1",
    ),
    (
        "text_decoder.resblocks.#.mlp.c_proj",
        "multimodal_model.layers.#.mlp.fc2",
    ),
    (
        "text_decoder.cross_attn.#.ln_1",
        "multimodal_model.cross_layers.#.layer_norm1",
    ),
    (
        "text_decoder.cross_attn.#.ln_1_kv",
        "multimodal_model.cross_layers.#.layer_norm_context",
    ),
    (
        "text_decoder.cross_attn.#.ln_2",
        "multimodal_model.cross_layers.#.layer_norm2",
    ),
    (
        "text_decoder.cross_attn.#.ls_1",
        "multimodal_model.cross_layers.#.layer_scale1",
    ),
    (
        "text_decoder.cross_attn.#.ls_2",
        "multimodal_model.cross_layers.#.layer_scale2",
    ),
    (
        "text_decoder.cross_attn.#.attn",
        "multimodal_model.cross_layers.#.cross_attn",
    ),
    (
        "text_decoder.cross_attn.#.mlp.c_fc",
        "multimodal_model.cross_layers.#.mlp.fc1",
    ),
    (
        "text_decoder.cross_attn.#.mlp.c_proj",
        "multimodal_model.cross_layers.#.mlp.fc2",
    ),
    ("text_decoder.ln_final", "multimodal_model.final_layer_norm"),
    (
        "text_decoder.text_projection",
        "multimodal_model.lm_head.weight",
    ),
    // With a bias it is a layer of PyTorch, whose weight lies as Hugging Face's.
    ("text_projection.weight", "text_projection.weight"),
    ("text_projection.bias", "text_projection.bias"),
    ("text_projection", "text_projection.weight"),
    // A language model in place of the text encoder.
    ("transformer.embeddings", "text_model.embeddings"),
    ("transformer.encoder.layer.#", "text_model.encoder.layer.#"),
    ("transformer.pooler", "text_model.pooler"),
    ("proj", "text_projection"),
    // timm's vision transformer, in a SigLIP.
    (
        "visual.trunk.patch_embed.proj",
        "vision_model.embeddings.patch_embedding",
    ),
    (
        "visual.trunk.pos_embed",
        "vision_model.embeddings.position_embedding.weight",
    ),
    ("visual.trunk.norm", "vision_model.post_layernorm"),
    (
        "visual.trunk.blocks.#.norm1",
        "vision_model.encoder.layers.#.layer_norm1",
    ),
    (
        "visual.trunk.blocks.#.norm2",
        "vision_model.encoder.layers.#.layer_norm2",
    ),
    (
        "visual.trunk.blocks.#.attn.qkv.weight",
        "vision_model.encoder.layers.#.self_attn.in_proj_weight",
    ),
    (
        "visual.trunk.blocks.#.attn.qkv.bias",
        "vision_model.encoder.layers.#.self_attn.in_proj_bias",
    ),
    (
        "visual.trunk.blocks.#.attn.proj",
        "vision_model.encoder.layers.#.self_attn.out_proj",
    ),
    (
        "visual.trunk.blocks.#.mlp",
        "vision_model.encoder.layers.#.mlp",
    ),
    ("visual.trunk.attn_pool.latent", "vision_model.head.probe"),
    (
        "visual.trunk.attn_pool.q",
        "vision_model.head.attention.q_proj",
    ),
    (
        "visual.trunk.attn_pool.kv.weight",
        "vision_model.head.attention.kv_weight",
    ),
    (
        "visual.trunk.attn_pool.kv.bias",
        "vision_model.head.attention.kv_bias",
    ),
    (
        "visual.trunk.attn_pool.proj",
        "vision_model.head.attention.out_proj",
    ),
    ("visual.trunk.attn_pool.norm", "vision_model.head.layernorm"),
    ("visual.trunk.attn_pool.mlp", "vision_model.head.mlp"),
];

/// Hugging Face's SigLIP has its own name for what projects texts.
const SIGLIP: &Table = &[("text_model.head", "text_projection")];

/// DistilBERT's parts by BERT's names, and sentence-transformers' projection.
const LANGUAGE: &Table = &[
    (
        "text_model.transformer.layer.#.attention.q_lin",
        "text_model.encoder.layer.#.attention.self.query",
    ),
    (
        "text_model.transformer.layer.#.attention.k_lin",
        "text_model.encoder.layer.#.attention.self.key",
    ),
    (
        "text_model.transformer.layer.#.attention.v_lin",
        "text_model.encoder.layer.#.attention.self.value",
    ),
    (
        "text_model.transformer.layer.#.attention.out_lin",
        "text_model.encoder.layer.#.attention.output.dense",
    ),
    (
        "text_model.transformer.layer.#.sa_layer_norm",
        "text_model.encoder.layer.#.attention.output.LayerNorm",
    ),
    (
        "text_model.transformer.layer.#.ffn.lin1",
        "text_model.encoder.layer.#.intermediate.dense",
    ),
    (
        "text_model.transformer.layer.#.ffn.lin2",
        "text_model.encoder.layer.#.output.dense",
    ),
    (
        "text_model.transformer.layer.#.output_layer_norm",
        "text_model.encoder.layer.#.output.LayerNorm",
    ),
    ("linear", "text_projection"),
];

/// A ResNet's parts, which Hugging Face has no names for, keep open_clip's within `vision_model`. As
/// of all positions, those of its pooling are no `positional_embedding` here.
const RESNET: &Table = &[
    (
        "visual.attnpool.positional_embedding",
        "vision_model.attnpool.position_embedding",
    ),
    ("visual", "vision_model"),
];

const BLIP: &Table = &[
    (
        "visual_encoder.cls_token",
        "vision_model.embeddings.class_embedding",
    ),
    (
        "visual_encoder.pos_embed",
        "vision_model.embeddings.position_embedding",
    ),
    (
        "visual_encoder.patch_embed.proj",
        "vision_model.embeddings.patch_embedding",
    ),
    ("visual_encoder.norm", "vision_model.post_layernorm"),
    (
        "visual_encoder.blocks.#.norm1",
        "vision_model.encoder.layers.#.layer_norm1",
    ),
    (
        "visual_encoder.blocks.#.norm2",
        "vision_model.encoder.layers.#.layer_norm2",
    ),
    (
        "visual_encoder.blocks.#.attn.qkv",
        "vision_model.encoder.layers.#.self_attn.qkv",
    ),
    (
        "visual_encoder.blocks.#.attn.proj",
        "vision_model.encoder.layers.#.self_attn.projection",
    ),
    (
        "visual_encoder.blocks.#.mlp",
        "vision_model.encoder.layers.#.mlp",
    ),
];

/// What is applied from the right (`x @ proj`) where Hugging Face applies its transpose.
const TRANSPOSED: [&str; 3] = [
    "visual.proj",
    "text_projection",
    "text_decoder.text_projection",
];

/// What holds queries, keys and values, or two of them, one above the other where Hugging Face, or the
/// models here, have them apart.
const STACKED: [(&str, &[&str], &str); 4] = [
    ("in_proj_weight", &["q", "k", "v"], "weight"),
    ("in_proj_bias", &["q", "k", "v"], "bias"),
    ("kv_weight", &["k", "v"], "weight"),
    ("kv_bias", &["k", "v"], "bias"),
];

/// Where patches are embedded.
const PATCHES: [&str; 3] = [
    "visual.trunk.patch_embed.proj.weight",
    "vision_model.embeddings.patch_embedding.weight",
    "visual.conv1.weight",
];

/// A name that every BLIP of Salesforce has, and those that every CLIP of OpenAI and open_clip has,
/// with a transformer or with a ResNet.
const BLIP_MARK: &str = "visual_encoder.cls_token";
const CLIP_MARK: &str = "visual.class_embedding";
const RESNET_MARK: &str = "visual.attnpool.positional_embedding";

/// The same of SigLIP, in open_clip with timm's image encoder, and in Hugging Face's, of which an encoder
/// may be alone.
const TIMM_MARK: &str = "visual.trunk.attn_pool.latent";
const SIGLIP_MARKS: [&str; 2] = ["vision_model.head.probe", "text_model.head.weight"];

/// A name of the encoders of texts that come from language models.
const LANGUAGE_MARK: &str = "text_model.embeddings.word_embeddings.weight";

/// A name of open_clip's text encoder, which may be alone.
const TEXT_MARK: &str = "transformer.resblocks.0.ln_1.weight";

/// Whose names a checkpoint had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// OpenAI's CLIP and open_clip's.
    OpenAi,
    /// Salesforce's BLIP.
    Salesforce,
    /// Hugging Face's own, or others'.
    HuggingFace,
}

/// Gives every tensor the name that Hugging Face's checkpoints have for it, and says whose names they
/// had.
pub(super) fn translate(tensors: Vec<Located>) -> Result<(Vec<Located>, Author)> {
    let mut tensors = channels_first(unwrapped(tensors)?)?;
    let has = |name: &str| tensors.iter().any(|tensor| tensor.info.name == name);
    if has(BLIP_MARK) {
        for Located { info, .. } in &mut tensors {
            info.name = renamed(BLIP, &info.name);
        }
        return Ok((tensors, Author::Salesforce));
    }
    if has(LANGUAGE_MARK) {
        for Located { info, .. } in &mut tensors {
            info.name = renamed(LANGUAGE, &info.name);
        }
        return Ok((tensors, Author::HuggingFace));
    }
    let is_resnet = has(RESNET_MARK);
    if SIGLIP_MARKS.iter().any(|name| has(name)) {
        return Ok((siglip_tensors(tensors)?, Author::HuggingFace));
    }
    if !is_resnet
        && ![CLIP_MARK, TEXT_MARK, TIMM_MARK]
            .iter()
            .any(|name| has(name))
    {
        return Ok((tensors, Author::HuggingFace));
    }
    let mut translated = Vec::with_capacity(tensors.len());
    for Located { file, info } in tensors {
        let parts = match is_resnet && info.name.starts_with("visual.") {
            true => vec![TensorInfo {
                name: renamed(RESNET, &info.name),
                ..info
            }],
            false => clip_tensors(info)?,
        };
        translated.extend(parts.into_iter().map(|info| Located { file, info }));
    }
    Ok((translated, Author::OpenAi))
}

/// Patch embeddings as PyTorch has them, `[width, colours, side, side]`. MLX has the colours last.
fn channels_first(mut tensors: Vec<Located>) -> Result<Vec<Located>> {
    const COLOURS: usize = 3;
    for Located { info, .. } in &mut tensors {
        let is_patches = PATCHES.iter().any(|name| info.name == *name);
        if let [_, rows, columns, COLOURS] = info.shape[..]
            && is_patches
            && rows == columns
            && rows != COLOURS
        {
            *info = info.clone().permuted(&[0, 3, 1, 2])?;
        }
    }
    Ok(tensors)
}

/// The name that Hugging Face's checkpoints have for what the first authors call `name`.
pub(super) fn of_hugging_face(name: &str) -> String {
    match renamed(BLIP, name) {
        same if same == name => renamed(CLIP, name.strip_prefix("text.").unwrap_or(name)),
        found => found,
    }
}

/// A SigLIP of Hugging Face under CLIP's names, as far as CLIP has the same.
fn siglip_tensors(tensors: Vec<Located>) -> Result<Vec<Located>> {
    let mut translated = Vec::with_capacity(tensors.len());
    for Located { file, mut info } in tensors {
        info.name = renamed(SIGLIP, &info.name);
        let parts = unstacked(info)?.into_iter();
        translated.extend(parts.map(|info| Located { file, info }));
    }
    Ok(translated)
}

/// The one or more tensors that a tensor of an original CLIP is.
fn clip_tensors(mut info: TensorInfo) -> Result<Vec<TensorInfo>> {
    // Newer models of open_clip put the text encoder's parts under a common name.
    let name = info.name.strip_prefix("text.").unwrap_or(&info.name);
    let is_transposed = TRANSPOSED.contains(&name) && info.shape.len() == 2;
    info.name = renamed(CLIP, name);
    if is_transposed {
        info = info.permuted(&[1, 0])?;
    }
    unstacked(info)
}

/// The parts of a tensor that holds some one above the other, or itself.
fn unstacked(info: TensorInfo) -> Result<Vec<TensorInfo>> {
    for (stacked, parts, kind) in STACKED {
        if let Some(attention) = info.name.strip_suffix(stacked) {
            let names = parts.iter();
            let names = names.map(|part| format!("{attention}{part}_proj.{kind}"));
            return split(&info, names.collect());
        }
    }
    Ok(vec![info])
}

/// Equal parts of a tensor, one below the other.
fn split(info: &TensorInfo, names: Vec<String>) -> Result<Vec<TensorInfo>> {
    let count = names.len();
    let rows = info.shape.first();
    let is_whole = rows.is_some_and(|rows| rows.is_multiple_of(count));
    if !is_whole || info.strides.is_some() || info.format.block_length() > 1 {
        return Err(Error::BadWeights(format!(
            "tensor '{}' of shape {:?} should be {count} matrices one above the other",
            info.name, info.shape
        )));
    }
    let bytes = info.bytes / count as u64;
    let parts = names.into_iter().zip(0..).map(|(name, index)| {
        let mut part = info.clone();
        part.name = name;
        part.shape[0] /= count;
        part.offset += index * bytes;
        part.bytes = bytes;
        part
    });
    Ok(parts.collect())
}

/// The name by the first line of the table that fits, or as it is.
fn renamed(table: &Table, name: &str) -> String {
    let mut lines = table.iter();
    lines
        .find_map(|(theirs, ours)| by_line(theirs, ours, name))
        .unwrap_or_else(|| name.to_string())
}

/// The name by one line of a table: what follows the matched parts is kept.
fn by_line(theirs: &str, ours: &str, name: &str) -> Option<String> {
    let mut parts = name.split('.');
    let mut layer = None;
    for wanted in theirs.split('.') {
        let part = parts.next()?;
        match wanted {
            "#" if part.bytes().all(|byte| byte.is_ascii_digit()) => layer = Some(part),
            wanted if wanted == part => {}
            _ => return None,
        }
    }
    let start = match layer {
        Some(layer) => ours.replace('#', layer),
        None => ours.to_string(),
    };
    Some(parts.fold(start, |name, part| format!("{name}.{part}")))
}
